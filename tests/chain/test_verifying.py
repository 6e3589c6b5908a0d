"""Verification names the first bad event and what is wrong with it (lifecycle 8.3, 15.13)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.chain.chains import chain, vector_events
from theater.cgrf import encode
from theater.chain import ChainEvent, event_hash, payload, verify
from theater.chain.legacy import theater_hash
from theater.values import U32

OTHER = b"\x07" * 32


def test_an_empty_chain_is_good() -> None:
    """Lifecycle 8.1."""
    report = verify([])

    assert (report.ok, report.events, report.head) == (True, 0, None)


def test_a_sound_chain_is_good() -> None:
    """Its head is the hash of the last event."""
    events = chain(10)
    report = verify(events, base_seq=-1)

    assert (report.ok, report.events, report.first_bad, report.head) == (True, 10, None, events[-1].hash)


def test_a_trimmed_chain_is_good_with_its_base() -> None:
    """Retention keeps the hash before the first retained event (8.5)."""
    events = chain(10)

    assert verify(events[4:], events[3].hash, base_seq=3).ok


def test_a_trimmed_chain_is_bad_without_its_base() -> None:
    """The first event must link to the base."""
    events = chain(10)
    report = verify(events[4:])

    assert report.first_bad is not None
    assert (report.first_bad.seq, report.first_bad.what, report.events) == (4, "missing", 0)


def changed(at: int, **fields: object) -> list[ChainEvent]:
    events = chain(10)
    events[at] = replace(events[at], **fields)
    return events


def renumbered(events: list[ChainEvent]) -> list[ChainEvent]:
    return [replace(event, seq=seq) for seq, event in enumerate(events)]


def without(events: list[ChainEvent], at: int) -> list[ChainEvent]:
    return events[:at] + events[at + 1 :]


def swapped(events: list[ChainEvent], at: int) -> list[ChainEvent]:
    return [*events[:at], events[at + 1], events[at], *events[at + 2 :]]


@pytest.mark.parametrize("at", [0, 4, 9])
@pytest.mark.parametrize(
    ("what", "fields"),
    [("data", {"data": b"else"}), ("data", {"hash": OTHER}), ("parent", {"parent_hash": OTHER})],
)
def test_a_change_is_found_where_it_is(at: int, what: str, fields: dict[str, object]) -> None:
    """Changed data, hash or link: the first bad event is that one."""
    report = verify(changed(at, **fields), base_seq=-1)

    assert report.first_bad is not None
    assert (at, what, at) == (report.first_bad.seq, report.first_bad.what, report.events)


def test_a_changed_type_is_told_from_changed_data() -> None:
    """Where the data say to which type they belong, the type is blamed."""
    data = payload.host_call("a:b/c", "f", encode(U32(1)), encode(U32(2)))
    event = ChainEvent(0, 0, 0, "wasm", data, None, event_hash(None, "a:b/c/f", data))
    bad = verify([event]).first_bad

    assert bad is not None
    assert (bad.what, bad.expected, bad.actual) == ("type", "a:b/c/f", "wasm")


@pytest.mark.parametrize("at", [0, 4, 8])
def test_a_missing_event_is_found_by_its_number(at: int) -> None:
    """A gap in the numbers."""
    bad = verify(without(chain(10), at), base_seq=-1).first_bad

    assert bad is not None
    assert (bad.seq, bad.what, bad.expected) == (at + 1, "missing", f"event {at}")


@pytest.mark.parametrize("at", [1, 4, 8])
def test_a_missing_event_is_found_though_the_rest_was_renumbered(at: int) -> None:
    """The link tells."""
    bad = verify(renumbered(without(chain(10), at)), base_seq=-1).first_bad

    assert bad is not None
    assert (bad.seq, bad.what) == (at, "missing")


def test_swapped_events_are_found_by_their_numbers() -> None:
    """The first one comes too early: as if events before it were missing."""
    bad = verify(swapped(chain(10), 3), base_seq=-1).first_bad

    assert bad is not None
    assert (bad.seq, bad.what) == (4, "missing")


def test_a_repeated_event_is_out_of_order() -> None:
    """A number that was there before."""
    events = chain(5)
    bad = verify([*events, events[2]], base_seq=-1).first_bad

    assert bad is not None
    assert (bad.seq, bad.what) == (2, "order")


def test_swapped_events_are_found_though_renumbered() -> None:
    """The event that belongs there comes later: order, not loss."""
    bad = verify(renumbered(swapped(chain(10), 3)), base_seq=-1).first_bad

    assert bad is not None
    assert (bad.seq, bad.what) == (3, "order")


def test_what_is_wrong_can_be_read() -> None:
    """One line: where, what, expected, actual."""
    text = str(verify(changed(4, data=b"else")).first_bad)

    assert text.startswith("event 4: its data do not have the recorded hash: expected ")


# -- chains of the Rust Theater ----------------------------------------------------------------------------------------


def test_theaters_rule_has_the_vectors_of_the_specification() -> None:
    """Lifecycle 8.3: three events computed from the rule."""
    first = theater_hash(None, "wasm", b"\1\2\3")
    second = theater_hash(first, "theater:simple/runtime/log", b"")
    third = theater_hash(second, "shutdown", b"\xff")

    assert [first.hex(), second.hex(), third.hex()] == [
        "c51a538adfbb5569f67898f2c8e57da4be236459",
        "0228ce0058058af82293b539923df6bacf31270f",
        "ac86d9f809cde4860433e871dd9d2d89e0d2d7b9",
    ]


@pytest.mark.parametrize("number", range(4))
def test_recorded_chains_verify(number: int) -> None:
    """Pack-abi 12.4, and the chain of January 2026 that the Rust Theater itself recorded."""
    events = vector_events(number)
    report = verify(events, rule=theater_hash)

    assert (report.ok, report.events) == (True, len(events))


@pytest.mark.parametrize("number", range(4))
def test_every_change_of_a_recorded_chain_is_found(number: int) -> None:
    """Theater itself never looked at the link it stored."""
    events = vector_events(number)
    for at, event in enumerate(events):
        for fields in ({"data": event.data + b"\0"}, {"event_type": "else"}, {"parent_hash": b"\1" * 20}):
            changed = [*events[:at], replace(event, **fields), *events[at + 1 :]]
            bad = verify(changed, rule=theater_hash).first_bad

            assert bad is not None
            assert bad.seq == at
