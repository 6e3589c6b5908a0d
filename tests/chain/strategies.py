"""Any sound chain."""

from __future__ import annotations

from hypothesis import strategies as st

from theater.chain import ChainEvent, event_hash

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
datas = st.binary(max_size=60) | st.sampled_from([b"CGRF", b"---\n", b'"{}[]\\'])
times = st.integers(0, 2**63 - 1)


@st.composite
def chains(draw: st.DrawFn) -> list[ChainEvent]:
    """A sound chain: any types, data, times and lives; it may begin in the middle."""
    base = draw(st.none() | st.binary(min_size=32, max_size=32))
    seq = 0 if base is None else draw(st.integers(1, 2**40))
    events = []
    for number, (event_type, data, time_ns, life) in enumerate(
        draw(st.lists(st.tuples(texts, datas, times, st.integers(0, 2**31)), max_size=8))
    ):
        digest = event_hash(base, event_type, data)
        events.append(ChainEvent(seq + number, time_ns, life, event_type, data, base, digest))
        base = digest
    return events
