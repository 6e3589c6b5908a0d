"""Say what an actor may do, and why: each grant with its options and where it is written, and what opens each import.

What is not granted does not exist for an actor. One that a guest has spawned holds at most what its parent holds and
passes on; the line that gave the parent a grant is named, too. Nothing is run, the package is only looked into."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from typing import Any

import msgspec

from supervisor.cli import exits
from supervisor.cli.check import TIMEOUT_S, cache_dir
from supervisor.cli.options import add_output, add_run_dir, connected, examples
from supervisor.cli.output import BAD, DIM, GOOD, form_of, one_line, paint, show_one, write
from theater.config.units import BYTES, MILLISECONDS

Record = dict[str, Any]

NOBODY = "nobody grants it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater explain /fleet/planner                       an actor of the running tree, spawned ones too
  theater explain /fleet/planner --tree tree.yaml      one that does not run
  theater explain /fleet/planner -o json | jq .refused
""",
    )
    parser.add_argument("actor", metavar="ACTOR", help="path or id of an actor")
    parser.add_argument("--tree", metavar="TREE", help="what this tree file says, whatever runs")
    parser.add_argument("--cache", metavar="DIR", help="compiled packages (default: $XDG_CACHE_HOME/theater)")
    add_output(parser)
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    record = _from_tree(args.tree, args.actor) if args.tree else _from_root(args)
    found = explained(record, _inspected(record, args.cache or cache_dir()))
    if form_of(args.output) == "table":
        write(text_of(found))
    else:
        show_one(found, args.output)
    return exits.OK


# -- where it comes from ---------------------------------------------------------------------------------------------


def _from_root(args: argparse.Namespace) -> Record:
    from proto import info
    from theater import conversation

    with connected(args) as client:
        return client.converse(conversation.tree_question(info.Explain, (args.actor,), conversation.DEFAULT))


def _from_tree(tree: str, path: str) -> Record:
    from supervisor.cli.playing import actor_at
    from supervisor.declared import declared
    from theater.config import load_tree
    from theater.errors import NotFound

    spec = actor_at(load_tree(tree).spec, path.strip("/").split("/"))
    if spec is None:
        raise NotFound(f"{path} in {tree}")
    return {**declared(spec, path), "above": []}


def _inspected(record: Record, cache: str) -> Record:
    """Have a worker's own program look into the package: it knows what each import means."""
    request = {
        "file": record["package"],
        "grants": {name: {} for name in record["grants"]},
        "options": record["options"],
        "sha256": record["sha256"],
    }
    command = [sys.executable, "-m", "worker.prepare", "--cache", cache, "--inspect"]
    done = subprocess.run(command, input=msgspec.json.encode([request]), capture_output=True, timeout=TIMEOUT_S)
    lines = done.stdout.splitlines()
    if not lines:
        return {"error": one_line(done.stderr.decode(errors="replace")) or f"exit code {done.returncode}"}
    found: Record = msgspec.json.decode(lines[0])
    return found


# -- what it means ---------------------------------------------------------------------------------------------------


def explained(record: Record, inspection: Record) -> Record:
    """What an actor may do, as plain data in the order people read it."""
    imports = [_import(item, record) for item in inspection.get("imports", ())]
    used = {item["grant"] for item in imports}
    may = [_grant(name, record, used) for name in record["grants"]]
    refused = [f"{item['import']}: {item['why']}" for item in imports if item["grant"] is None]
    return {
        "path": record["path"],
        "declared": record["origin"],
        "package": record["package"],
        "may": may,
        "imports": imports,
        "refused": refused,
        "limits": _limits(record["options"]),
        **({"package_error": inspection["error"]} if inspection.get("error") else {}),
    }


def _grant(name: str, record: Record, used: set[str | None]) -> Record:
    from theater.grants import short_name

    chain = [
        f"{above['path']} holds it ({above['places'].get(name, above['origin'])})"
        for above in record["above"]
        if name in above["grants"]
    ]
    return {
        "grant": short_name(name),
        "interface": name,
        "options": _options(name, record["grants"][name]),
        "from": record["places"].get(name, record["origin"]),
        "inherited": chain,
        "used": short_name(name) in used,
        "children": _passed(name, record["passes"]),
    }


def _passed(name: str, passes: Record) -> Any:
    rule: Any = passes.get(name, passes.get("others", "inherit"))
    return rule if isinstance(rule, str) else _written(name, rule)


def _options(name: str, given: Record) -> Record:
    """Every option in the words of a configuration: what is written, and the defaults of the rest."""
    from theater.config.grants import shown_default
    from theater.grants import declared

    written = _written(name, given)
    others = (option for option in declared(name).options if option.key not in written)
    return {**written, **{option.key: f"{shown_default(option)} (default)" for option in others}}


def _written(name: str, given: Record) -> Record:
    from theater.config.grants import shown_value
    from theater.grants import declared

    options = {option.name: option for option in declared(name).options}
    return {options[each].key: shown_value(options[each], value) for each, value in given.items() if each in options}


def _shown(target: str, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if target.endswith("_ms"):
            return _with_unit(value, MILLISECONDS)
        if "bytes" in target:
            return _with_unit(value, BYTES)
    return value


def _with_unit(amount: int, units: dict[str, int]) -> str:
    """In the largest unit of which it is a whole number."""
    unit = next(name for name, size in reversed(units.items()) if amount % size == 0 or size == 1)
    return f"{amount // units[unit]}{unit}"


def _import(item: dict[str, str], record: Record) -> Record:
    from theater.grants import opened_by, short_name

    name = f"{item['interface']}.{item['function']}"
    opening = [each for each in opened_by(item["interface"]) if each in record["grants"]]
    if opening:
        place = record["places"].get(opening[0], record["origin"])
        return {"import": name, "grant": short_name(opening[0]), "why": f"granted at {place}"}
    proposed = short_name(opened_by(item["interface"])[0])
    return {"import": name, "grant": None, "why": f"{NOBODY}: grants: {{{proposed}: {{}}}} would"}


def _limits(options: Record) -> Record:
    """The limits in the words of a configuration."""
    from theater.config.keys import LIMITS

    shown = {}
    for key, field in LIMITS.fields.items():
        target = field.target or key
        value = options.get(target)
        shown[key] = _budget(key, value) if isinstance(value, dict) else _shown(target, value)
    return {key: "none" if value is None else value for key, value in shown.items()}


def _budget(key: str, budget: Record) -> str:
    """As it would be written: ``10s per 1m or throttle``."""
    units = {"guest_time": MILLISECONDS, "outgoing": BYTES, "chain_bytes": BYTES}.get(key)
    amount = str(budget["amount"]) if units is None else _with_unit(budget["amount"], units)
    per = "" if budget.get("per_ms") is None else f" per {_with_unit(budget['per_ms'], MILLISECONDS)}"
    return f"{amount}{per} or {budget['then']}"


# -- for people ------------------------------------------------------------------------------------------------------


def text_of(found: Record) -> str:
    """The whole as text."""
    lines = [f"{found['path']}  {os.path.basename(found['package'])}  {paint(found['declared'], DIM)}"]
    lines += ["may" if found["may"] else "may do nothing but compute: there are no grants"]
    for grant in found["may"]:
        unused = "" if grant["used"] else paint("  (not used by the package)", DIM)
        lines.append(f"  {paint(grant['grant'], GOOD)}  {grant['from']}{unused}")
        lines += [f"      {key}: {_flat(value)}" for key, value in grant["options"].items()]
        lines += [f"      because {each}" for each in grant["inherited"]]
        if grant["children"] != "inherit":
            lines.append(f"      children: {_flat(grant['children'])}")
    lines.append("imports" if found["imports"] else "imports nothing")
    for item in found["imports"]:
        verdict = paint("refused", BAD) if item["grant"] is None else item["grant"]
        lines.append(f"  {item['import']}  {verdict}: {item['why']}")
    if "package_error" in found:
        lines.append(f"package  {paint(one_line(found['package_error']), BAD)}")
    lines.append("limits  " + ", ".join(f"{key} {_flat(value)}" for key, value in found["limits"].items()))
    return "\n".join(lines) + "\n"


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
