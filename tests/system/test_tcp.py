"""TCP of real actors in a real tree: callbacks, hand-over between worker processes, TLS, grants, ends, replays."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.kits import clang
from tests.examples.test_guest_builds import is_committed_compiler
from tests.homes import new_home
from tests.interfaces.authority import Authority
from tests.system.running import DEADLINE_S, RunningTree, running_tree, until
from theater.errors import InternalError

GUESTS = Path(__file__).parent / "sockets"
API = "test:sockets/porter"

TREE = """
version: 1
name: sockets
intensity: 100
period: 10s
children:
  - {id: gate, actor: porter.wasm, grants: {tcp: &all {connect: ["127.0.0.1:*"], listen: ["127.0.0.1:*"], tls: *tls}}}
  - {id: desk, actor: porter.wasm, grants: {tcp: {tls: *tls}}}
  - {id: full, actor: porter.wasm, grants: {tcp: {connect: ["127.0.0.1:*"], max_connections: 1}}}
  - {id: other, actor: none.wasm, grants: {runtime: {}}}
  - id: pool
    supervisor:
      strategy: simple_one_for_one
      intensity: 100
      period: 10s
      child: {id: porter, actor: porter.wasm, grants: {tcp: *all}}
x-tls: &tls {ca: authority.pem, certificate: local.pem, key: local.key}
"""


class Porter:
    """One of the actors, and the peers it has."""

    def __init__(self, tree: RunningTree, path: str) -> None:
        self.tree = tree
        self.path = path
        self.actor = tree.actor(path)

    @property
    def id(self) -> str:
        return str(self.actor.actor_id)

    def ask(self, function: str, *arguments: Any) -> Any:
        return self.actor.call(f"{API}.{function}", arguments)

    def refused(self, function: str, *arguments: Any) -> str:
        with pytest.raises(InternalError) as caught:
            self.ask(function, *arguments)
        return str(caught.value)

    def notes(self) -> list[str]:
        return list(self.ask("notes"))

    def wait_note(self, note: str) -> None:
        until(lambda: note in self.notes(), f"the note {note!r}; there are {self.notes()}")

    def be(self, manner: str, target: Porter | None = None) -> None:
        self.ask("be", manner, "" if target is None else target.id)

    def dial(self) -> socket.socket:
        """A client of a listener of its own."""
        listener = self.ask("listen", "127.0.0.1:0")
        host, _, port = self.ask("local-address", listener).rpartition(":")
        return socket.create_connection((host, int(port)), timeout=DEADLINE_S)

    def pair(self) -> tuple[str, socket.socket]:
        """A connection it has made, and its other end."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            id_ = self.ask("connect", f"127.0.0.1:{server.getsockname()[1]}")
            peer, _ = server.accept()
        peer.settimeout(DEADLINE_S)
        return id_, peer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def tree(authority: Authority) -> Iterator[RunningTree]:
    """One tree for all tests here."""
    with new_home() as home:
        shutil.copy(GUESTS / "porter.wasm", home)
        shutil.copy(GUESTS.parents[2] / "examples" / "hello" / "hello.wasm", home / "none.wasm")
        issued = authority.issue("local", "DNS:localhost")
        for source, name in ((authority.certificate, "authority.pem"), (issued.certificate, "local.pem")):
            shutil.copy(source, home / name)
        shutil.copy(issued.key, home / "local.key")
        head, _, tls = TREE.rpartition("x-tls: ")
        with running_tree(home, head.replace("version: 1", f"version: 1\nx-tls: {tls.strip()}")) as tree:
            yield tree


_names = iter(range(1, 1000))


@pytest.fixture
def porter(tree: RunningTree) -> Porter:
    """One that may do everything, of its own for every test."""
    name = f"p{next(_names)}"
    tree.client.start_child("/pool", name)
    return Porter(tree, f"/pool/{name}")


@pytest.fixture
def desk(tree: RunningTree) -> Porter:
    found = Porter(tree, "/desk")
    found.be("keep")
    return found


def test_the_guest_is_what_its_source_builds(tmp_path: Path) -> None:
    """Byte for byte, with the compiler that built it."""
    if not is_committed_compiler():
        pytest.skip(f"needs ziglang {clang.ZIGLANG}, which built the committed module")
    built = clang.build(GUESTS / "porter.c", tmp_path / "built.wasm")

    assert built.read_bytes() == (GUESTS / "porter.wasm").read_bytes()


# -- one actor ---------------------------------------------------------------------------------------------------------


def test_an_echo_server(porter: Porter) -> None:
    """handle-connection, activate, active mode, on-data, send, on-close."""
    porter.be("echo")
    peer = porter.dial()
    for text in (b"hello", b"world"):
        peer.sendall(text)
        assert peer.recv(100) == text
    peer.close()
    porter.wait_note("close eof")

    assert porter.notes() == ["connection", "data 5", "data 5", "close eof"]


def test_much_data_through_a_slow_guest(porter: Porter) -> None:
    """Every byte comes back, in order, and the guest was given no more than a chunk at a time."""
    porter.be("echo")
    peer = porter.dial()
    data = os.urandom(1 << 20)
    sender = threading.Thread(target=peer.sendall, args=(data,))
    sender.start()
    found = b""
    while len(found) < len(data):
        found += peer.recv(1 << 16)
    sender.join(DEADLINE_S)

    assert found == data
    assert max(int(note.split()[1]) for note in porter.notes() if note.startswith("data")) <= 1 << 16


def test_back_to_passive_calls_data_back(tree: RunningTree, porter: Porter) -> None:
    """Data that waits for the guest's turn is read by receive instead: on-data is not called, and nothing of it is
    recorded."""
    first, first_peer = porter.pair()
    second, second_peer = porter.pair()
    porter.ask("set-active", second, "active")
    found: list[bytes] = []
    going = threading.Thread(target=lambda: found.append(bytes(porter.ask("go-back", first, second))))
    going.start()
    until(lambda: tree.status(porter.path).state == "processing", "the guest to wait")
    second_peer.sendall(b"data")
    until(lambda: tree.status(porter.path).queued, "on-data to wait")
    first_peer.sendall(b"!")
    going.join(DEADLINE_S)

    assert found == [b"data"]
    assert porter.notes() == []
    assert "Replay complete" in tree.cli("replay", porter.path)


def test_a_server_without_callbacks(porter: Porter) -> None:
    """accept, receive and send, in one call after the other."""
    listener = porter.ask("listen", "127.0.0.1:0")
    host, _, port = porter.ask("local-address", listener).rpartition(":")
    peer = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
    porter.wait_note("connection")
    second = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
    until(lambda: len(porter.notes()) == 2, "the second announcement")
    third = porter.ask("last")
    porter.ask("activate", third)
    porter.ask("send", third, b"welcome")
    assert second.recv(100) == b"welcome"
    second.sendall(b"thanks")

    assert bytes(porter.ask("receive", third, 100)) == b"thanks"
    peer.close()


def test_a_callback_that_declines_closes_its_connection(porter: Porter) -> None:
    """The guest goes on; the peer is turned away."""
    porter.be("refuse")

    assert porter.dial().recv(1) == b""
    assert porter.notes() == []


def test_a_stop_ends_a_wait(tree: RunningTree, porter: Porter) -> None:
    """A guest that waits in receive for half a minute is stopped in order, at once."""
    id_, peer = porter.pair()
    porter.actor.send(f"{API}.receive", (id_, 10))
    until(lambda: tree.status(porter.path).state == "processing", "the guest to wait")
    tree.client.terminate_child("/pool", porter.path.rpartition("/")[2])

    assert peer.recv(1) == b""
    until(lambda: _end(tree, porter.path), "the end in the log")
    assert _end(tree, porter.path) == "stopped"


def _end(tree: RunningTree, path: str) -> str:
    """The cause in the log of an actor's end; empty if it has none yet."""
    lines = [msgspec.json.decode(line) for line in (tree.store_dir / "logs.jsonl").read_bytes().splitlines()]
    return next((line["cause"] for line in lines if line["event"] == "ended" and line["actor"] == path), "")


def test_a_crash_closes_everything(tree: RunningTree, porter: Porter) -> None:
    """The kernel does it; ids of the life before are refused in the next one."""
    id_, peer = porter.pair()
    with pytest.raises(InternalError):
        porter.ask("crash")

    assert peer.recv(1) == b""
    tree.wait_incarnation(porter.path, 2)
    assert "of an earlier life" in porter.refused("send", id_, b"x")


def test_grants_hold(tree: RunningTree, desk: Porter) -> None:
    """What is not granted is refused, and the refusal is in the chain."""
    assert "connecting to 127.0.0.1:80 is not granted" in desk.refused("connect", "127.0.0.1:80")
    assert "listening on 127.0.0.1:0 is not granted" in desk.refused("listen", "127.0.0.1:0")

    def is_recorded() -> bool:
        return "theater:simple/tcp/listen" in tree.cli("events", "/desk", "-o", "jsonl")

    until(is_recorded, "the refusals in the store")


# -- two actors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("manner", ["pass", "pass-and-wait"])
def test_an_acceptor_hands_connections_on(porter: Porter, desk: Porter, manner: str) -> None:
    """From one worker process to another: the client talks to the second actor, which may not even listen."""
    desk.be("echo")
    porter.be(manner, desk)
    peer = porter.dial()
    peer.sendall(b"hello")

    assert peer.recv(100) == b"hello"
    assert porter.notes() == ["connection"]
    assert porter.tree.pid(porter.path) != porter.tree.pid(desk.path)


def test_the_first_actor_has_nothing_more_to_do_with_it(tree: RunningTree, porter: Porter, desk: Porter) -> None:
    """Its id is refused, and its death is not noticed."""
    id_, peer = porter.pair()
    desk.be("echo")
    porter.ask("transfer", id_, desk.id)
    assert "closed, handed over, or of an earlier life" in porter.refused("send", id_, b"x")
    os.kill(tree.pid(porter.path), signal.SIGKILL)
    tree.wait_incarnation(porter.path, 2)
    peer.sendall(b"hello")

    assert peer.recv(100) == b"hello"


def test_the_second_actor_has_ids_of_its_own(porter: Porter, desk: Porter) -> None:
    """Neither can use the other's."""
    id_, peer = porter.pair()
    porter.ask("transfer", id_, desk.id)
    theirs = desk.ask("last")

    assert theirs != id_
    assert "has no connection" in desk.refused("send", id_, b"x")
    assert "has no connection" in porter.refused("send", theirs, b"x")
    desk.ask("send", theirs, b"hello")
    assert peer.recv(100) == b"hello"
    desk.ask("close", theirs)
    assert peer.recv(1) == b""


def test_a_taker_that_declines(porter: Porter, desk: Porter) -> None:
    """The connection is closed, and the giver learns why."""
    id_, peer = porter.pair()
    desk.be("refuse")

    assert "it is handed over, and closed: not today" in porter.refused("transfer", id_, desk.id)
    assert peer.recv(1) == b""


def test_a_taker_that_dies_of_it(tree: RunningTree, porter: Porter) -> None:
    """So it is when its guest traps."""
    tree.client.start_child("/pool", f"{porter.path.rpartition('/')[2]}-taker")
    taker = Porter(tree, f"{porter.path}-taker")
    taker.be("trap")
    id_, peer = porter.pair()

    assert "it is handed over, and closed" in porter.refused("transfer", id_, taker.id)
    assert peer.recv(1) == b""


def test_who_may_not_be_given_any(tree: RunningTree, porter: Porter) -> None:
    """Actors without the grant and actors that do not exist get the same words, paths and nonsense too."""
    id_, peer = porter.pair()
    other = str(tree.actor("/other").actor_id)
    for target in (other, "11111111-2222-4333-8444-555555555555", "/desk", "", "x" * 2000):
        assert "is no actor that may be given connections" in porter.refused("transfer", id_, target)
        assert "is no actor that may be given connections" in porter.refused("transfer-async", id_, target)
    porter.ask("send", id_, b"still here")

    assert peer.recv(100) == b"still here"


def test_a_taker_that_does_not_run(tree: RunningTree, porter: Porter) -> None:
    """It is told so, and the connection stays."""
    name = f"{porter.path.rpartition('/')[2]}-gone"
    tree.client.start_child("/pool", name)
    gone = Porter(tree, f"/pool/{name}").id
    tree.client.terminate_child("/pool", name)
    id_, peer = porter.pair()
    refused = porter.refused("transfer", id_, gone)

    assert "is not running at the moment" in refused or "is no actor" in refused
    porter.ask("send", id_, b"still here")
    assert peer.recv(100) == b"still here"


def test_a_taker_without_room(tree: RunningTree, porter: Porter) -> None:
    """The limit of its own grant."""
    full = Porter(tree, "/full")
    theirs, _theirs = full.pair()
    id_, peer = porter.pair()

    assert "no room for another connection" in porter.refused("transfer", id_, full.id)
    porter.ask("send", id_, b"still here")
    assert peer.recv(100) == b"still here"
    full.ask("close", theirs)


def test_sockets_of_workers_are_private(tree: RunningTree, porter: Porter, desk: Porter) -> None:
    """Only our user can get at them; they go with their worker."""
    id_, _peer = porter.pair()
    porter.ask("transfer", id_, desk.id)
    found = list((tree.run_dir / "w").glob("c*"))

    assert found
    assert all(each.stat().st_mode & 0o077 == 0 for each in [tree.run_dir, *found])
    before = tree.status("/desk").incarnation
    os.kill(tree.pid("/desk"), signal.SIGKILL)
    tree.wait_incarnation("/desk", before + 1)
    until(lambda: len(list((tree.run_dir / "w").glob("c*"))) < len(found), "the socket to be removed")


# -- TLS ---------------------------------------------------------------------------------------------------------------


def test_tls_server(porter: Porter, authority: Authority) -> None:
    """With the certificate of the grant, in active mode, from real processes."""
    porter.be("keep")
    peer = porter.dial()
    porter.wait_note("connection")
    id_ = porter.ask("last")
    porter.ask("activate", id_)
    context = ssl.create_default_context(cafile=authority.certificate)
    found: list[ssl.SSLSocket] = []
    client = threading.Thread(target=lambda: found.append(context.wrap_socket(peer, server_hostname="localhost")))
    client.start()
    porter.ask("upgrade-to-tls-server", id_)
    client.join(DEADLINE_S)
    porter.be("echo")
    porter.ask("set-active", id_, "active")
    found[0].sendall(b"hello")

    assert found[0].recv(100) == b"hello"


def test_tls_client_verifies(porter: Porter, tmp_path: Path) -> None:
    """A server of another authority is refused, and the connection is closed."""
    stranger = Authority(tmp_path, "stranger").issue("local", "DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*stranger)
    id_, peer = porter.pair()
    failed: list[Exception] = []

    def serve() -> None:
        try:
            context.wrap_socket(peer, server_side=True)
        except OSError as error:
            failed.append(error)

    server = threading.Thread(target=serve)
    server.start()
    refused = porter.refused("upgrade-to-tls-client", id_, "localhost")
    server.join(DEADLINE_S)

    assert "the certificate does not hold" in refused
    assert failed
    assert "has no connection" in porter.refused("send", id_, b"secret")


# -- history -----------------------------------------------------------------------------------------------------------


def test_a_replay_needs_no_network(tree: RunningTree, porter: Porter) -> None:
    """Everything the guest was told is in its chain: played back it does the same, and no socket is opened."""
    porter.be("echo")
    peer = porter.dial()
    peer.sendall(b"hello")
    assert peer.recv(100) == b"hello"
    peer.close()
    porter.wait_note("close eof")
    porter.refused("connect", "10.0.0.1:1")

    assert "Replay complete" in tree.cli("replay", porter.path)
