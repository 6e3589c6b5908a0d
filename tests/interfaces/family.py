"""Actors that have each other: a root that knows their children, names and bonds, as far as guests can tell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec

from proto import control
from supervisor.fleet.asking import Refusal
from supervisor.fleet.names import Directory
from theater import metadata
from theater.chain import encode_frame, event_hash
from theater.errors import NotAChild, PermissionDenied
from worker.asks import RootRefusal

MANIFEST = "child.toml"
"""What can be spawned."""
NOBODY = "nobody"
"""Whom no grant reaches."""

Answer = tuple[dict[str, Any], list[bytes]]


class Root:
    """Answers what guests ask of the root; real names, and children that do nothing."""

    def __init__(self) -> None:
        self._names = Directory()
        self._members: dict[str, Any] = {}
        self._children: dict[str, dict[str, bytes | None]] = {}
        """By parent: its children, by id, with their states."""
        self._numbers = count(1)
        self._refs: dict[int, str] = {}
        self._traps: dict[str, bool] = {}
        self.takers: dict[str, Any] = {}
        """Who takes connections (tests.interfaces.passingkit.Member), by id."""

    def ask(self, asker: str, function: str, arguments: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        """One question, which must be one that can be sent."""
        arguments = msgspec.msgpack.decode(msgspec.msgpack.encode(arguments))
        call = getattr(self, "_" + function.rpartition(".")[2].replace("-", "_"))
        try:
            answer: Answer = call(asker, arguments, bodies)
        except Refusal as refusal:
            raise RootRefusal(str(refusal)) from None
        return answer

    def has_child(self, parent: str, id: str, state: bytes | None = None) -> None:
        """Let there be a child."""
        self._children.setdefault(parent, {})[id] = state

    # -- children ------------------------------------------------------------------------------------------------------

    def _spawn(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        if given["manifest"] != MANIFEST:
            raise RootRefusal(f"cannot read {given['manifest'][:100]}")
        if given["wait"] and given["timeout_ms"] == 0:
            raise RootRefusal("Timeout waiting for child actor")
        id_ = f"00000000-0000-4000-8000-{next(self._numbers):012}"
        state = given["state_body"]
        self.has_child(asker, id_, None if state is None else bodies[state])
        return {"id": id_, "value": b"its end"}, []

    def _list_children(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        return {"ids": list(self._children.get(asker, ()))}, []

    def _own(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        """Whatever is done to a child: it must be one's own."""
        if given["id"] not in self._children.get(asker, ()):
            raise NotAChild(given["id"])
        return {}, []

    _restart_child = _subscribe_to_child = _unsubscribe_from_child = _own

    def _stop_child(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._own(asker, given, bodies)
        del self._children[asker][given["id"]]
        return {}, []

    _kill_child = _stop_child

    def _get_child_state(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._own(asker, given, bodies)
        state = self._children[asker][given["id"]]
        return {}, [] if state is None else [state]

    def _get_child_events(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._own(asker, given, bodies)
        return {"base_hash": None}, [encode_frame(0, 1, "genesis", b"a", event_hash(None, "genesis", b"a"))]

    def _child_status(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._own(asker, given, bodies)
        return {"state": "idle", "incarnation": 1, "queued": 0}, []

    def _child_metrics(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._own(asker, given, bodies)
        return {"operations": 7, "rss_bytes": 1 << 33}, []

    # -- names ---------------------------------------------------------------------------------------------------------

    def _register_name(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._names.register(self._member(asker), given["name"])
        return {}, []

    def _unregister_name(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._names.unregister(self._member(asker), given["name"])
        return {}, []

    def _join_group(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._names.join(self._member(asker), given["name"], given["mode"])
        return {}, []

    def _leave_group(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._names.leave(self._member(asker), given["name"])
        return {}, []

    def _name_members(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        if given["name"] == NOBODY:
            raise PermissionDenied("names", NOBODY)
        entry = self._names.entry(given["name"])
        return {"ids": [] if entry is None else [member.id for member in entry.members]}, []

    def _member(self, asker: str) -> Any:
        return self._members.setdefault(asker, _Member(asker))

    # -- bonds ---------------------------------------------------------------------------------------------------------

    def _reach(self, given: dict[str, Any]) -> None:
        if given["actor"] == NOBODY:
            raise PermissionDenied("links", NOBODY)

    def _link(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._reach(given)
        return {"id": given["actor"]}, []

    def _unlink(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._reach(given)
        return {}, []

    _exit = _unlink

    def _monitor(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        self._reach(given)
        ref = (1 << 32) + next(self._numbers)
        self._refs[ref] = asker
        return {"ref": ref}, []

    def _demonitor(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        if self._refs.get(given["ref"], asker) != asker:
            raise RootRefusal("not a monitor of this actor")
        return {"was_there": self._refs.pop(given["ref"], None) is not None}, []

    def _trap_exit(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        before = self._traps.get(asker, False)
        self._traps[asker] = given["traps"]
        return {"before": before}, []

    # -- others --------------------------------------------------------------------------------------------------------

    def _describe_peer(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        return {}, [metadata.encode(metadata.Metadata((), (), {}, {"test:other/api": bytes(range(32))}))]

    def _pass_connection(self, asker: str, given: dict[str, Any], bodies: Sequence[bytes]) -> Answer:
        taker = self.takers.get(given["id"])
        if taker is None:
            raise RootRefusal("no such actor")
        answer, token = taker.expects()
        if isinstance(answer, control.Refused):
            raise RootRefusal(answer.data[0])
        return {"socket": taker.landing, "token": token}, []


class _Member:
    """An actor, as far as names go."""

    is_alive = True

    def __init__(self, id: str) -> None:
        self.id = id

