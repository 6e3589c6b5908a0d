"""``theater:simple/store``: contents by their SHA-256, with labels, that outlive the actor (pack-abi 10.5).

Whose store an id is, and whether this actor may use it, is decided in one place, ``Desk.opened``. An id that does not
exist and one that is somebody else's get the same answer: ids cannot be tried out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Final

from theater import types
from theater.content import names, quotas, sharing
from theater.content.errors import ContentError, NoSuchStore, told
from theater.content.stores import Stores
from theater.grants.store import GRANT
from theater.values import U64, Bool, List, Option, String, Value, bytes_of, unit
from worker.interfaces.context import Context
from worker.interfaces.registry import Function, Interface, Refusal, Variant
from worker.interfaces.sending import STAYS

LIST_BYTES_MAX: Final = 8 << 20
"""Largest answer of the two functions that list: it is recorded in the chain like any other."""


class Desk:
    """What an actor keeps open: the stores of its tree, and its own grant."""

    def __init__(self, context: Context) -> None:
        if not context.content:
            raise Refusal("this host has no place for contents")
        options = GRANT.held_by(context)
        self.quotas = quotas.of_grant(options)
        self._shared: list[dict[str, Any]] = options["shared"]
        self._actor, self._path = context.actor_id, context.path
        with told(context.content):
            self.stores = Stores(context.content)
            self.stores.set_age(self._actor, self.quotas.unlabelled_ms)

    def close(self) -> None:
        """Let go of the database."""
        self.stores.close()

    def new(self) -> str:
        """Make a store of this actor's."""
        return self.stores.new(self._actor, self._path, self.quotas)

    def opened(self, store: String, *, writes: bool = False) -> str:
        """Return the id of a store that this actor may use so: its own, or one that its grant shares with it.

        Raises:
            NoSuchStore: there is none, or not for this actor.
        """
        found = self.stores.find(store.value) if names.is_store_id(store.value) else None
        if found is not None:
            if found.owner == self._actor:
                return found.id
            if sharing.may_use(self._shared, self._path, found.owner_path, writes=writes):
                return found.id
            if writes and sharing.may_use(self._shared, self._path, found.owner_path, writes=False):
                raise ContentError(f"not permitted: writing to the store {found.id} of {found.owner_path}")
        raise NoSuchStore(names.shown(store.value))

    def told(self) -> AbstractContextManager[None]:
        """What the disk and the database complain of is told in the guest's words."""
        return told(self.stores.directory)


def _refusing(call: Callable[..., Value]) -> Callable[..., Value]:
    """Errors of the store are the guest's to see."""

    @wraps(call)
    def wrapped(context: Context, *arguments: Value) -> Value:
        try:
            desk = context.service(Desk)
            with desk.told():
                return call(desk, *arguments)
        except ContentError as error:
            raise Refusal(str(error)) from None

    return wrapped


# -- contents ----------------------------------------------------------------------------------------------------------


@_refusing
def new(desk: Desk) -> Value:
    """A fresh id, that nobody can guess."""
    return String(desk.new())


@_refusing
def store(desk: Desk, store: String, content: List) -> Value:
    """The same bytes again are the same content."""
    return String(desk.stores.put(desk.opened(store, writes=True), _octets(content), desk.quotas))


@_refusing
def get(desk: Desk, store: String, ref: String) -> Value:
    """Checked against its content-ref before the guest sees it."""
    return bytes_of(desk.stores.get(desk.opened(store), names.checked_ref(ref.value)))


@_refusing
def exists(desk: Desk, store: String, ref: String) -> Value:
    """In this store: whether another one has it is not told."""
    return Bool(desk.stores.has(desk.opened(store), names.checked_ref(ref.value)))


@_refusing
def list_all_content(desk: Desk, store: String) -> Value:
    """Content-refs, in their order."""
    return _listed(desk.stores.refs(desk.opened(store)))


@_refusing
def calculate_total_size(desk: Desk, store: String) -> Value:
    """Bytes of all contents."""
    found = desk.stores.find(desk.opened(store))
    if found is None:
        raise NoSuchStore(store.value)
    return U64(found.bytes)


# -- labels ------------------------------------------------------------------------------------------------------------


@_refusing
def label(desk: Desk, store: String, label: String, ref: String) -> Value:
    """The label moves, if another content had it."""
    desk.stores.set_label(
        desk.opened(store, writes=True), names.checked_label(label.value), names.checked_ref(ref.value), desk.quotas
    )
    return unit()


@_refusing
def get_by_label(desk: Desk, store: String, label: String) -> Value:
    """None if nothing has the label."""
    ref = desk.stores.ref_at(desk.opened(store), names.checked_label(label.value))
    return Option(types.STRING, None if ref is None else String(ref))


@_refusing
def remove_label(desk: Desk, store: String, label: String) -> Value:
    """A label that is not there is no error."""
    desk.stores.remove_label(desk.opened(store, writes=True), names.checked_label(label.value))
    return unit()


@_refusing
def store_at_label(desk: Desk, store: String, label: String, content: List) -> Value:
    """Both or neither."""
    to, name = desk.opened(store, writes=True), names.checked_label(label.value)
    return String(desk.stores.put(to, _octets(content), desk.quotas, name))


@_refusing
def list_labels(desk: Desk, store: String) -> Value:
    """In their order."""
    return _listed(desk.stores.labels(desk.opened(store)))


def _octets(content: List) -> bytes:
    """The bytes; an empty list may be one of anything."""
    return content.items if isinstance(content.items, bytes) else b""


def _listed(texts: list[str]) -> Value:
    size = sum(len(each) for each in texts)
    if size > LIST_BYTES_MAX:
        raise ContentError(f"the list has {size} characters, more than the {LIST_BYTES_MAX} of an answer")
    return List(types.STRING, tuple(String(each) for each in texts))


# -- the declaration ---------------------------------------------------------------------------------------------------

_AT_LABEL = "func(store-id: string, label: string, content: list<u8>) -> result<string, string>"
_LABEL = "func(store-id: string, label: string, content-ref: string) -> result<_, string>"

INTERFACE: Final = Interface(
    GRANT.name,
    "Contents by their SHA-256, in stores that outlive the actor and the supervisor. A store is its maker's: another "
    "actor needs its id and a grant that names the maker. Whatever a call stores is on the disk when it returns. A "
    "content-ref is the lower-case hexadecimal SHA-256 of the content.",
    (
        Function("new", "Make an empty store; returns its id.", (Variant("func() -> result<string, string>", new),)),
        Function(
            "store",
            "Keep a content; returns its content-ref. Without a label it may be taken away after the time that the "
            "grant says (`unlabelled`), by default never.",
            (Variant("func(store-id: string, content: list<u8>) -> result<string, string>", store),),
        ),
        Function(
            "get",
            "A content. One whose file was changed or lost is an error, never other bytes.",
            (Variant("func(store-id: string, content-ref: string) -> result<list<u8>, string>", get),),
        ),
        Function(
            "exists",
            "Whether this store has the content.",
            (Variant("func(store-id: string, content-ref: string) -> result<bool, string>", exists),),
        ),
        Function(
            "label",
            "Put a label on a content of this store; a content that had the label loses it. Labels have 1 to 255 "
            "bytes, no control characters and, between slashes, no empty parts and no `.` or `..`.",
            (Variant(_LABEL, label),),
        ),
        Function(
            "get-by-label",
            "The content-ref with this label; none if there is none.",
            (Variant("func(store-id: string, label: string) -> result<option<string>, string>", get_by_label),),
        ),
        Function(
            "remove-label",
            "Take a label off, if it is there. The content stays.",
            (Variant("func(store-id: string, label: string) -> result<_, string>", remove_label),),
        ),
        Function(
            "store-at-label",
            "Keep a content and put a label on it, both or neither; returns its content-ref.",
            (Variant(_AT_LABEL, store_at_label),),
        ),
        Function(
            "replace-content-at-label",
            "The same as store-at-label: the label moves to the new content, the old one stays without it.",
            (Variant(_AT_LABEL, store_at_label),),
        ),
        Function(
            "replace-at-label", "The same as label: the label moves to this content.", (Variant(_LABEL, label),)
        ),
        Function(
            "list-all-content",
            "The content-refs of everything in the store, sorted.",
            (Variant("func(store-id: string) -> result<list<string>, string>", list_all_content),),
        ),
        Function(
            "calculate-total-size",
            "Bytes of all contents of the store.",
            (Variant("func(store-id: string) -> result<u64, string>", calculate_total_size),),
        ),
        Function(
            "list-labels",
            "The labels of the store, sorted.",
            (Variant("func(store-id: string) -> result<list<string>, string>", list_labels),),
        ),
    ),
    sends=STAYS,
)

INTERFACES: Final = (INTERFACE,)
