"""The committed state beside the ring: whatever befalls the writer, a reader gets a state the chain knows, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from theater.committed import StateWriter, committed_at, operation_digest, state_path, underway_at


@pytest.fixture
def path(tmp_path: Path) -> str:
    return state_path(str(tmp_path / "a.ring"))


def test_the_newest_state_whose_event_is_there(path: str) -> None:
    """A state that was written for an event nobody has seen does not count."""
    writer = StateWriter(path)
    for seq, state in ((2, b"two"), (4, b"four"), (6, b"six")):
        writer.put(seq, state)

    assert committed_at(path, 100) == (6, b"six")
    assert committed_at(path, 6) == (6, b"six")
    assert committed_at(path, 5) == (4, b"four")
    assert committed_at(path, 3) is None


def test_a_state_that_did_not_change_keeps_its_event(path: str) -> None:
    """It is not written again."""
    writer = StateWriter(path)
    writer.put(2, b"same")
    writer.put(4, b"same")

    assert committed_at(path, 3) == (2, b"same")


def test_a_state_that_does_not_fit_moves_to_a_larger_file(path: str) -> None:
    """With the one before it, and the operation under way."""
    writer = StateWriter(path)
    writer.enter(7, "a:b/c.d", b"params")
    writer.put(2, b"small")
    writer.put(8, b"x" * 100_000)

    assert committed_at(path, 8) == (8, b"x" * 100_000)
    assert committed_at(path, 7) == (2, b"small")
    assert underway_at(path) is not None


def test_no_room_on_the_disk_changes_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller hears of it, and what was kept is still there."""
    writer = StateWriter(path)
    writer.put(2, b"small")

    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        writer.put(4, b"x" * 100_000)

    assert committed_at(path, 100) == (2, b"small")
    assert not Path(path + ".new").exists()


def test_a_cut_or_changed_file_never_gives_a_wrong_state(path: str) -> None:
    """At every byte that matters: one of the states that were written, or none."""
    writer = StateWriter(path)
    writer.put(2, b"first state")
    writer.put(4, b"second state")
    writer.close()
    whole = Path(path).read_bytes()
    right = {(2, b"first state"), (4, b"second state"), None}
    places = [*range(96), *range(4096, 4112), *range(8192, 8208)]
    for place in places:
        Path(path).write_bytes(whole[:place])
        assert committed_at(path, 100) in right
        Path(path).write_bytes(whole[:place] + bytes((whole[place] ^ 0x55,)) + whole[place + 1 :])
        assert committed_at(path, 100) in right


def test_the_operation_under_way(path: str) -> None:
    """From its beginning to its return, with its function and what makes it the same as another one."""
    writer = StateWriter(path)
    assert underway_at(path) is None
    writer.enter(9, "a:b/c.d", b"params")
    found = underway_at(path)
    writer.leave()

    assert found is not None
    assert (found.seq, found.function, found.digest) == (9, "a:b/c.d", operation_digest("a:b/c.d", b"params"))
    assert underway_at(path) is None


def test_operations_differ_by_function_and_parameters() -> None:
    """Neither may run into the other."""
    digests = {operation_digest(*each) for each in (("a", b"bc"), ("ab", b"c"), ("abc", b""), ("a", b"bd"))}

    assert len(digests) == 4


def test_no_file_no_state(tmp_path: Path) -> None:
    """Also where there is something else."""
    (tmp_path / "other").write_bytes(b"something else, long enough to hold a header" * 1000)

    assert committed_at(str(tmp_path / "none"), 5) is None
    assert committed_at(str(tmp_path / "other"), 5) is None
    assert underway_at(str(tmp_path / "other")) is None
