"""Only granted interfaces exist (D10), and both sides must mean the same by them (pack-abi 8)."""

from __future__ import annotations

import pytest

from tests.guests import wat
from tests.guests.pack import u32
from tests.worker.enginekit import load
from theater.actor import RUNTIME, SUPERVISOR
from worker.engine.errors import StartError
from worker.engine.pack import PackDoor

INIT = wat.starts(u32(0))
OLD_LIST = wat.Import(f"{SUPERVISOR}.list-children", "() -> list<string>")
ODD_LIST = wat.Import(f"{SUPERVISOR}.list-children", "(of: u32) -> list<string>")


def failure(*imports: wat.Import, grants: dict[str, dict[str, object]] | None = None, **options: object) -> StartError:
    """The error of a start with these imports."""
    with pytest.raises(StartError) as caught:
        load(wat.build([INIT], imports), grants=grants, **options)
    return caught.value


def started(*imports: wat.Import, **options: object) -> PackDoor:
    return load(wat.build([INIT], imports), **options)


def test_import_without_grant() -> None:
    """The error names the import, the interface and the grant to add."""
    error = failure(wat.LOG, grants={})

    assert error.step == "link"
    assert error.text == (
        "import theater:simple/runtime.log is not granted: "
        "add theater:simple/runtime to the actor's grants (grants: {runtime: {}})"
    )


def test_every_missing_grant_is_named() -> None:
    """Two interfaces without grants are two problems in one error."""
    error = failure(wat.LOG, wat.SELF, wat.SPAWN, grants={})

    assert "theater:simple/runtime.log; theater:simple/runtime.self is not granted" in error.text
    assert "theater:simple/supervisor.spawn is not granted" in error.text


def test_unknown_interface() -> None:
    """An interface nobody provides cannot be granted; the known ones are listed."""
    error = failure(wat.Import("wisp:magic/wand.wave", "()"), grants={"wisp:magic/wand": {}})

    assert error.step == "link"
    assert "import wisp:magic/wand.wave: there is no host interface wisp:magic/wand" in error.text


def test_unknown_function_of_a_known_interface() -> None:
    """The step is ``interfaces`` and the functions there are, are listed."""
    error = failure(wat.Import(f"{RUNTIME}.reboot", "()"))

    assert error.step == "interfaces"
    assert error.text.startswith("import theater:simple/runtime.reboot: the interface has no such function (it has lo")


def test_grants_that_are_not_used_do_no_harm() -> None:
    """A provider may offer more than is used."""
    assert started().warnings == ()


def test_differing_declaration_is_refused() -> None:
    """Both signatures are shown."""
    error = failure(ODD_LIST)

    assert error.step == "interfaces"
    assert error.text == (
        "import theater:simple/supervisor.list-children: the actor declares func(of: u32) -> list<string>, "
        "this host has func() -> result<list<string>, string> or func() -> list<string>"
    )


def test_lenient_mode_warns() -> None:
    """The same difference is a warning when the manifest says so."""
    door = started(ODD_LIST, interface_hashes="lenient")

    assert len(door.warnings) == 1
    assert "the actor declares func(of: u32)" in door.warnings[0]


def test_older_signature_is_accepted() -> None:
    """A guest that declares a known older form is not different."""
    assert started(OLD_LIST).warnings == ()


def test_wrong_hash_is_refused() -> None:
    """Equal signatures under another hash: the hash is what the guest was built against."""
    with pytest.raises(StartError) as caught:
        load(wat.build([INIT], [wat.LOG], wrong_hashes=True))

    assert caught.value.step == "interfaces"
    assert caught.value.text.startswith("interface theater:simple/runtime: the actor was built for hash 0000")


def test_metadata_without_hashes_is_fine() -> None:
    """Guests of January 2026 carry signatures only."""
    assert load(wat.build([INIT], [wat.LOG], hashes=False)).warnings == ()


def test_undeclared_import_gets_the_present_form() -> None:
    """An import the metadata does not mention is linked like any other."""
    door = started(wat.Import(f"{RUNTIME}.log", "(msg: string)", declared=False))

    assert door.warnings == ()


def test_no_metadata_is_refused() -> None:
    """Without ``__pack_types`` the types are unknown; the error names the switch."""
    with pytest.raises(StartError) as caught:
        load(wat.build([INIT], has_metadata=False))

    assert caught.value.step == "signatures"
    assert "require_metadata: false" in caught.value.text


def test_no_metadata_can_be_allowed() -> None:
    """Then every export of the right core type can be called."""
    door = load(wat.build([INIT], has_metadata=False), require_metadata=False)

    assert door.metadata is None
    assert wat.INIT in door.functions


def test_missing_init() -> None:
    """Every actor has an init."""
    with pytest.raises(StartError) as caught:
        load(wat.build([wat.Function("a:b/c.d", "(state: u32) -> u32", wat.traps())]))

    assert str(caught.value) == "signatures: exports no theater:simple/actor.init: every actor must"


def test_undeclared_init() -> None:
    """Exported is not enough, its types must be known."""
    hidden = wat.Function(wat.INIT, "(state: value) -> u32", wat.traps(), declared=False)
    with pytest.raises(StartError) as caught:
        load(wat.build([hidden]))

    assert caught.value.text == "theater:simple/actor.init is exported but not declared in __pack_types"


def test_functions_are_those_declared_and_exported() -> None:
    """Neither a declaration without export nor an export without declaration can be called."""
    door = load(
        wat.build(
            [
                INIT,
                wat.Function("a:b/c.ghost", "(state: u32) -> u32", wat.traps(), exported=False),
                wat.Function("a:b/c.hidden", "(state: u32) -> u32", wat.traps(), declared=False),
            ]
        )
    )

    assert set(door.functions) == {wat.INIT}


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"types": b"no metadata"}, "__pack_types gives no metadata"),
        ({"metadata_status": 5}, "__pack_types answered status 5, expected 0"),
    ],
)
def test_bad_metadata(spoilt: dict[str, object], words: str) -> None:
    """What ``__pack_types`` gives is checked like everything else a guest says."""
    with pytest.raises(StartError) as caught:
        load(wat.build([INIT], **spoilt))

    assert caught.value.step == "signatures"
    assert words in caught.value.text
