"""The supervision tree, drawn: supervisors with their strategy, actors with their state."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from supervisor.cli import exits
from supervisor.cli.asking import ask_tree
from supervisor.cli.nodes import Node, is_well, summary
from supervisor.cli.options import FORMATS, add_run_dir, examples
from supervisor.cli.output import BAD, DIM, GOOD, one_line, paint, show_one, write

LINES = ("├─ ", "└─ ", "│  ", "   ")
ASCII = ("|- ", "`- ", "|  ", "   ")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater tree                  the whole tree
  theater tree /agents          one branch
  theater tree -o json          for programs
""",
    )
    parser.add_argument("path", nargs="?", default="/", metavar="PATH", help="only what is below (default: /)")
    parser.add_argument("-o", "--output", choices=FORMATS, default="table", help="form of the output (default: drawn)")
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    data = ask_tree(args, args.path)
    if args.output == "table":
        write(drawn(data))
    else:
        show_one(data, args.output)
    return exits.OK


def drawn(data: dict[str, Any]) -> str:
    """Return the tree as text."""
    pen = LINES if _can_draw() else ASCII
    root = data["root"]
    text = [f"{data['name']} {root['path']} {_says(root)}\n"]
    todo = [(child, "", last) for child, last in _marked(root)]
    while todo:
        node, before, is_last = todo.pop()
        text.append(f"{before}{pen[1] if is_last else pen[0]}{node.get('id') or node['path']} {_says(node)}\n")
        below = before + (pen[3] if is_last else pen[2])
        todo.extend((child, below, last) for child, last in _marked(node))
    return "".join(text)


def _marked(node: Node) -> list[tuple[Node, bool]]:
    """Children, last first (for a stack), each with whether it is the last."""
    children = list(node.get("children") or ())
    return [(child, place == 0) for place, child in enumerate(reversed(children))]


def _says(node: Node) -> str:
    if node.get("type") == "supervisor":
        words = [f"[{node['strategy']}]"] if node.get("strategy") else []
        if node.get("state", "") not in ("", "up", "running"):
            words.append(node["state"])
        return paint(" ".join(words), DIM)
    row = summary(node)
    words = [paint(row["state"], GOOD if is_well(node) else BAD)]
    if row["pid"] is not None:
        words += [f"pid {row['pid']}", f"up {row['uptime']}"]
    if row["restarts"]:
        words.append(f"restarts {row['restarts']}")
    if row["cause"] and row["pid"] is None:
        words.append(f"({one_line(row['cause'])})")
    return " ".join(words)


def _can_draw() -> bool:
    try:
        "├".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
