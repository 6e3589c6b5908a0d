"""Actors that talk to each other: whom a guest means, whether it may, and where that one is (design D5).

The answer is an endpoint; what is said there does not pass the root. Whoever was told of an endpoint is told when that
incarnation ends. What a grant reaches is checked here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from proto import control, info
from supervisor.fleet.asking import Asking, Refusal
from supervisor.fleet.ends import Ends
from supervisor.fleet.lives import Actor, Life
from supervisor.fleet.names import BROADCAST, Directory
from supervisor.fleet.services import Services
from theater.errors import ActorError, ChannelClosed, NotFound, PermissionDenied
from theater.grants import MESSAGES, NAMES, RPC, declared, short_name
from theater.patterns.actors import covers, reaches, why_no_name

NAME_CHARS_SHOWN: Final = 200
"""Of whatever a guest calls somebody, in the answer."""
SWEEP: Final = 256
"""So many workers that were told of one incarnation, and again at each doubling: those that are gone are forgotten."""
WAITING_MAX: Final = 1000
"""Per incarnation: questions for its endpoint that wait until it has one."""


class Peers:
    """Answers the questions of workers about other actors, and keeps the names."""

    def __init__(self, services: Services) -> None:
        self._s = services
        self._names = services.names
        self._ends = Ends(services, self._names.forget)
        self.functions: dict[str, Callable[[Asking], None]] = {
            "find-peer": self._find,
            "describe-peer": self._describe,
            "register-name": lambda asking: self._name(asking, Directory.register),
            "unregister-name": lambda asking: self._name(asking, Directory.unregister),
            "leave-group": lambda asking: self._name(asking, Directory.leave),
            "join-group": self._join,
            "name-members": self._members,
        }

    def on_ask(self, life: Life, ask: control.Ask, bodies: list[bytes]) -> None:
        """Serve one question; whatever is wrong with it becomes its refusal."""
        asking = Asking(self._s, life, ask, bodies)
        self._serve(asking, self.functions[ask.function])

    def _serve(self, asking: Asking, function: Callable[[Asking], None]) -> None:
        try:
            function(asking)
        except Refusal as refusal:
            asking.refuse(str(refusal))
        except ActorError as error:
            asking.refuse_with(error)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            asking.refuse(f"malformed arguments: {type(error).__name__}: {error}")

    # -- where somebody is -------------------------------------------------------------------------------------------

    def _find(self, asking: Asking) -> None:
        target: str = asking.arguments["target"]
        try:
            actors = self._meant(asking, target, bool(asking.arguments.get("everyone")))
        except NotFound:
            if not asking.arguments.get("again"):
                self._check_words(asking, target)
            raise
        keeps = True
        if len(actors) > 1:
            reached = [actor for actor in actors if self._is_reached(asking, actor, target)]
            actors, keeps = reached or actors[:1], False
            self._check_reach(asking, actors[0], target)
        elif not asking.arguments.get("again"):
            keeps = self._check_reach(asking, actors[0], target)
        lives = [life for actor in actors if (life := _serving(actor)) is not None]
        if not lives:
            self._wait(asking, actors[0])
        elif len(actors) == 1:
            asking.answer({"peers": [self._told(asking.life, lives[0])], "keeps": keeps})
        else:
            members = [self._member(asking.life, actor) for actor in actors]
            asking.answer({"peers": [], "keeps": keeps}, msgspec.msgpack.encode(members))  # too many for a header

    def _member(self, asker: Life, actor: Actor) -> dict[str, Any]:
        """Where one of a group is: without endpoint if it has no life, so that what is sent to it is a dead letter.

        One that is being updated is where it was: it sends on what comes.
        """
        life = actor.life
        if life is not None and life.is_alive and life.init_sent:
            return self._told(asker, life)
        none = {"incarnation": 0, "endpoint": "", "routing": b"", "package": ""}
        return {"actor_id": actor.id, "path": actor.path} | none

    def _meant(self, asking: Asking, target: str, everyone: bool) -> list[Actor]:
        """The actors that a path, id or name means: one, or all of a broadcast group.

        Of a group whose members take turns, those whom the grant of whoever asks does not reach have none: anybody may
        join, and must not be in the way of the others. Nor has the asker itself, who would wait for its own answer.
        """
        register = self._s.register
        actor = register.by_path.get(target) or register.by_id.get(target)
        if actor is not None:
            return [actor]
        entry = self._names.entry(target)
        if entry is None:
            raise NotFound(target[:NAME_CHARS_SHOWN])
        if entry.mode != BROADCAST:

            def may_be(member: Actor) -> bool:
                return (everyone or member is not asking.life.actor) and self._is_reached(asking, member, target)

            return [entry.next(may_be) or entry.members[0]]
        if not everyone:
            raise Refusal(f"{target} is a broadcast group: only messages can be sent to it")
        return list(entry.members)

    def _is_reached(self, asking: Asking, actor: Actor, target: str) -> bool:
        try:
            self._check_reach(asking, actor, target)
        except PermissionDenied:
            return False
        return True

    def _check_reach(self, asking: Asking, actor: Actor, target: str) -> bool:
        """See that the grant of whoever asks reaches an actor; whether it does so whatever names that one has.

        Raises:
            PermissionDenied: it does not.
        """
        grant: str = asking.arguments["grant"]
        held, asker = _held(asking, grant), asking.life.actor
        if held is not None:
            allowed = held["allow"]
            if actor is asker or (held["children"] and actor.parent is asker) or reaches(allowed, actor.path, ()):
                return True
            if reaches(allowed, actor.path, self._names.names_of(actor)):
                return False
        raise PermissionDenied(short_name(grant), target[:NAME_CHARS_SHOWN])

    def _check_words(self, asking: Asking, target: str) -> None:
        """Whoever the grant would not reach is refused in the same words, there or not.

        Raises:
            PermissionDenied: it would not.
        """
        grant: str = asking.arguments["grant"]
        held = _held(asking, grant)
        if held is None or not reaches(held["allow"], target, ()):
            raise PermissionDenied(short_name(grant), target[:NAME_CHARS_SHOWN])

    def _told(self, asker: Life, life: Life) -> dict[str, Any]:
        """Where a life is; whoever asked is told of its end."""
        count = len(life.peers)
        if count >= SWEEP and count & (count - 1) == 0:
            life.peers.intersection_update(self._s.register.by_routing)  # those that have ended meanwhile
        life.peers.add(asker.routing)
        return {
            "actor_id": life.actor.id,
            "path": life.actor.path,
            "incarnation": life.number,
            "endpoint": life.endpoint,
            "routing": life.routing,
            "package": life.package,
        }

    def _wait(self, asking: Asking, actor: Actor) -> None:
        """It has no worker that could be told of: say why, or wait until it has."""
        life = actor.life
        if life is None or not life.is_alive:
            raise ChannelClosed(actor.cause.plain() if actor.cause else None)
        if len(life.resolvers) >= WAITING_MAX:
            raise Refusal(f"{WAITING_MAX} questions wait for {actor.path} already")
        life.resolvers.append(lambda: self._serve(asking, self._find))

    def _describe(self, asking: Asking) -> None:
        """The metadata of an actor's package, from its worker."""
        (actor,) = self._meant(asking, asking.arguments["target"], everyone=False)
        self._check_reach(asking, actor, actor.path)
        asking.put_to(actor, info.GetInterface(0), lambda message, bodies: asking.answer(message.data, *bodies))

    # -- names -------------------------------------------------------------------------------------------------------

    def _name(self, asking: Asking, change: Callable[[Directory, Actor, str], None]) -> None:
        name = self._allowed_name(asking)
        change(self._names, asking.life.actor, name)
        asking.answer()

    def _join(self, asking: Asking) -> None:
        self._names.join(asking.life.actor, self._allowed_name(asking), asking.arguments["mode"])
        asking.answer()

    def _allowed_name(self, asking: Asking) -> str:
        name: str = asking.arguments["name"]
        why = why_no_name(name)
        if why is not None:
            raise Refusal(why)
        if not _may_have(asking.life.actor, name):
            raise PermissionDenied(short_name(NAMES), name[:NAME_CHARS_SHOWN])
        return name

    def _members(self, asking: Asking) -> None:
        entry = self._names.entry(asking.arguments["name"])
        asking.answer({"ids": [] if entry is None else [actor.id for actor in entry.members]})

    def on_begin(self, life: Life, goes_on: bool) -> None:
        """A life begins. One that goes on from a state believes that it has the names it had."""
        actor = life.actor
        for name in self._names.begins(actor, goes_on, lambda name: _may_have(actor, name)):
            self._s.log.warning("name_lost", actor=actor.path, name=name)

    # -- ends --------------------------------------------------------------------------------------------------------

    def on_end(self, life: Life) -> None:
        """A life has ended: its names go with it only if the actor is gone for good."""
        if self._names.names_of(life.actor):
            self._ends.look(life.actor)


def _held(asking: Asking, grant: str) -> dict[str, Any] | None:
    """All options of the grant by which whoever asks wants to reach somebody; None if it is not held."""
    held = asking.life.actor.spec.grants.get(grant) if grant in (RPC, MESSAGES) else None
    return None if held is None else declared(grant).of(held)


def _may_have(actor: Actor, name: str) -> bool:
    held = actor.spec.grants.get(NAMES)
    return held is not None and any(covers(pattern, name) for pattern in declared(NAMES).of(held)["allow"])


def _serving(actor: Actor) -> Life | None:
    """The life whose worker takes operations now."""
    life = actor.life
    if life is None or not life.is_alive or not life.init_sent:
        return None
    return None if actor.update is not None and actor.update.is_handing else life
