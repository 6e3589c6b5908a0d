"""The WIT packages in ``wit/`` say what the host really provides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from theater import interfaces
from worker.interfaces import registry
from worker.recovered import HANDLE_RECOVERED

DIRECTORY = Path(__file__).parents[2] / "wit"
WIT = (DIRECTORY / "theater-simple.wit").read_text(encoding="utf-8")
ASSEMBLER = (DIRECTORY / "wisp-assembler.wit").read_text(encoding="utf-8")
HANDLERS = (DIRECTORY / "theater-simple-handlers.wit").read_text(encoding="utf-8")


def functions(text: str = WIT) -> list[tuple[str, str, str]]:
    """Interface, name and signature of every function that a package declares."""
    package = re.search(r"package ([^@]+)@", text)
    assert package is not None
    found = []
    for name, body in re.findall(r"interface ([\w-]+) \{(.*?)\n\}", text, re.DOTALL):
        for line in re.findall(r"^  %?([\w-]+): (func.*);$", body, re.MULTILINE):
            found.append((f"{package[1]}/{name}", *line))
    return found


@pytest.mark.parametrize(
    ("interface", "function", "signature"),
    [each for each in (*functions(), *functions(ASSEMBLER)) if each[0] in registry.known()],
    ids=lambda text: text if "(" not in text else "",
)
def test_imports_are_provided_as_published(interface: str, function: str, signature: str) -> None:
    """In one of the forms that the host has for the function."""
    provided = registry.known()[interface].function(function)
    assert provided is not None
    hashes = [variant.hash for variant in provided.variants]
    names = provided.variants[0].names

    assert interfaces.function_hash(interfaces.parse_function(signature.replace("%", ""), names)) in hashes


@pytest.mark.parametrize("interface", [name for name in registry.known() if not name.startswith("wasi")])
def test_every_function_is_published(interface: str) -> None:
    """Components have a type for each, and a text to take it from."""
    published = {name for owner, name, _ in (*functions(), *functions(ASSEMBLER)) if owner == interface}

    assert published == {function.name for function in registry.known()[interface].functions}


def test_exports_follow_the_actor_contract() -> None:
    """The state comes first, and comes back first."""
    exports = [each for each in functions() if each[0] not in registry.known()] + functions(HANDLERS)

    assert {interface for interface, _, _ in exports} >= {
        "theater:simple/actor",
        "theater:simple/message-server-client",
        "theater:simple/supervisor-handlers",
    }
    for _, name, signature in exports:
        assert signature.startswith("func(state: option<list<u8>>"), name
        assert re.search(r"-> result<tuple<option<list<u8>>(, .*)?>, string>$", signature), name


def test_every_callback_of_the_host_is_published() -> None:
    """What the registry says that it calls in an actor is in one of the texts."""
    called = {callback.name for name in registry.known() for callback in registry.known()[name].callbacks}
    called.add(HANDLE_RECOVERED)
    published = {f"{interface}.{name}" for interface, name, _ in (*functions(), *functions(HANDLERS))}

    assert called <= published
