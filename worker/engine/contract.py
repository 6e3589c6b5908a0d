"""The actor contract of pack-abi section 9: state in front of the parameters, (state, response) out of the result.

States, parameters and responses are encoded values; the host owns the state and hands it in with every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from theater import cgrf, types
from theater.actor import ActorOptions
from theater.errors import FunctionNotFound, SerializationError, TypeMismatch
from theater.fitting import fits
from theater.metadata import FunctionSig
from theater.values import NO_BYTES, Option, Result, String, Tuple, Value, Variant
from theater.values import UNIT as UNIT_VALUE
from worker.engine.errors import CONTRACT, StartError, Trap

ACTOR: Final = "theater:simple/actor"
INIT: Final = f"{ACTOR}.init"
MIGRATE: Final = f"{ACTOR}.migrate"
UNIT: Final = cgrf.encode(UNIT_VALUE)
NO_STATE: Final = cgrf.encode(NO_BYTES)
"""``none<list<u8>>``: the initial state if none is given (pack-abi 9.2)."""


class Ok(msgspec.Struct, frozen=True, gc=False):
    """The call succeeded: the state to commit and the response, both encoded."""

    state: bytes
    response: bytes


class Declined(msgspec.Struct, frozen=True, gc=False):
    """The actor refused the call; its state stays as it was."""

    text: str


class Contract:
    """What calls and results of one actor must look like. Checks types as its options say (pack-abi 9.4)."""

    def __init__(self, functions: Mapping[str, FunctionSig | None], options: ActorOptions) -> None:
        self._functions = functions
        self._nested = options.nested_params
        self._check = options.check_types
        self._state = b""
        self._state_fits: set[types.Type] = set()
        """Types the state at hand is known to fit; a state is decoded once per type it must have."""

    def input(self, function: str, state: bytes, params: bytes) -> bytes:
        """Return the encoded input of a call; empty ``params`` mean none.

        Raises:
            FunctionNotFound: the actor declares no such function.
            SerializationError: ``params`` is not an encoded value.
            TypeMismatch: the parameters, or the state, do not fit the declared types.
        """
        try:
            sig = self._functions[function]
        except KeyError:
            raise FunctionNotFound(function) from None
        try:
            value = cgrf.decode(params) if params else UNIT_VALUE
        except ValueError as error:
            raise SerializationError(str(error)) from None
        if sig is not None and self._check:
            self._check_params(sig, function, value)
            self._check_state(sig, function, state)
        return _join(state, value, self._nested)

    def outcome(self, function: str, output: bytes) -> Ok | Declined:
        """Take the output of a call apart. What is not a value, or does not fit, is the guest's fault: Trap."""
        value = _decode(output)
        sig = self._functions[function]
        if sig is None or not self._check:
            return _split(value)
        _check_result(sig, value)
        outcome = _split(value)
        if isinstance(outcome, Ok):
            self._know(outcome.state, returned_state(sig))
        return outcome

    def _check_params(self, sig: FunctionSig, function: str, value: Value) -> None:
        wanted = sig.params[1:]
        given = value.items if isinstance(value, Tuple) and not self._nested else (value,)
        if self._nested and len(wanted) != 1:
            return  # actors of that time declare what they please
        if len(given) != len(wanted):
            noun = "parameter" if len(wanted) == 1 else "parameters"
            raise TypeMismatch(function, f"expected {len(wanted)} {noun}, got {len(given)}")
        for (name, type_), item in zip(wanted, given, strict=True):
            wrong = fits(item, type_)
            if wrong is not None:
                raise TypeMismatch(function, f"{name}{wrong.path}: {wrong.problem}")

    def _check_state(self, sig: FunctionSig, function: str, state: bytes) -> None:
        if state is not self._state:
            self._know(state, types.VALUE)
        type_ = sig.params[0][1] if sig.params else types.VALUE
        if type_ in self._state_fits:
            return
        wrong = fits(cgrf.decode(state), type_)
        if wrong is not None:
            raise TypeMismatch(function, f"state{wrong.path}: {wrong.problem}")
        self._state_fits.add(type_)

    def _know(self, state: bytes, type_: types.Type) -> None:
        self._state = state
        self._state_fits = {types.VALUE, type_}


def initial_state(kind: str, plain: Any, encoded: bytes, init: FunctionSig | None) -> bytes:
    """Return the encoded state that ``init`` begins with (lifecycle S2); StartError("init") if it cannot be converted.

    ``kind`` is none, text (a manifest's initial_state), plain (data from a tree file) or value (already encoded).
    """
    match kind:
        case "value":
            return _as_option(encoded, init)
        case "text":
            return cgrf.encode(String(str(plain)))
        case "plain":
            from theater import convert  # needed once in a life at most

            type_ = init.params[0][1] if init and init.params else types.VALUE
            try:
                return cgrf.encode(convert.to_value(plain, type_, "state"))
            except ValueError as error:
                raise StartError("init", str(error)) from None
        case _:
            return NO_STATE


def _as_option(encoded: bytes, init: FunctionSig | None) -> bytes:
    """A state that an incarnation has left, as an ``init`` wants it that may also be given none (restart-child)."""
    wanted = init.params[0][1] if init and init.params else types.VALUE
    value = cgrf.decode(encoded) if isinstance(wanted, types.Option) else NO_BYTES
    if isinstance(value, Option):
        return encoded
    from theater import convert  # as above

    try:
        return cgrf.encode(convert.to_value(convert.from_value(value), wanted))
    except ValueError:
        return encoded  # the check of types says what is wrong with it


def join(state: bytes, params: bytes, nested: bool = False) -> bytes:
    """Return the input of a call: (state, p1, p2 …), or (state, params) if ``nested`` (pack-abi 9.1).

    Raises:
        ValueError: ``params`` is not an encoded value.
    """
    return _join(state, cgrf.decode(params), nested)


def _join(state: bytes, params: Value, nested: bool) -> bytes:
    items = params.items if isinstance(params, Tuple) and not nested else (params,)
    return cgrf.encode_tuple((state, *map(cgrf.encode, items)))


def _check_result(sig: FunctionSig, value: Value) -> None:
    if not sig.results:
        return
    wanted = sig.results[0]
    if isinstance(wanted, types.Result) and isinstance(value, Variant) and value.tag < 2 and len(value.payload) == 1:
        value = Result(wanted.ok, wanted.err, value.tag == 0, value.payload[0])  # how older guests write it (9.3)
    wrong = fits(value, wanted)
    if wrong is not None:
        raise Trap(f"the result does not fit the declared {wanted}: {wrong}", CONTRACT)


def returned_state(sig: FunctionSig) -> types.Type:
    """The type that a result of this function was found to fit, as far as its state goes."""
    match sig.results:
        case (types.Result(ok=types.Tuple(items=(state, *_))),):
            return state
        case _:
            return types.VALUE


def split(output: bytes) -> Ok | Declined:
    """Take a result apart (pack-abi 9.3). An output that is not an encoded value is the guest's fault: Trap."""
    return _split(_decode(output))


def _split(value: Value) -> Ok | Declined:
    if isinstance(value, Result):
        return _succeeded(value.value) if value.is_ok else _declined(value.value)
    match value:
        case Variant(tag=0, payload=payload) if payload:
            return _succeeded(payload[0] if len(payload) == 1 else Tuple(payload))
        case Variant(tag=1, payload=payload) if payload:
            return _declined(payload[0] if len(payload) == 1 else Tuple(payload))
        case _:
            return Ok(cgrf.encode(value), UNIT)


def _succeeded(payload: Value) -> Ok:
    if not isinstance(payload, Tuple) or not payload.items:
        return Ok(cgrf.encode(payload), UNIT)
    state, rest = cgrf.encode(payload.items[0]), payload.items[1:]
    if not rest:
        return Ok(state, UNIT)
    return Ok(state, cgrf.encode(rest[0] if len(rest) == 1 else Tuple(rest)))


def _declined(error: Value) -> Declined:
    return Declined(error.value if isinstance(error, String) else str(error))


def _decode(output: bytes) -> Value:
    try:
        return cgrf.decode(output)
    except ValueError as error:
        raise Trap(f"the result is not an encoded value: {error}", CONTRACT) from None
