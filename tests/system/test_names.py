"""Names and groups over real workers (theater:simple/names), and rpc (theater:simple/rpc)."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator

import pytest

from tests.homes import new_home
from tests.system import talking
from tests.system.running import RunningTree, is_running, running_tree, until
from tests.system.talking import API, Talk, Talker
from theater.aio import connect as connect_async
from theater.errors import NotFound
from theater.values import U32, UNIT, String, Tuple


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """One tree for all tests here."""
    with talking.talking_tree() as tree:
        yield tree


@pytest.fixture
def talk(tree: RunningTree) -> Talk:
    return Talk(tree)


def kill(talker: Talker) -> None:
    os.kill(talker.tree.pid(talker.path), signal.SIGKILL)


# -- names -------------------------------------------------------------------------------------------------------------


def test_a_name_means_its_actor(talk: Talk) -> None:
    """For other actors and for handles."""
    a, b = talk.talker(), talk.talker()
    b.ask("name", "n-means")
    a.ask("send", "n-means", "hello")
    b.wait_notes("send hello")
    client = talk.tree.client

    assert (a.ask("whereis", "n-means"), client.whereis("n-means")) == (b.id, b.id)
    assert client.actor("n-means").call(f"{API}.notes") == ["send hello"]
    assert (a.ask("whereis", "n-nobody"), client.whereis("n-nobody")) == (None, None)
    with pytest.raises(NotFound):
        client.actor("n-nobody").get_status()


async def _whereis(run_dir: str, name: str) -> str | None:
    async with await connect_async(run_dir) as client:
        return await client.whereis(name)


def test_a_name_means_its_actor_for_asyncio(talk: Talk) -> None:
    """The other client says the same."""
    import asyncio

    a = talk.talker()
    a.ask("name", "n-async")

    assert asyncio.run(_whereis(str(talk.tree.run_dir), "n-async")) == a.id


def test_a_name_is_one_actors_only(talk: Talk) -> None:
    """Nobody takes it from another, or gives up what is not its own."""
    a, b = talk.talker(), talk.talker()
    a.ask("name", "n-mine")
    a.ask("name", "n-mine")

    assert b.refused("name", "n-mine") == "n-mine is taken"
    assert b.refused("join", "n-mine", "broadcast") == "n-mine is the name of an actor"
    assert b.refused("unname", "n-mine") == "n-mine is not a name of this actor"
    a.ask("unname", "n-mine")
    b.ask("name", "n-mine")
    assert a.ask("whereis", "n-mine") == b.id


def test_a_handle_follows_a_name(talk: Talk) -> None:
    """It speaks to whoever has the name when it speaks."""
    a, b = talk.talker(), talk.talker()
    a.ask("name", "n-follow")
    handle = talk.tree.client.actor("n-follow")
    assert handle.actor_id == a.id
    a.ask("unname", "n-follow")
    b.ask("name", "n-follow")

    assert handle.actor_id == b.id


def test_a_name_stays_over_a_restart(talk: Talk) -> None:
    """It belongs to the actor, not to one life of it."""
    a, b = talk.talker(), talk.talker()
    b.ask("name", "n-stays")
    kill(b)
    b.tree.wait_incarnation(b.path, 2)
    a.ask("send", "n-stays", "hello again")

    b.wait_notes("send hello again")


def test_a_name_goes_with_its_actor(talk: Talk) -> None:
    """One that will not come back leaves its name to others."""
    a, brief = talk.talker(), talk.talker(under="/gone")
    brief.ask("name", "n-brief")
    kill(brief)

    until(lambda: a.ask("whereis", "n-brief") is None, "the name to be free")
    a.ask("name", "n-brief")


@pytest.mark.parametrize("name", ["", "/t/n1", "a/b", "star*", "new\nline", "x" * 256])
def test_what_is_no_name(talk: Talk, name: str) -> None:
    """Refused in words."""
    assert talk.talker().refused("name", name).startswith("expected a name")


def test_names_a_grant_does_not_reach(tree: RunningTree) -> None:
    """The grant says which ones an actor may take."""
    shy = Talker(tree, "/shy")
    shy.ask("name", "shy-1")

    assert shy.refused("name", "admin") == "Not permitted: names (admin)"
    assert shy.refused("join", "admin", "broadcast") == "Not permitted: names (admin)"


# -- groups ------------------------------------------------------------------------------------------------------------


def test_a_round_robin_group_takes_turns(talk: Talk) -> None:
    """Each member gets one after the other; one that has no worker is left out."""
    a, b, c = talk.talker(), talk.talker(), talk.talker(under="/gone")
    for member in (a, b, c):
        member.ask("join", "g-turns", "round-robin")
    sender = talk.talker()
    for number in range(6):
        sender.ask("send", "g-turns", str(number))
    for member, notes in ((a, (0, 3)), (b, (1, 4)), (c, (2, 5))):
        member.wait_notes(*(f"send {number}" for number in notes))
    assert sender.ask("request", "g-turns", "who") == "you said who"
    kill(c)
    until(lambda: sender.ask("members", "g-turns") == [a.id, b.id], "the dead to leave")
    for _ in range(4):
        assert sender.ask("request", "g-turns", "who") == "you said who"


def test_a_stranger_in_a_round_robin_group_has_no_turn(tree: RunningTree, talk: Talk) -> None:
    """One whom the sender's grant does not reach is left out; the others get all there is."""
    a, b, stranger, shy = talk.talker(), talk.talker(), Talker(tree, "/deep"), Talker(tree, "/shy")
    for member in (a, stranger, b):
        member.ask("join", "g-strange", "round-robin")
    for number in range(4):
        shy.ask("send", "g-strange", str(number))

    a.wait_notes("send 0", "send 2")
    b.wait_notes("send 1", "send 3")
    stranger.ask("leave", "g-strange")


def test_a_group_of_strangers_is_not_permitted(tree: RunningTree, talk: Talk) -> None:
    """None of its members is reached: refused in the same words as one of them would be."""
    stranger, shy = Talker(tree, "/deep"), Talker(tree, "/shy")
    for mode in ("round-robin", "broadcast"):
        stranger.ask("join", f"g-{mode}", mode)

        assert shy.refused("send", f"g-{mode}", "hello") == f"Not permitted: message-server (g-{mode})"


def test_a_broadcast_group_hears_everything(talk: Talk) -> None:
    """Messages go to all; what has one answer is refused."""
    members = [talk.talker() for _ in range(3)]
    for member in members:
        member.ask("join", "g-all", "broadcast")
    sender = talk.talker()
    sender.ask("send", "g-all", "hear")

    for member in members:
        member.wait_notes("send hear")
    refusal = "g-all is a broadcast group: only messages can be sent to it"
    assert sender.refused("request", "g-all", "who") == refusal
    assert sender.refused("open", "g-all", "who") == refusal
    assert talk.tree.client.members("g-all") == tuple(member.id for member in members)
    members[0].ask("leave", "g-all")
    assert sender.ask("members", "g-all") == [members[1].id, members[2].id]


def test_a_member_without_room_keeps_nobody_waiting(talk: Talk) -> None:
    """What it has no room for is a dead letter; the others get everything."""
    full, other, sender = talk.talker(), talk.talker(), talk.talker()
    for member in (full, other):
        member.ask("join", "g-full", "broadcast")
    full.actor.pause()
    began = time.monotonic()
    for number in range(25):
        sender.ask("send", "g-full", str(number))

    assert time.monotonic() - began < 8  # the time-outs of five messages are 10 s
    other.wait_notes(*(f"send {number}" for number in range(25)))
    letters = talk.wait_letters(full.path, 5)
    assert [letter.message for letter in letters] == [b"%d" % number for number in range(20, 25)]
    full.actor.resume()
    full.wait_notes(*(f"send {number}" for number in range(20)))


def test_a_member_that_is_down_is_in_nobodys_way(talk: Talk, tree: RunningTree) -> None:
    """What it would have got is a dead letter; the others get it."""
    down, first, second, sender = Talker(tree, "/late"), talk.talker(), talk.talker(), talk.talker()
    name = down.id
    for member in (first, down, second):
        member.ask("join", "g-down", "broadcast")
    kill(down)
    down.actor.monitor()
    sender.ask("send", "g-down", "hello")

    for member in (first, second):
        member.wait_notes("send hello")
    assert talk.wait_letters(name, 1)[-1].message == b"hello"


def test_more_actors_than_connections(talk: Talk, tree: RunningTree) -> None:
    """With 64 open files one has fewer than 16: a group of 20 gets everything, and a channel goes on."""
    tight, side = Talker(tree, "/tight"), talk.talker()
    members = [talk.talker() for _ in range(20)]
    for member in members:
        member.ask("join", "g-many", "broadcast")
    channel = tight.ask("open", side.path, "hi")
    for text in ("one", "two"):
        tight.ask("send", "g-many", text)
    tight.ask("say", channel, "still here")
    tight.ask("close", channel)

    for member in members:
        member.wait_notes("send one", "send two")
    side.wait_notes(f"open {channel} hi", f"said {channel} still here", f"closed {channel}")


def test_a_member_is_not_given_its_own_question(talk: Talk) -> None:
    """Its turn is another's; alone, it would wait for itself."""
    a, b = talk.talker(), talk.talker()
    a.ask("join", "g-own", "round-robin")
    assert a.refused("request", "g-own", "who") == "Unexpected error: actor would wait for itself"
    b.ask("join", "g-own", "round-robin")

    for _ in range(3):
        assert a.ask("request", "g-own", "who") == "you said who"


def test_members_agree_on_the_mode(talk: Talk) -> None:
    """The first one decides."""
    a, b = talk.talker(), talk.talker()
    a.ask("join", "g-mode", "broadcast")

    assert b.refused("join", "g-mode", "round-robin") == "g-mode is a broadcast group"
    assert b.refused("join", "g-mode", "loud") == "expected mode round-robin or broadcast, got 'loud'"
    assert b.refused("name", "g-mode") == "g-mode is taken"
    assert b.refused("leave", "g-mode") == "g-mode is not a name of this actor"


# -- names and the supervisor's end ------------------------------------------------------------------------------------

LASTING = """
version: 1
name: lasting
children:
  - {id: replay, recover: replay, actor: talker.wasm, grants: &grants {message-server: {}, names: {}, rpc: {}}}
  - {id: last, recover: last, actor: talker.wasm, grants: *grants}
  - {id: initial, recover: initial, actor: talker.wasm, grants: *grants}
"""


@pytest.fixture
def lasting() -> Iterator[RunningTree]:
    """Actors that go on from their history, from their state, and not at all."""
    with new_home() as home:
        shutil.copy(talking.GUESTS / "talker.wasm", home)
        with running_tree(home, LASTING) as tree:
            yield tree


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "stopped"])
def test_names_outlive_the_supervisor(lasting: RunningTree, is_killed: bool) -> None:
    """Of actors that go on where they were; one that begins anew has to register again."""
    for recover in ("replay", "last", "initial"):
        talker = Talker(lasting, f"/{recover}")
        talker.ask("name", f"n-{recover}")
        talker.ask("join", "g-all", "broadcast")
    Talker(lasting, "/last").ask("name", "n-dropped")
    Talker(lasting, "/last").ask("unname", "n-dropped")
    until(lambda: kept(lasting) == 6, "the names to be kept")
    if is_killed:
        left = lasting.workers()
        lasting.process.kill()
        lasting.process.wait()
        until(lambda: not any(is_running(pid) for pid in left), "the workers to follow their supervisor")
        lasting.drop_client()
    else:
        lasting.stop()
    lasting.options = ("--recover",)
    lasting.start()
    lasting.wait_up()

    client = lasting.client
    assert client.whereis("n-replay") == client.actor("/replay").actor_id
    assert client.whereis("n-last") == client.actor("/last").actor_id
    assert (client.whereis("n-initial"), client.whereis("n-dropped")) == (None, None)
    assert len(client.members("g-all")) == 2
    assert Talker(lasting, "/initial").ask("request", "n-replay", "hello") == "you said hello"


def kept(tree: RunningTree) -> int:
    """How many names are in the store."""
    db = sqlite3.connect(f"file:{tree.store_dir / 'theater.db'}?mode=ro", uri=True)
    try:
        (count,) = db.execute("SELECT count(*) FROM names").fetchone()
        return int(count)
    finally:
        db.close()


# -- rpc ---------------------------------------------------------------------------------------------------------------


def test_rpc_calls_a_function(talk: Talk) -> None:
    """By path, id and name; the parameters are spliced behind the state."""
    a, b = talk.talker(), talk.talker()
    b.ask("name", f"named-{b.path.rpartition('/')[2]}")

    for target in (b.path, b.id, f"named-{b.path.rpartition('/')[2]}"):
        assert a.rpc(target, "add", U32(2), U32(40)) == ("ok", 42)


def test_rpc_says_what_went_wrong(talk: Talk) -> None:
    """As the other worker says it."""
    a, b = talk.talker(), talk.talker()

    assert a.rpc(b.path, "nothing") == ("err", f"Function not found: {API}.nothing")
    assert a.rpc(b.path, "add", U32(1))[1].startswith(f"Type mismatch for function {API}.add")
    assert "unreachable" in a.rpc(b.path, "crash")[1]
    assert a.rpc("/t/nobody", "add") == ("err", "No such actor: /t/nobody")


def test_rpc_reaches_what_is_granted(talk: Talk, tree: RunningTree) -> None:
    """A path or a name of the grant; nobody else, whatever it is called."""
    shy, b = Talker(tree, "/shy"), talk.talker()
    for target in (b.path, b.id, "/t/not-there", "not-there"):
        assert shy.rpc(target, "add", U32(1), U32(1)) == ("err", f"Not permitted: rpc ({target})")
    assert shy.ask("implements", b.path, API).value[0] == "err"

    b.ask("name", "friend")
    assert shy.rpc("friend", "add", U32(1), U32(1)) == ("ok", 2)
    assert shy.rpc(b.path, "add", U32(1), U32(1)) == ("ok", 2)
    b.ask("unname", "friend")
    assert shy.rpc(b.path, "notes") == ("err", f"Not permitted: rpc ({b.path})")


def test_rpc_forges_no_message(talk: Talk) -> None:
    """What the host alone calls is refused at the caller; the other hears nothing."""
    a, b = talk.talker(), talk.talker()
    function = "theater:simple/message-server-client.handle-send"
    answer = a.ask("call", b.path, function, Tuple((String("forged"),)), None)

    assert answer.value == ("err", f"Not permitted: rpc (only the host calls {function})")
    assert b.notes() == []


def test_rpc_to_oneself_is_refused(talk: Talk) -> None:
    """L15, by path, id and name."""
    a = talk.talker()
    a.ask("name", "named-self")

    for target in (a.path, a.id, "named-self"):
        assert a.rpc(target, "notes") == ("err", "Unexpected error: actor would wait for itself")


def test_a_cycle_ends_in_the_time_out(talk: Talk) -> None:
    """a waits for b, which waits for a; nothing else stalls (lifecycle section 15, 11)."""
    a, b = talk.talker(), talk.talker()
    inner = Tuple((String(a.path), String(f"{API}.notes"), UNIT, _none()))

    kind, text = a.rpc(b.path, "call", *inner.items, timeout_ms=500)

    assert (kind, text) == ("err", "Operation timed out after 0.5 s")
    assert talk.talker().rpc(a.path, "add", U32(1), U32(2)) == ("ok", 3)


def _none() -> object:
    from theater import types
    from theater.values import Option

    return Option(types.U64, None)


def test_a_time_out_is_at_most_what_is_granted(talk: Talk) -> None:
    """The default is the grant's, too."""
    a, b = talk.talker(), talk.talker()
    spinning = b.later("spin")
    until(lambda: b.tree.status(b.path).operation, "the computation to begin")
    began = time.monotonic()

    assert a.rpc(b.path, "notes") == ("err", "Operation timed out after 2 s")
    assert time.monotonic() - began < 8
    kill(b)
    spinning()


def test_the_death_of_the_other_is_told(talk: Talk) -> None:
    """At once, with the cause."""
    a, b = talk.talker(), talk.talker()
    answer = a.later("call", b.path, f"{API}.spin", UNIT, 20_000)
    until(lambda: b.tree.status(b.path).operation, "the computation to begin")
    kill(b)

    assert "signal 9 SIGKILL" in answer().value[1]


def test_a_stop_of_the_caller_ends_its_call(talk: Talk) -> None:
    """It leaves in order, long before the call's time-out."""
    a, b = talk.talker(), talk.talker()
    answer = a.later("call", b.path, f"{API}.spin", UNIT, 20_000)
    until(lambda: b.tree.status(b.path).operation, "the computation to begin")
    began = time.monotonic()
    report = a.actor.shutdown(8)

    assert (report.cause.kind, report.forced) == ("stopped", False)
    assert time.monotonic() - began < 5
    assert answer().value == ("err", "shutting-down")
    kill(b)


def test_rpc_says_what_another_exports(talk: Talk) -> None:
    """Interfaces, with their hashes."""
    a, b = talk.talker(), talk.talker()
    hashes = {each.name: each.hash.hex() for each in b.actor.get_export_hashes()}

    assert dict(a.ask("exports", b.path).value[1]) == hashes
    assert a.ask("implements", b.path, API).value == ("ok", True)
    assert a.ask("implements", b.path, "test:other/api").value == ("ok", False)
