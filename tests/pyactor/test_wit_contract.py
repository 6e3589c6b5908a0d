"""The host functions and handlers of theater_actor are those of the published contract."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.pyactor.test_wit import ROOT
from theater import interfaces
from theater_actor import hosting, messages, names, reading, rpc, runtime, store, supervisor, timer, wit

CONTRACT = (ROOT / "wit" / "theater-simple.wit").read_text(encoding="utf-8")
HOSTS = {module.INTERFACE: module for module in (messages, names, rpc, runtime, store, supervisor, timer)}
PUBLISHED = {f"theater:simple/{name}@0.1.0" for name in re.findall(r"^interface ([\w-]+) \{", CONTRACT, re.MULTILINE)}
STANDARD = json.loads((ROOT / "tests" / "vectors" / "pack-vectors.json").read_text())["standard_interfaces"]


def declared(interface: str) -> list[str]:
    """The functions of a host module, as WIT has them, without their words."""
    reader = reading._Reading(object)
    functions = [reader._imported(each) for each in hosting.DECLARED[interface]]
    assert reader.problems == []
    return [wit._plain(read, function.can_fail).splitlines()[-1] for function, read in functions]


@pytest.mark.parametrize("interface", sorted(PUBLISHED & HOSTS.keys()))
def test_host_modules_are_as_published(interface: str) -> None:
    """Functions and types of ``wit/theater-simple.wit``."""
    name = interface.partition("/")[2].partition("@")[0]
    body = CONTRACT.partition(f"interface {name} {{\n")[2].partition("\n}")[0]
    published = [line.strip().replace("%", "") for line in body.splitlines() if ": func(" in line]

    assert sorted(line.replace("%", "") for line in declared(interface)) == sorted(published)


@pytest.mark.parametrize("module", [messages, runtime, store, timer], ids=lambda module: module.__name__)
def test_host_modules_have_the_standard_functions(module: ModuleType) -> None:
    """By their hashes, so that every host of the family takes them for its own."""
    standard = STANDARD[module.INTERFACE.partition("@")[0]]["functions"]
    found = dict(line.removesuffix(";").replace("%", "").split(": ", 1) for line in declared(module.INTERFACE))

    hashes = {name: interfaces.function_hash(interfaces.parse_function(found[name])).hex() for name in standard}
    assert hashes == {name: function["hash"] for name, function in standard.items()}


def test_handlers_are_as_published() -> None:
    """The documentation of the handlers names what the contract has."""
    published = CONTRACT.partition("interface supervisor-handlers {\n")[2].partition("\n}")[0]
    source = Path(supervisor.__file__).read_text()
    names = [line.split(":")[0].strip().replace("-", "_") for line in published.splitlines() if ": func(" in line]

    assert len(names) == 4
    assert [name for name in names if f"``{name}(" not in source] == []
