"""``theater:simple/links``: links, monitors and exit signals between actors, as Erlang has them (erlang(3)).

Nothing is decided here: the root knows who lives, and whom this actor may reach (supervisor.fleet.bonds).
"""

from __future__ import annotations

from typing import Final

from theater.grants import LINKS
from theater.values import U64, Bool, Option, String, Value, unit
from worker.interfaces.context import Context
from worker.interfaces.registry import Callback, Function, Interface, Variant
from worker.interfaces.sending import GIVEN, STAYS

CLIENT: Final = "theater:simple/links-client"
DOWN: Final = f"{CLIENT}.handle-down"


def link(context: Context, actor: String) -> Value:
    """link/1."""
    data, _ = context.ask("links.link", {"actor": actor.value})
    return String(data["id"])


def unlink(context: Context, actor: String) -> Value:
    """unlink/1."""
    context.ask("links.unlink", {"actor": actor.value})
    return unit()


def spawn_link(context: Context, manifest: String, state: Option, wasm: Option) -> Value:
    """spawn_link/1: the link is there before the child's end can be told."""
    from worker.interfaces.supervisor import exactly, start

    return String(start(context, manifest, exactly(state), wasm, link=True)["id"])


def monitor(context: Context, actor: String) -> Value:
    """monitor/2."""
    data, _ = context.ask("links.monitor", {"actor": actor.value})
    return U64(data["ref"])


def demonitor(context: Context, ref: U64, flush: Bool) -> Value:
    """demonitor/2. What the root sent before its answer is here before its answer: so flushing finds it."""
    data, _ = context.ask("links.demonitor", {"ref": ref.value})
    if flush.value:
        context.withdraw(DOWN, ref.value)
    return Bool(data["was_there"])


def trap_exit(context: Context, trap: Bool) -> Value:
    """process_flag(trap_exit, Trap)."""
    data, _ = context.ask("links.trap-exit", {"traps": trap.value})
    return Bool(data["before"])


def exit_(context: Context, actor: String, reason: String) -> Value:
    """exit/2."""
    context.ask("links.exit", {"actor": actor.value, "reason": reason.value})
    return unit()


INTERFACE: Final = Interface(
    LINKS,
    "Learn of the ends of other actors, and end together with them, as in Erlang. An actor is named by its id or by "
    "its path in the tree. A bond is with its present incarnation: a restart is an end, and the next incarnation has "
    "no links. Which actors may be named is said by the grant; any other is refused alike, whether it exists or not.",
    (
        Function(
            "link",
            "Link with an actor, in both directions, once however often it is asked for; answers its id. When one of "
            "the two ends, the other gets an exit signal with the reason of that end. Nobody there: the caller gets an "
            "exit signal noproc, and the answer is the name that was given.",
            (Variant("func(actor: string) -> result<string, string>", link),),
            own=True,
            sends=STAYS,
        ),
        Function(
            "unlink",
            "Take the link back. A handle-exit that waits already still comes.",
            (Variant("func(actor: string) -> result<_, string>", unlink),),
            own=True,
            sends=STAYS,
        ),
        Function(
            "spawn-link",
            "Start a child as theater:simple/supervisor.spawn does, linked with it from its first moment. Wants the "
            "grant supervisor too.",
            (
                Variant(
                    "func(manifest: string, init-state: option<value>, wasm-bytes: option<list<u8>>) "
                    "-> result<string, string>",
                    spawn_link,
                ),
                Variant(
                    "func(manifest: string, init-state: option<list<u8>>, wasm-bytes: option<list<u8>>) "
                    "-> result<string, string>",
                    spawn_link,
                    "in WIT; the bytes are the state",
                ),
            ),
            own=True,
            sends=GIVEN,
        ),
        Function(
            "monitor",
            "Be told once when the actor ends: handle-down with this reference. Every call is a monitor of its own. "
            "Nobody there: handle-down comes at once, with the reason noproc.",
            (Variant("func(actor: string) -> result<u64, string>", monitor),),
            own=True,
            sends=STAYS,
        ),
        Function(
            "demonitor",
            "Take a monitor back; whether it was there, that is, had not fired. With flush a handle-down of it that "
            "waits already is taken back, too.",
            (Variant("func(ref: u64, flush: bool) -> result<bool, string>", demonitor),),
            own=True,
            sends=STAYS,
        ),
        Function(
            "trap-exit",
            "Have exit signals arrive as handle-exit (true), or take effect (false, as it is at first): normal does "
            "nothing, any other reason ends the actor at once, with that reason. Answers how it was before.",
            (Variant("func(trap: bool) -> result<bool, string>", trap_exit),),
            own=True,
            sends=STAYS,
        ),
        Function(
            "exit",
            "Send an actor an exit signal. The reason kill ends it whether it traps or not, with the reason killed; "
            "normal does nothing, but to the caller itself. Nobody there: nothing happens.",
            (Variant("func(actor: string, reason: string) -> result<_, string>", exit_),),
            own=True,
            sends=GIVEN,
        ),
    ),
    (
        Callback(
            f"{CLIENT}.handle-exit",
            "func(from: string, reason: string)",
            "An exit signal arrived, while they are trapped: from an actor with this id, or for a link with nobody, "
            "whatever it was called.",
        ),
        Callback(
            DOWN,
            "func(ref: u64, actor: string, reason: string)",
            "A monitored actor has ended; it is called what it was called in monitor.",
        ),
    ),
)

INTERFACES: Final = (INTERFACE,)
