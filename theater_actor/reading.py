"""What an actor's class says: its state, its functions, and what it wants of the host."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from theater_actor.declaring import ACTOR, EXPORT, INIT, INTERFACE, MIGRATE, ROLE, Options
from theater_actor.hosting import DECLARED, HostFunction
from theater_actor.kinds import (
    HintError,
    Kind,
    Kinds,
    Listed,
    Named,
    Optional,
    Record,
    Scalar,
    Tupled,
    Variant,
    hints_of,
    kebab,
    word,
)

PACKAGE: Final = "actor"
"""The namespace of actors that say none."""
RESERVED: Final = ("self", "state")


@dataclass(frozen=True)
class Problem:
    """What the author has to correct, and where: a class or function, and one of its parts."""

    owner: Any
    part: str | None
    text: str


class ActorError(Exception):
    """The class cannot become a component."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(each.text for each in problems))
        self.problems = problems


@dataclass(frozen=True)
class Function:
    """A function across the border: its name in Python, parameters, and result (None: none)."""

    name: str
    params: tuple[tuple[str, Kind], ...]
    result: Kind | None
    doc: str


@dataclass(frozen=True)
class Declared:
    """An actor, read."""

    cls: type
    package: str
    """``example:tally``, perhaps with a version."""
    state: Record | None
    """None: it has no fields."""
    required: tuple[str, ...]
    """Fields without a default."""
    exports: dict[str | None, tuple[Function, ...]]
    """By interface; None is the actor's own."""
    init: str | None
    """The method to call, if there is one."""
    migrate: Function | None
    imports: dict[str, tuple[tuple[HostFunction, Function], ...]]
    wasi: bool


def find(module: Any) -> type:
    """The one actor of a module."""
    found = [each for each in vars(module).values() if isinstance(each, type) and ACTOR in each.__dict__]
    own = {each for each in found if each.__module__ == module.__name__} or set(found)
    if len(own) != 1:
        names = ", ".join(sorted(each.__name__ for each in own)) or "none"
        raise ActorError([Problem(module, None, f"expected one class with @actor, found {names}")])
    return own.pop()


def read(cls: type) -> Declared:
    """Read an actor's class.

    Raises:
        ActorError: with everything that is to be corrected.
    """
    reading = _Reading(cls)
    declared = reading.declared()
    if reading.problems:
        raise ActorError(reading.problems)
    return declared


class _Reading:
    def __init__(self, cls: type) -> None:
        self.problems: list[Problem] = []
        self._cls = cls
        self._kinds = Kinds()

    def declared(self) -> Declared:
        cls = self._cls
        options: Options = getattr(cls, ACTOR)
        methods = list(self._methods())
        exports: dict[str | None, tuple[Function, ...]] = {None: ()}
        for method in methods:
            if getattr(method, ROLE) == EXPORT:
                interface = getattr(method, INTERFACE)
                exports[interface] = (*exports.get(interface, ()), self._exported(method))
        if not exports[None] and len(exports) == 1 and not self.problems:
            self._problem(cls, None, f"{cls.__name__}: expected at least one method with @export")
        return Declared(
            cls,
            self._package(options),
            self._state(),
            tuple(each.name for each in dataclasses.fields(cls) if not _has_default(each)),
            exports,
            self._init([each for each in methods if getattr(each, ROLE) == INIT]),
            self._migrate([each for each in methods if getattr(each, ROLE) == MIGRATE]),
            {name: tuple(self._imported(each) for each in functions) for name, functions in DECLARED.items()},
            options.wasi,
        )

    def _problem(self, owner: Any, part: str | None, text: str) -> None:
        problem = Problem(owner, part, text)
        if problem not in self.problems:
            self.problems.append(problem)

    def _methods(self) -> Iterator[Callable[..., Any]]:
        names = list(dict.fromkeys(name for cls in reversed(self._cls.__mro__) for name in vars(cls)))
        for name in names:
            found = inspect.getattr_static(self._cls, name)
            plain = getattr(found, "__func__", found)
            if not hasattr(plain, ROLE):
                continue
            is_static = getattr(plain, ROLE) == MIGRATE
            if isinstance(found, staticmethod) == is_static and not isinstance(found, classmethod):
                yield plain
            else:
                wanted = "a static method" if is_static else "a method with self"
                self._problem(plain, None, f"{name}: expected {wanted}")

    def _package(self, options: Options) -> str:
        name = options.name or f"{PACKAGE}:{self._name()}"
        parts = name.partition("@")[0].split(":")
        if len(parts) != 2 or not all(_is_word(part) for part in parts):
            self._problem(self._cls, None, f"name={name!r}: expected a package such as 'example:tally'")
        return name

    def _name(self) -> str:
        try:
            return kebab(self._cls.__name__, self._cls)
        except HintError as error:
            self._problem(self._cls, None, str(error))
            return "actor"

    def _state(self) -> Record | None:
        if not dataclasses.fields(self._cls):
            return None
        found = self._kind(self._cls, self._cls, None)
        return found if isinstance(found, Record) else None

    def _kind(self, hint: Any, owner: Any, part: str | None) -> Kind:
        try:
            return self._kinds.of(hint, self._cls.__module__ if isinstance(owner, type) else owner.__module__)
        except HintError as error:
            self._problem(error.owner or owner, error.part if error.owner else part, str(error))
            return Scalar("bool")

    # -- functions ---------------------------------------------------------------------------------------------------

    def _exported(self, method: Callable[..., Any]) -> Function:
        return self._function(method, skip=1)

    def _function(self, function: Callable[..., Any], skip: int) -> Function:
        plain = inspect.unwrap(function)
        name = plain.__name__
        self._word(name, "a function", plain, None)
        try:
            hints = hints_of(plain)
        except HintError as error:
            self._problem(plain, None, str(error))
            return Function(name, (), None, "")
        params = []
        for each in list(inspect.signature(plain).parameters.values())[skip:]:
            if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) or each.name not in hints:
                self._problem(plain, each.name, f"{name}: expected a type for {each.name}, and a parameter of its own")
                continue
            self._word(each.name, "a parameter", plain, each.name)
            params.append((each.name, self._kind(hints[each.name], plain, each.name)))
        if "return" not in hints:
            self._problem(plain, "return", f"{name}: expected the type it returns: -> None, for instance")
        result = hints.get("return", type(None))
        kind = None if result is type(None) else self._kind(result, plain, "return")
        return Function(name, tuple(params), kind, inspect.getdoc(plain) or "")

    def _word(self, name: str, what: str, owner: Any, part: str | None) -> None:
        try:
            word(name, what, owner, part)
            if part is not None and name in RESERVED:
                raise HintError(f"{name}: expected another name: the host calls the state so", owner, part)
        except HintError as error:
            self._problem(owner, part, str(error))

    def _init(self, methods: list[Callable[..., Any]]) -> str | None:
        for method in methods:
            read = self._function(method, skip=1)
            if read.params or read.result is not None:
                self._problem(inspect.unwrap(method), None, f"{read.name}: expected (self) -> None")
        if len(methods) > 1:
            self._problem(methods[1], None, "expected one method with @init")
        return methods[0].__name__ if methods else None

    def _migrate(self, functions: list[Callable[..., Any]]) -> Function | None:
        if not functions:
            return None
        read = self._function(functions[0], skip=0)
        is_one = len(functions) == 1 and len(read.params) == 1
        if not is_one or not isinstance(read.result, Record) or read.result.cls is not self._cls:
            text = f"{read.name}: expected one static method (old: T) -> {self._cls.__name__}"
            self._problem(functions[0], None, text)
        return read

    def _imported(self, function: HostFunction) -> tuple[HostFunction, Function]:
        read = self._function(function.function, skip=0)
        kinds = [*read.params, *([] if read.result is None else [("return", read.result)])]
        for part, kind in kinds:
            if any(isinstance(each, Named) for each in parts(kind)):
                self._problem(function.function, part, f"{read.name}: expected a type without a name for the host")
        return function, read


def parts(kind: Kind) -> Iterator[Kind]:
    """A kind and everything in it, innermost first; each named one once per occurrence."""
    match kind:
        case Listed(item=item) | Optional(item=item):
            yield from parts(item)
        case Tupled(items=items):
            for each in items:
                yield from parts(each)
        case Record(fields=fields):
            for _, each in fields:
                yield from parts(each)
        case Variant(cases=cases):
            for case in cases:
                yield from parts(case)
    yield kind


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _is_word(name: str) -> bool:
    try:
        return bool(word(name.replace("-", "_"), "", None, None))
    except HintError:
        return False
