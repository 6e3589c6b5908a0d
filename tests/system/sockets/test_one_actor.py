"""TCP of a real actor: callbacks, modes, ends, grants, and a replay without a network."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from tests.system.running import DEADLINE_S, RunningTree, until
from tests.system.sockets.porters import API, Porter
from theater.errors import InternalError

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
    return next((line["cause"] for line in tree.log_lines("ended") if line["actor"] == path), "")


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
