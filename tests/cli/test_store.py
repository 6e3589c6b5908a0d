"""The verb ``store``, on the contents of a stopped tree."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli.main import main
from tests.cli.conftest import Cli
from theater.content import DIRECTORY
from theater.content.names import ref_of
from theater.content.quotas import of_grant
from theater.content.stores import Stores

DATA = bytes(range(256))
REF = ref_of(DATA)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    it = Stores(str(tmp_path / DIRECTORY))
    yield it
    it.close()


@pytest.fixture
def store(stores: Stores) -> str:
    """A store of /library's with two labels on one content, and one content without."""
    made = stores.new("its id", "/library", of_grant({}))
    for label in ("a", "b"):
        stores.put(made, DATA, of_grant({}), label)
    stores.put(made, b"loose", of_grant({}))
    return made


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_list(cli: Cli, tmp_path: Path, store: str) -> None:
    """Whose it is and how much is in it."""
    [row] = rows(cli("store", "--store", str(tmp_path)).out)

    assert {name: row[name] for name in ("store", "owner", "contents", "bytes", "labels")} == {
        "store": store, "owner": "/library", "contents": 2, "bytes": 261, "labels": 2,
    }  # fmt: skip


def test_nothing_was_ever_kept(cli: Cli, tmp_path: Path) -> None:
    """No row, no error, and no directory made by looking."""
    assert cli("store", "--store", str(tmp_path)) == (0, "", "")
    assert not (tmp_path / DIRECTORY).exists()


def test_show(cli: Cli, tmp_path: Path, store: str) -> None:
    """The beginning of an id is enough."""
    said = cli("store", "show", store[:8], "--store", str(tmp_path))

    assert {row["content"]: (row["bytes"], row["labels"]) for row in rows(said.out)} == {
        REF: (256, ["a", "b"]),
        ref_of(b"loose"): (5, []),
    }


@pytest.mark.parametrize("name", [REF, "a"])
def test_get(cli: Cli, tmp_path: Path, store: str, name: str) -> None:
    """By content-ref or label, byte for byte."""
    to = tmp_path / "out"

    assert cli("store", "get", store, name, "--to", str(to), "--store", str(tmp_path)).code == 0
    assert to.read_bytes() == DATA


def test_get_to_standard_output(
    tmp_path: Path, store: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Nothing is added to it."""
    assert main(["store", "get", store, "a", "--store", str(tmp_path)]) == 0
    assert capsysbinary.readouterr().out == DATA


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show",), 1, "which store?"),
        (("get",), 1, "which store?"),
        (("show", "ffffffff"), 4, "no such store: ffffffff"),
        (("get", "STORE"), 1, "which content?"),
        (("get", "STORE", "nothing"), 4, "no content or label nothing"),
        (("get", "STORE", "../../x"), 4, "no content or label ../../x"),
        (("gc", "--age", "soon"), 2, "expected a time"),
        (("burn",), 2, "invalid choice"),
    ],
)
def test_misuse(cli: Cli, tmp_path: Path, store: str, arguments: tuple[str, ...], code: int, words: str) -> None:
    """What was expected, and an exit code that says which kind."""
    given = [store if each == "STORE" else each for each in arguments]
    said = cli("store", *given, "--store", str(tmp_path))

    assert said.code == code
    assert words in said.err


def test_an_ambiguous_id(cli: Cli, tmp_path: Path, stores: Stores, store: str) -> None:
    """Is refused rather than guessed."""
    stores.new("its id", "/library", of_grant({}))

    assert "beginning of 2" in cli("store", "drop", "", "--store", str(tmp_path)).err


def test_verify(cli: Cli, tmp_path: Path, store: str) -> None:
    """Every content is read; what is damaged is named, and the exit code says so."""
    assert cli("store", "verify", "--store", str(tmp_path)) == (0, "", "")
    (tmp_path / DIRECTORY / "objects" / REF[:2] / REF).write_bytes(b"?")
    said = cli("store", "verify", "--store", str(tmp_path))
    [row] = rows(said.out)

    assert said.code == 7
    assert (row["store"], row["owner"], row["content"]) == (store, "/library", REF)
    assert "is damaged: its file has 1 bytes" in row["problem"]
    assert cli("store", "get", store, "a", "--store", str(tmp_path)).code == 7


def test_gc(cli: Cli, tmp_path: Path, stores: Stores, store: str) -> None:
    """What has no label and is older goes; without an age, what the grants say."""
    stores.db.execute("UPDATE contents SET touched_ns = ?", (time.time_ns() - 10 * 86_400 * 10**9,))
    assert "removed 0 contents" in cli("store", "gc", "--store", str(tmp_path)).err
    said = cli("store", "gc", "--age", "1d", "--store", str(tmp_path))

    assert said == (0, "", "removed 1 contents and 0 empty stores, 5B given back\n")
    assert stores.refs(store) == [REF]


def test_drop(cli: Cli, tmp_path: Path, stores: Stores, store: str) -> None:
    """The store and everything in it."""
    assert cli("store", "drop", store, "--store", str(tmp_path)).code == 0
    assert stores.all() == []
