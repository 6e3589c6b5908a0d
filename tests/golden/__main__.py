"""Record the histories: run every example as its README says, and write down what its actors recorded."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from supervisor.store import StoreReader
from tests.examples.test_example_runs import EXAMPLES, Terminal, steps
from tests.golden.test_golden import UNRECORDED
from theater.chain import textform
from theater.config import load_tree

HERE = Path(__file__).parent


def main() -> None:
    """Write one file per actor that a tree file declares."""
    for old in HERE.glob("*.chain"):
        old.unlink()
    for example in EXAMPLES:
        if example.name not in UNRECORDED:
            _record(example)


def _record(example: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="th-"))
    shutil.copytree(example, home / "example")
    terminal = Terminal(home)
    try:
        for command, _ in steps(home / "example" / "README.md"):
            terminal.run(command)
        tree = load_tree(home / "example" / "tree.yaml")
        with StoreReader(str(home / "example" / ".theater" / tree.name)) as store:
            for actor in store.actors():
                name = f"{example.name}{actor.path.replace('/', '-')}.chain"
                with (HERE / name).open("w", encoding="utf-8", newline="\n") as file:
                    textform.write(store.events(actor.id), file.write)
                print(f"{name}: {actor.events} events")
    finally:
        terminal.close()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
