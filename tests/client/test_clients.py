"""One client: its threads, forks, orders to the tree, and its end."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from proto import control, operation
from tests.client.faketree import FakeTree
from tests.client.test_handle import PATIENCE_S
from tests.system.running import until
from theater.client import Client, ClientClosed, connect
from theater.handle import ActorHandle


def test_equality(client: Client, counter: ActorHandle) -> None:
    """Handles of one actor are equal; a pinned one is another thing."""
    assert {counter} == {client.actor("/counter")}
    assert counter != client.actor("/other")
    assert counter != counter.pinned()


def test_threads(tree: FakeTree, counter: ActorHandle) -> None:
    """One handle serves many threads at once, and nobody gets another's answer."""
    barrier = threading.Barrier(8)

    def work(number: int) -> list[tuple[int, ...]]:
        barrier.wait(PATIENCE_S)
        return [counter.call("a:b/c.echo", (number, turn)) for turn in range(20)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))

    assert [[(number, turn) for turn in range(20)] for number in range(8)] == answers


def test_ended_threads_leave_no_sockets(counter: ActorHandle) -> None:
    """The connections of a thread go with the thread."""
    counter.call("a:b/c.echo", ())

    def descriptors_after_a_thread() -> int:
        thread = threading.Thread(target=counter.call, args=("a:b/c.echo", ()))
        thread.start()
        thread.join(PATIENCE_S)
        return len(os.listdir("/proc/self/fd"))

    first = descriptors_after_a_thread()
    for _ in range(10):
        descriptors_after_a_thread()
    # libzmq's own thread closes them a little later.
    until(lambda: len(os.listdir("/proc/self/fd")) <= first + 4, "the sockets of ended threads to go")


def test_fork(tree: FakeTree, counter: ActorHandle) -> None:
    """After a fork the child opens connections of its own, and the parent's still work."""
    counter.call("a:b/c.echo", (1,))
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if counter.call("a:b/c.echo", (2,), timeout=PATIENCE_S) == (2,) else 1)
        finally:
            os._exit(2)

    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert counter.call("a:b/c.echo", (3,)) == (3,)


def test_keyboard_interrupt_cancels(tree: FakeTree, counter: ActorHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while waiting takes the call back and is raised."""
    import signal

    def interrupt() -> None:
        tree.await_seen(operation.Call)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        counter.call("a:b/c.hold", (), timeout=PATIENCE_S)
    helper.join(PATIENCE_S)
    signal.signal(signal.SIGINT, before)

    tree.await_seen(operation.Cancel)


def test_closed_client(client: Client, counter: ActorHandle) -> None:
    """A closed client says that it is closed."""
    counter.call("a:b/c.echo", ())
    client.close()

    with pytest.raises(ClientClosed):
        counter.call("a:b/c.echo", ())


def test_tree_orders(client: Client, tree: FakeTree) -> None:
    """The tree is asked and ordered through the client."""
    assert client.tree()["name"] == "fake"
    assert client.start_child("/sessions", "ann", {"count": 1}) == "done"
    assert client.restart_child("/", "counter") == "done"
    client.stop()

    (start,) = tree.await_seen(control.StartChild)
    assert (start.name, start.state, start.has_state) == ("ann", {"count": 1}, True)


def test_connect_waits(tree: FakeTree) -> None:
    """connect with a time-out waits for a supervisor that is still starting."""
    about = tree.run_dir / "supervisor.json"
    text = about.read_text()
    about.unlink()
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(connect, tree.run_dir, PATIENCE_S)
        (tree.run_dir / "new").write_text(text)
        (tree.run_dir / "new").rename(about)

        assert client.result(PATIENCE_S).run.name == "fake"
