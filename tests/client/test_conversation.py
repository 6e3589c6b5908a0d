"""What a handle says, step by step: the answers are the test's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from proto import info
from theater import answers, conversation, metadata, types
from theater.conversation import Ask, Operate, Order, Where, Who
from theater.errors import ChannelClosed, FunctionNotFound


def described(*names: str) -> bytes:
    """What a package with these functions says of itself."""
    exports = tuple(metadata.FunctionSig("a:b/c", name, (("state", types.VALUE),), (types.VALUE,)) for name in names)
    return metadata.encode(metadata.Metadata(exports=exports))


def route(number: int, package: str) -> Any:
    """The way to one life of an actor."""
    life = ("id", number)
    return SimpleNamespace(
        actor_id="id", incarnation=number, life=life, package=package, path="/it", call_deadline_ms=None, ends={}
    )


ANY_LIFE = Who("/it")
OLD, NEW = route(1, "old"), route(2, "new")


def calling(known: answers.Known, name: str, who: Who = ANY_LIFE) -> Any:
    return conversation.call(who, answers.encoder(known, name, (), lambda route: None), Order(timeout=None))


def test_functions_are_those_of_the_package_that_was_asked() -> None:
    """Another one has taken over between the answers: nothing is noted of the wrong one, and the call goes to it."""
    known: answers.Known = {}
    talk = calling(known, "second")
    assert talk.send(None) == Where("/it", None)
    asked = talk.send(OLD)
    assert isinstance(asked, Ask)
    again = talk.send((info.Info(1, {"package": "new"}), [described("second")]))

    assert again == Where("/it", None, True)
    operate = talk.send(NEW)
    assert isinstance(operate, Operate)
    assert (operate.route, operate.fields[0]) == (NEW, "a:b/c.second")
    assert known.keys() == {"new"}


def test_a_function_that_is_nowhere() -> None:
    """Is asked for once more, of whoever serves."""
    talk = calling({"old": answers.Signatures(described("first"))}, "second")
    talk.send(None)

    assert talk.send(OLD) == Where("/it", None, True)
    with pytest.raises(FunctionNotFound):
        talk.send(OLD)


def test_a_handle_of_one_life_asks_nobody_else() -> None:
    """What that life does not have it does not have; what nobody knows any more is over."""
    known = {"old": answers.Signatures(described("first"))}
    talk = calling(known, "second", Who("/it", 1))
    talk.send(None)
    with pytest.raises(FunctionNotFound):
        talk.send(OLD)

    talk = calling({}, "second", Who("/it", 1))
    talk.send(None)
    talk.send(OLD)
    talk.send((info.Info(1, {"package": "new"}), [described("second")]))
    with pytest.raises(ChannelClosed):
        talk.send(NEW)
