"""Whether a child asks for no more than its parent holds: every grant, and every option of one (design D10).

What a parent holds, and passes on (``pass``), is the most its children may have, by whatever way they are declared: a
manifest comes from the guest, and is not to be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from supervisor.fleet.local_permits import LOCAL_CHECKS, beyond_directories
from supervisor.fleet.tcp_permits import beyond_addresses, beyond_tcp
from theater import reach
from theater.addresses import covers
from theater.content import quotas, sharing
from theater.grants import HTTP, HTTP_CLIENT, LINKS, MESSAGES, NAMES, RPC, STORE, TCP, WASI, short_name
from theater.origins import allows

Options = Mapping[str, Any]
Grants = Mapping[str, Options]


def beyond(held: Grants, asked: Grants) -> list[str]:
    """What of ``asked`` is not covered by ``held``, one text each; empty if all of it is."""
    found = [short_name(name) for name in sorted(set(asked) - set(held))]
    for name, check in _CHECKS.items():
        if name in held and name in asked:
            found += [f"{short_name(name)}: {text}" for text in check(held[name], asked[name])]
    return found


def withheld(held: Grants, passes: Mapping[str, Any], asked: Grants) -> list[str]:
    """What of ``asked`` a parent with this ``pass`` section holds, but does not pass on; one text each.

    Options that a narrower rule does not name are as the parent holds them.
    """
    found = []
    for name, options in sorted(asked.items()):
        rule = passes.get(name, passes.get("others", "inherit"))
        if rule == "disallow":
            found.append(short_name(name))
        elif rule != "inherit" and name in _CHECKS:
            found += [f"{short_name(name)}: {text}" for text in _CHECKS[name]({**held.get(name, {}), **rule}, options)]
    return found


def _wasi(held: Options, asked: Options) -> list[str]:
    return beyond_directories(held, asked) + beyond_addresses(held.get("sockets", {}), asked.get("sockets", {}))


def _http(held: Options, asked: Options) -> list[str]:
    mine, theirs = held.get("listen"), asked.get("listen")
    if theirs is not None and (mine is None or _host(mine) != _host(theirs)):
        return [f"listening on {theirs}"]
    return _larger(held, asked, HTTP_LIMITS)


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def _http_client(held: Options, asked: Options) -> list[str]:
    mine = held.get("allow", [])
    others = [f"requests to {each}" for each in asked.get("allow", []) if not allows(mine, each)]
    return others + _larger(held, asked, CLIENT_LIMITS)


def _store(held: Options, asked: Options) -> list[str]:
    shared = sharing.beyond(held.get("shared", []), asked.get("shared", []))
    return shared + _larger(held, {**quotas.LIMITS, **asked}, quotas.LIMITS)


def _rpc(held: Options, asked: Options) -> list[str]:
    return _beyond_reach(held, asked, []) + _larger(held, asked, RPC_LIMITS)


def _messages(held: Options, asked: Options) -> list[str]:
    return _beyond_reach(held, asked, ANYBODY) + _larger(held, asked, MESSAGE_LIMITS)


def _names(held: Options, asked: Options) -> list[str]:
    return _beyond_reach(held, asked, ANY_NAME)


def _beyond_reach(held: Options, asked: Options, default: list[str]) -> list[str]:
    """Own children are everybody's own: they need not be the parent's to reach."""
    mine = held.get("allow", default)
    others = [each for each in asked.get("allow", default) if not any(covers(own, each) for own in mine)]
    found = [f"reaching {each}" for each in others]
    if asked.get("children") and not held.get("children") and default != ANYBODY:
        found.append("reaching its children")
    return found


def _links(held: Options, asked: Options) -> list[str]:
    """What it may link with, it may monitor; family needs no naming."""
    linked = held.get("allow", [])
    watched = [*linked, *held.get("monitor", [])]
    return [
        f"{verb} {each}"
        for verb, key, mine in (("links with", "allow", linked), ("monitors of", "monitor", watched))
        for each in asked.get(key, [])
        if not any(reach.covers(own, each) for own in mine)
    ]


def _larger(held: Options, asked: Options, limits: Mapping[str, int]) -> list[str]:
    """What is not written is the default, on both sides."""
    return [
        f"{name} of {asked.get(name, default)} (the parent has {held[name]})"
        if name in held
        else f"{name} of {asked[name]} (the parent has {default})"
        for name, default in limits.items()
        if asked.get(name, default) > held.get(name, default)
    ]


ANYBODY: Final = ["/**", "*"]
ANY_NAME: Final = ["*"]
RPC_LIMITS: Final = {"timeout_ms": 30_000, "timeout_max_ms": 300_000}
MESSAGE_LIMITS: Final = {"timeout_ms": 30_000, "window": 100, "channels_max": 1000, "requests_max": 1000}
HTTP_LIMITS: Final = {"body_bytes_max": 16 << 20, "connections_max": 64, "timeout_ms": 30_000}
CLIENT_LIMITS: Final = {"body_bytes_max": 16 << 20, "requests_max": 16, "timeout_ms": 30_000}

_CHECKS: Final[Mapping[str, Callable[[Options, Options], list[str]]]] = {
    LINKS: _links,
    WASI: _wasi,
    HTTP: _http,
    HTTP_CLIENT: _http_client,
    STORE: _store,
    **LOCAL_CHECKS,
    TCP: beyond_tcp,
    RPC: _rpc,
    MESSAGES: _messages,
    NAMES: _names,
}
