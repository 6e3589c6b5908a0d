"""Record the histories: run every example as its README says, and write down what its actors recorded."""

from __future__ import annotations

from pathlib import Path

from supervisor.store import StoreReader
from tests.examples.terminal import EXAMPLES, steps, terminal_beside
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
    with terminal_beside(example) as terminal:
        home = terminal.home / "example"
        for command, _ in steps(home / "README.md"):
            terminal.run(command)
        tree = load_tree(home / "tree.yaml")
        with StoreReader(str(home / ".theater" / tree.name)) as store:
            for actor in store.actors():
                name = f"{example.name}{actor.path.replace('/', '-')}.chain"
                with (HERE / name).open("w", encoding="utf-8", newline="\n") as file:
                    textform.write(store.events(actor.id), file.write)
                print(f"{name}: {actor.events} events")


if __name__ == "__main__":
    main()
