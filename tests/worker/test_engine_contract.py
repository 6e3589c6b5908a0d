"""State in front, state out again: the actor contract of pack-abi section 9."""

from __future__ import annotations

import pytest

from tests.guests.pack import encode, err, good, none, octets, ok, record, result, s64, some, text, tup, u32, variant
from theater import types, values
from theater.actor import ActorOptions
from theater.errors import FunctionNotFound, SerializationError, TypeMismatch
from theater.metadata import FunctionSig
from worker.engine import contract
from worker.engine.contract import NO_STATE, UNIT, Contract, Declined, Ok
from worker.engine.errors import StartError, Trap


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (tup(), tup(u32(9))),
        (tup(text("a"), u32(1)), tup(u32(9), text("a"), u32(1))),
        (text("tick"), tup(u32(9), text("tick"))),
        (tup(some(octets(b"S")), tup(u32(1))), tup(u32(9), some(octets(b"S")), tup(u32(1)))),
    ],
)
def test_flat_input(params: object, expected: object) -> None:
    """Parameters that are a tuple are spliced behind the state, anything else is the one parameter (9.1)."""
    assert contract.join(encode(u32(9)), encode(params)) == encode(expected)  # type: ignore[arg-type]


def test_nested_input() -> None:
    """Before April 2026 the input was (state, params)."""
    joined = contract.join(encode(some(u32(9))), encode(tup(text("a"))), nested=True)

    assert joined == encode(tup(some(u32(9)), tup(text("a"))))


def test_input_with_a_state_of_many_nodes() -> None:
    """Children of the state and of the parameters keep their places."""
    state = tup(text("x"), tup(u32(1), some(u32(2))), variant("v", "w", 1, u32(3)))

    assert contract.join(encode(state), encode(tup(state, state))) == encode(tup(state, state, state))


def test_params_that_are_no_value() -> None:
    """The caller's mistake, said as ValueError."""
    with pytest.raises(ValueError):
        contract.join(encode(u32(9)), b"garbage")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (ok(u32(1)), Ok(encode(u32(1)), UNIT)),
        (ok(u32(1), u32(2)), Ok(encode(u32(1)), encode(u32(2)))),
        (ok(u32(1), tup(u32(2))), Ok(encode(u32(1)), encode(tup(u32(2))))),
        (ok(u32(1), u32(2), text("x")), Ok(encode(u32(1)), encode(tup(u32(2), text("x"))))),
        (
            ok(tup(u32(1), some(text("s"))), some(text("r"))),
            Ok(encode(tup(u32(1), some(text("s")))), encode(some(text("r")))),
        ),
        (good(tup()), Ok(encode(tup()), UNIT)),
        (good(u32(7)), Ok(encode(u32(7)), UNIT)),
        (err("refused"), Declined("refused")),
        (result(False, tup(u32(3)), b"\x06", b"\x06"), Declined("(3u32)")),
        (variant("result", "ok", 0, tup(u32(1), u32(2))), Ok(encode(u32(1)), encode(u32(2)))),
        (variant("whatever", "fine", 0, u32(1)), Ok(encode(u32(1)), UNIT)),
        (variant("result", "err", 1, text("no")), Declined("no")),
        (variant("light", "red", 0), Ok(encode(variant("light", "red", 0)), UNIT)),
        (variant("shape", "circle", 2, u32(5)), Ok(encode(variant("shape", "circle", 2, u32(5))), UNIT)),
        (s64(-5), Ok(encode(s64(-5)), UNIT)),
        (tup(u32(1), u32(2)), Ok(encode(tup(u32(1), u32(2))), UNIT)),
    ],
)
def test_results(output: object, expected: object) -> None:
    """Every row of the table in 9.3."""
    assert contract.split(encode(output)) == expected  # type: ignore[arg-type]


def test_garbage_is_the_guests_fault() -> None:
    """An output that is not a value ends the guest."""
    with pytest.raises(Trap) as caught:
        contract.split(b"this is not a value")

    assert caught.value.kind == "contract"


def test_no_state() -> None:
    """The initial state when nothing is given is none<list<u8>> (9.2)."""
    assert encode(none()) == NO_STATE


# -- type checks (9.4) -------------------------------------------------------------------------------------------------


POINT = types.Record("point", (("x", types.S32), ("y", types.S32)))


def signature(*params: types.Type, result: types.Type | None = None) -> FunctionSig:
    """A function of a state (u32) and these parameters."""
    named = (("state", types.U32), *((f"p{number}", type_) for number, type_ in enumerate(params)))
    return FunctionSig("a:b/c", "f", named, (result,) if result else ())


def checked(*params: types.Type, result: types.Type | None = None, **options: bool) -> Contract:
    return Contract({"f": signature(*params, result=result), "free": None}, ActorOptions(**options))  # type: ignore[arg-type]


def test_unknown_function() -> None:
    """Said before the guest is touched."""
    with pytest.raises(FunctionNotFound) as caught:
        checked().input("g", encode(u32(0)), UNIT)

    assert caught.value.data == ("g",)


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        (tup(), "expected 2 parameters, got 0"),
        (tup(text("a"), octets(b""), u32(1)), "expected 2 parameters, got 3"),
        (tup(u32(5), octets(b"")), "p0: expected string, got 5u32"),
        (tup(text("a"), u32(5)), "p1: expected list<u8>, got 5u32"),
    ],
)
def test_misfitting_params(params: object, detail: str) -> None:
    """The caller gets the place of the first difference."""
    with pytest.raises(TypeMismatch) as caught:
        checked(types.STRING, types.BYTES).input("f", encode(u32(0)), encode(params))  # type: ignore[arg-type]

    assert caught.value.data == ("f", detail)


def test_path_inside_a_parameter() -> None:
    """Nested differences are named with their path."""
    with pytest.raises(TypeMismatch) as caught:
        checked(types.List(POINT)).input("f", encode(u32(0)), encode(tup(octets(b"xy"))))

    assert caught.value.data[1].startswith("p0: expected list<point>")


def test_misfitting_state() -> None:
    """A state of another type is not given to the function."""
    with pytest.raises(TypeMismatch) as caught:
        checked().input("f", encode(text("x")), UNIT)

    assert caught.value.data == ("f", 'state: expected u32, got "x"')


def test_undecodable_params() -> None:
    """Bytes that are no value are the caller's mistake."""
    with pytest.raises(SerializationError):
        checked().input("f", encode(u32(0)), b"garbage")


def test_empty_params_are_none() -> None:
    """No bytes at all mean no parameters."""
    assert checked().input("f", encode(u32(0)), b"") == encode(tup(u32(0)))


def test_checks_can_be_switched_off() -> None:
    """Then anything goes in."""
    contract_ = checked(types.STRING, check_types=False)

    assert contract_.input("f", encode(text("x")), encode(tup())) == encode(tup(text("x")))


def test_function_without_signature() -> None:
    """Guests without metadata are not checked."""
    assert checked().input("free", encode(text("x")), encode(tup(u32(1)))) == encode(tup(text("x"), u32(1)))


def test_misfitting_result_is_a_crash() -> None:
    """The guest broke its word (lifecycle 6.4)."""
    with pytest.raises(Trap) as caught:
        checked(result=types.Result(types.Tuple((types.U32,)), types.STRING)).outcome("f", encode(ok(u32(1), u32(2))))

    assert caught.value.kind == "contract"
    assert caught.value.text.startswith("the result does not fit the declared result<tuple<u32>, string>: ok: ")


def test_variant_in_place_of_a_result() -> None:
    """Older guests write results as variants; they are checked as what they mean."""
    found = checked(result=types.Result(types.Tuple((types.U32,)), types.STRING))

    assert found.outcome("f", encode(variant("result", "ok", 0, tup(u32(4))))) == Ok(encode(u32(4)), UNIT)


def test_state_from_a_checked_result_is_known_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that came out of a checked result is not decoded again to be checked on its way in."""
    found = checked(result=types.Result(types.Tuple((types.U32,)), types.STRING))
    outcome = found.outcome("f", encode(ok(u32(4))))
    assert isinstance(outcome, Ok)
    decoded: list[bytes] = []
    monkeypatch.setattr(contract.cgrf, "decode", lambda data: decoded.append(data) or values.UNIT)
    found.input("f", outcome.state, UNIT)

    assert decoded == [UNIT]


def test_nested_call_shape() -> None:
    """With the switch on the guest gets (state, params), checked against its one declared parameter."""
    found = checked(types.Tuple((types.STRING,)), nested_params=True)

    assert found.input("f", encode(u32(0)), encode(tup(text("a")))) == encode(tup(u32(0), tup(text("a"))))
    with pytest.raises(TypeMismatch):
        found.input("f", encode(u32(0)), encode(tup(u32(1))))


# -- the initial state -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "plain", "expected"),
    [
        ("none", None, none()),
        ("text", "hello", text("hello")),
        ("plain", {"count": 3}, record("counter", count=u32(3))),
        ("value", None, s64(1)),
    ],
)
def test_initial_states(kind: str, plain: object, expected: object) -> None:
    """Where the first state comes from (lifecycle S2)."""
    init = FunctionSig("a", "init", (("state", types.Record("counter", (("count", types.U32),))),))

    assert contract.initial_state(kind, plain, encode(s64(1)), init) == encode(expected)  # type: ignore[arg-type]


def test_initial_state_without_declared_type() -> None:
    """Plain data takes its natural form then."""
    assert contract.initial_state("plain", 5, b"", None) == encode(s64(5))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (record("", count=u32(3)), some(record("given", count=some(u32(3))))),
        (none(), none()),
        (text("another"), text("another")),
    ],
)
def test_a_state_that_was_left_for_an_init_that_takes_an_option(given: object, expected: object) -> None:
    """As restart-child gives it: converted; what is an option stays one, what does not convert stays as it is."""
    fields = types.Record("given", (("count", types.Option(types.U32)),))
    init = FunctionSig("a", "init", (("state", types.Option(fields)),))

    assert contract.initial_state("value", None, encode(given), init) == encode(expected)  # type: ignore[arg-type]


def test_initial_state_that_does_not_convert() -> None:
    """The start fails at init, with the place."""
    init = FunctionSig("a", "init", (("state", types.Record("counter", (("count", types.U32),))),))
    with pytest.raises(StartError) as caught:
        contract.initial_state("plain", {"count": "three"}, b"", init)

    assert caught.value.step == "init"
    assert caught.value.text.startswith("state.count: expected u32")
