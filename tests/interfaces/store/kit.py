"""An actor that uses stores, and where their contents are."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.worker.enginekit import FakeContext
from theater import cgrf, types
from theater.grants import STORE
from theater.values import U64, Bool, List, Option, Result, String, Tuple, bytes_of
from worker.interfaces.registry import Dispatcher, known

VECTORS = Path(__file__).parents[2] / "vectors" / "pack-vectors.json"
NOWHERE = "6f1c0d9e-7d0a-4a50-9c61-5f5b0f1d2c3b"
DATA = b"some content"
REF = sha256(DATA).hexdigest()
OTHER = sha256(b"something else").hexdigest()


class Actor:
    """An actor that calls the store's functions, as its guest would."""

    def __init__(self, directory: Path, path: str = "/fleet/it", **grant: Any) -> None:
        self.context = FakeContext()
        self.context.actor_id = f"id of {path}"
        self.context.path = path
        self.context.content = str(directory)
        self.context.grants[STORE] = grant
        self.dispatcher = Dispatcher(self.context)
        self.dispatcher.bind({(STORE, f.name): f.variants[0] for f in known()[STORE].functions})

    def answer(self, function: str, *arguments: str | bytes) -> Result:
        given = [String(each) if isinstance(each, str) else bytes_of(each) for each in arguments]
        data = given[0] if len(given) == 1 else Tuple(tuple(given))
        answer = cgrf.decode(self.dispatcher.answer(STORE, function, cgrf.encode(data)))
        assert isinstance(answer, Result)
        return answer

    def __call__(self, function: str, *arguments: str | bytes) -> Any:
        """The answer's payload; it has to be ok."""
        answer = self.answer(function, *arguments)
        assert answer.is_ok, answer
        return plain(answer.value)

    def refusal(self, function: str, *arguments: str | bytes) -> str:
        """The answer's error; it has to be one, and to be in the chain."""
        before = len(self.context.recorded)
        answer = self.answer(function, *arguments)
        assert not answer.is_ok, answer
        assert isinstance(answer.value, String)
        [(_, name, _, output)] = self.context.recorded[before:]
        assert (name, cgrf.decode(output)) == (function, answer)
        return answer.value.value


def plain(value: Any) -> Any:
    match value:
        case Tuple(items=()):
            return None
        case Option(value=inner):
            return plain(inner)
        case List(element=types.U8, items=bytes(data)):
            return data
        case List(items=items):
            return [plain(item) for item in items]
        case String(value=it) | Bool(value=it) | U64(value=it):
            return it
    return value


def file_of(directory: Path, ref: str) -> Path:
    return directory / "objects" / ref[:2] / ref
