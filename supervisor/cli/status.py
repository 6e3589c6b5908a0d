"""What runs and whether it is well: one line for each actor, or all about some.

An actor is well unless it has failed, waits to be restarted, or has stopped for a reason that is not clean. If one is
not, or the tree is not up, the exit code is 7."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from supervisor.cli import exits
from supervisor.cli.asking import ask_tree
from supervisor.cli.nodes import cause_text, is_well, summary, workers
from supervisor.cli.options import add_output, add_run_dir, connected, examples
from supervisor.cli.output import BAD, DIM, GOOD, form_of, one_line, paint, say, show, size

if TYPE_CHECKING:
    from theater.client import Client

COLUMNS = ("path", "state", "pid", "incarnation", "restarts", "uptime")
WIDE = (*COLUMNS, "queued", "memory", "operations", "failed")
COLOURS = {"running": GOOD, "idle": GOOD, "failed": BAD, "restarting": BAD, "crashed": BAD, "stopped": DIM}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater status                       one line for each actor
  theater status -q && echo all well   only the exit code
  theater status --wide                with queue, memory and counters (asks every worker)
  theater status /fleet/planner        everything about one actor
  theater status --ignore restarting   a restart under way is fine
  theater status -o json | jq '.[].pid'
""",
    )
    parser.add_argument("actor", nargs="*", metavar="ACTOR", help="tell all about these")
    parser.add_argument("-w", "--wide", action="store_true", help="also queue, memory and counters")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing")
    parser.add_argument("--ignore", metavar="STATES", default="", help="states that count as well, with commas between")
    add_output(parser)
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.actor:
        return _about(args)
    data = ask_tree(args)
    nodes = workers(data["root"])
    if not args.quiet:
        _show(data, nodes, args)
    ignored = frozenset(args.ignore.split(","))
    unwell = [node for node in nodes if not is_well(node, ignored)]
    is_up = data["state"] == "up" or data["state"] in ignored
    return exits.OK if is_up and not unwell else exits.UNHEALTHY


def _show(data: dict[str, Any], nodes: list[dict[str, Any]], args: argparse.Namespace) -> None:
    rows = [summary(node) for node in nodes]
    if args.wide:
        _add_figures(rows, args)
    show(rows, WIDE if args.wide else COLUMNS, args.output, COLOURS)
    if form_of(args.output) == "table":
        for row, node in zip(rows, nodes, strict=True):
            if not is_well(node) and row["cause"]:
                say(f"{row['path']}: {one_line(row['cause'])}")
        state = data["state"]
        actors = "1 actor" if len(rows) == 1 else f"{len(rows)} actors"
        say(f"{data['name']}: {paint(state, GOOD if state == 'up' else BAD)}, {actors}, pid {data['pid']}")


def _add_figures(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    with connected(args) as client:
        for row in rows:
            row.update(_figures(client, row["path"]))


def _figures(client: Client, path: str) -> dict[str, Any]:
    from proto import info
    from theater import conversation
    from theater.errors import ChannelClosed
    from theater.records import metrics_from

    try:
        who = conversation.Who(path)
        data, _ = client.converse(conversation.question(who, info.GetMetrics, (), conversation.DEFAULT))
    except ChannelClosed:
        return {}
    metrics = metrics_from(data)
    resources, done = metrics.resource_metrics, metrics.operation_metrics
    return {
        "queued": resources.operation_queue_size,
        "memory": size(resources.memory_usage),
        "operations": done.total_operations,
        "failed": done.failed_operations,
    }


def _about(args: argparse.Namespace) -> int:
    with connected(args) as client:
        records = [_everything(client, path) for path in args.actor]
    if not args.quiet:
        if form_of(args.output) == "table":
            show([_readable(record) for record in records], (), "yaml")
        else:
            show(records, (), args.output)
    ignored = frozenset(args.ignore.split(","))
    return exits.OK if all(is_well(record, ignored) for record in records) else exits.UNHEALTHY


def _everything(client: Client, path: str) -> dict[str, Any]:
    from proto import info
    from theater import conversation
    from theater.errors import ChannelClosed

    who, default = conversation.Who(path), conversation.DEFAULT
    status, _ = client.converse(conversation.question(who, info.GetStatus, (), default))
    try:
        metrics, _ = client.converse(conversation.question(who, info.GetMetrics, (), default))
    except ChannelClosed:
        metrics = None
    return {"path": path, **status, "cause_text": cause_text(status.get("cause")), "metrics": metrics}


def _readable(record: dict[str, Any]) -> dict[str, Any]:
    """For people, budgets are in words, one line for each."""
    from supervisor.cli.usage import budget_text

    metrics = record["metrics"]
    if not metrics or not metrics.get("limits"):
        return record
    limits = {name: budget_text(name, budget) for name, budget in metrics["limits"].items()}
    return {**record, "metrics": {**metrics, "limits": limits}}
