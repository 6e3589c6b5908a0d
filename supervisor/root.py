"""The root process: wires loop, sockets, store, spawner and trees together, runs them, and ends in order.

One thread owns everything here (the store's writer has one of its own). Signals: SIGINT or SIGTERM stops the tree in
order, a second one by force; SIGHUP is reserved and only logged. Works as PID 1: strangers are reaped.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import msgspec

from proto import control
from supervisor.cgroups import Cgroups
from supervisor.fleet.births import Births
from supervisor.fleet.bonds import Bonds
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.declarations import Declarations
from supervisor.fleet.families import Families
from supervisor.fleet.forest import MAIN, Forest
from supervisor.fleet.heartbeat import Heartbeat
from supervisor.fleet.history import History
from supervisor.fleet.links import Links
from supervisor.fleet.lives import Actor, Life, Register
from supervisor.fleet.names import Directory
from supervisor.fleet.peers import Peers
from supervisor.fleet.services import Directories, Services
from supervisor.fleet.subscriptions import Subscriptions
from supervisor.fleet.updates import UPDATE_PACKAGE, Updates
from supervisor.gate.gate import Gate
from supervisor.listeners import Listeners
from supervisor.loop import Loop, Timer
from supervisor.notify import notify
from supervisor.packages import Packages
from supervisor.refusals import Refusals
from supervisor.resources import count_actors, raise_file_limit
from supervisor.rundir import RunDir
from supervisor.sockets import Sockets
from supervisor.spawner.children import send_signal
from supervisor.spawner.plain import ExecSpawner
from supervisor.spawner.zygote import Template, ZygoteSpawner
from theater._version import __version__
from theater.actor import ActorSpec
from theater.retention import Retention
from theater.spec import SupervisorSpec

PROTOCOL = 1
FAILURES_MAX = 100
SLOW_MS = 1000


class RootOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a tree."""

    name: str
    tree_file: str
    run_dir: str
    store_dir: str
    cache_dir: str
    spawner: str = "zygote"
    """zygote | exec"""
    force_after_ms: int | None = None
    recovers: bool = False
    """Actors go on, as their ``recover`` says, from what an earlier run on the same store has left."""
    retention: Retention = Retention()
    """How much history the store keeps."""


class Outcome(msgspec.Struct, kw_only=True):
    """How the run ended."""

    started: bool = False
    reason: Any = None
    failures: list[str] = msgspec.field(default_factory=list)
    """Why starts failed, for people."""
    stopped_by_request: bool = False
    killed: int = 0
    """Workers that had to be killed while stopping; those that ask for it (``brutal_kill``) are not counted."""


class Root:
    """One run of one tree."""

    def __init__(
        self,
        options: RootOptions,
        spec: SupervisorSpec,
        log: Any,
        progress: Callable[[str, Life], None],
        on_up: Callable[[], None],
    ) -> None:
        self.options = options
        self.spec = spec
        self.outcome = Outcome()
        self._log = log
        self._progress = progress
        self._on_up = on_up
        self.on_compiling: Callable[[str], None] = lambda file: None
        """Told of packages that take long to compile: before the first start of a large one."""
        self._state = "starting"
        self._started_ns = time.time_ns()
        self._lifeline_in, self._lifeline_out = os.pipe()
        os.set_inheritable(self._lifeline_in, True)

    # -- the run -----------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Start the tree, serve until it has ended, clean up.

        Raises:
            RunDirError, ResourceError, StoreError: before anything was started.
        """
        raise_file_limit(count_actors(self.spec))
        run_dir = RunDir(self.options.run_dir)
        try:
            self._open(run_dir)
            try:
                self._begin(run_dir)
                self._s.loop.run()
            finally:
                self._close()
        finally:
            run_dir.close()
        return self.outcome

    def _open(self, run_dir: RunDir) -> None:
        """Wire everything. The template process is booted first: it works while we go on."""
        self._s = services = Services()
        template = None
        if self.options.spawner == "zygote":
            template = Template(self._lifeline_in, os.path.join(run_dir.path, "zygote.log"))
        services.lifeline = self._lifeline_in
        services.log = self._log
        services.dirs = Directories(run_dir.path, self.options.store_dir)
        services.loop = Loop()
        services.cgroups = Cgroups(self._log)
        services.recovers = self.options.recovers
        services.register = Register()
        self._refusals = Refusals(self._log)
        services.history = History(services, self._refusals, self.options.retention)
        services.names = Directory(services.history.name)
        services.names.remember(services.history.names())
        services.register.by_name = services.names.find
        services.sockets = Sockets(run_dir.path)
        services.packages = Packages(services.loop, self.options.cache_dir)
        services.declarations = Declarations(services.loop)
        services.spawner = (
            ZygoteSpawner(services.loop, self._lifeline_in, os.path.join(run_dir.path, "zygote.log"), template)
            if template is not None
            else ExecSpawner(services.loop, self._lifeline_in)
        )
        self._wire(services)

    def _wire(self, s: Services) -> None:
        refusals = self._refusals
        deaths = Deaths(s)
        births = Births(s, deaths)
        self._spares = births.spares
        s.forest = Forest(s, births, deaths)
        families = Families(s, deaths)
        peers = Peers(s)
        subscriptions = Subscriptions(s)
        heartbeat = Heartbeat(s, deaths)
        self._updates = updates = Updates(s, births, deaths)
        bonds = Bonds(s, deaths)
        families.on_linked = bonds.link

        def on_ask(life: Life, ask: control.Ask, bodies: list[bytes]) -> None:
            if ask.function in peers.functions:
                peers.on_ask(life, ask, bodies)
            elif ask.function == UPDATE_PACKAGE:
                updates.on_ask(life, ask)
            elif ask.function in bonds.functions:
                bonds.on_ask(life, ask, bodies)
            else:
                families.on_ask(life, ask, bodies)

        s.links = Links(s, births, refusals, on_ask)
        self._gate = gate = Gate(s, deaths, subscriptions, updates, bonds, refusals, self.about, self.stop)
        s.history.on_events += [subscriptions.on_events, families.on_events]
        s.forest.on_observed = self._observed
        s.forest.on_up = self._tree_up
        s.forest.on_down = lambda root, reason, started: self._tree_down(root, reason, started, families)
        self._listeners = Listeners(s)
        s.listeners_path = self._listeners.path
        deaths.on_end.append(self._life_ended)
        deaths.on_end.append(self._listeners.on_end)
        deaths.on_end.append(lambda life: s.loop.call_soon(lambda: peers.on_end(life)))
        deaths.on_end.append(lambda life: s.loop.call_soon(lambda: subscriptions.on_actor_gone(life.actor)))
        deaths.on_end.append(lambda life: s.loop.call_soon(lambda: _bury(s.register, life.actor)))
        updates.on_switched = [heartbeat.watch, lambda life: self._progress("started", life)]
        births.on_begun.append(peers.on_begin)
        births.on_started = [heartbeat.watch, families.on_started, lambda life: self._progress("started", life)]
        s.loop.add_socket(s.sockets.control, s.links.on_frames, copy=False)
        s.loop.add_socket(s.sockets.gate, gate.on_frames, copy=False)
        s.loop.add_socket(s.sockets.stream, s.history.on_frames, burst=32)

    def _begin(self, run_dir: RunDir) -> None:
        s = self._s
        s.loop.on_signal(signal.SIGINT, self._on_stop_signal)
        s.loop.on_signal(signal.SIGTERM, self._on_stop_signal)
        s.loop.on_signal(signal.SIGHUP, lambda: self._log.info("signal_ignored", signal="SIGHUP", note="reserved"))
        if os.getpid() == 1:
            from supervisor.strangers import Strangers

            s.loop.on_signal(signal.SIGCHLD, Strangers(s.loop, s.register.pids).look_soon)
        run_dir.announce(self.about())
        self._log.info("starting", tree=self.options.tree_file, name=self.options.name, pid=os.getpid())
        if os.path.isdir(s.dirs.terminals):
            from theater import terminals

            for device in terminals.restore(s.dirs.terminals):  # of a run that was killed
                self._log.info("terminal_restored", device=device)
        self._prepare_all(self._plant)

    def _plant(self) -> None:
        if self._state == "starting":  # else told to stop meanwhile
            self._s.forest.plant(MAIN, self.spec)

    def _prepare_all(self, done: Callable[[], None]) -> None:
        """Have every package of the tree compiled and mapped in the template before the first worker is forked."""
        files = sorted({(actor.package, actor.options.counts_fuel) for actor in actors_of(self.spec)})
        missing = len(files)
        if not files:
            self._s.loop.call_soon(done)
            return
        slow: Timer | None = None

        def compiling(file: str) -> None:
            """One after the other. What takes its time for other reasons is none of it."""
            nonlocal slow
            if slow is not None:
                slow.cancel()
            slow = self._s.loop.call_later(SLOW_MS, lambda: self.on_compiling(file))

        def prepared(package: Any) -> None:
            nonlocal missing
            missing -= 1
            if package.error is None:
                self._s.spawner.preload(package.artefact)
            if missing == 0:
                self._s.packages.on_compiling = lambda file: None
                if slow is not None:
                    slow.cancel()
                self._s.loop.call_soon(done)

        self._s.packages.on_compiling = compiling
        for file, counts_fuel in files:
            self._s.packages.resolve(file, prepared, counts_fuel)

    # -- what happens ------------------------------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """Who is running here."""
        return {
            "name": self.options.name,
            "pid": os.getpid(),
            "tree": self.options.tree_file,
            "store": self.options.store_dir,
            "started_ns": self._started_ns,
            "version": __version__,
            "protocol": PROTOCOL,
            "state": self._state,
        }

    def _tree_up(self, root: str) -> None:
        if root != MAIN:
            return
        self.outcome.started = True
        if self._state == "starting":
            self._state = "up"
        notify("READY=1")
        self._log.info("up", name=self.options.name)
        self._on_up()

    def _tree_down(self, root: str, reason: Any, started: bool, families: Families) -> None:
        if root != MAIN:
            families.on_down(root)
            if started and reason != "shutdown":
                self._log.error("family_gave_up", family=root, reason=reason)
            return
        self.outcome.reason = reason
        if self._state == "up":
            notify("STOPPING=1")  # it has given up by itself
        self._log.info("down", name=self.options.name, reason=reason)
        self._s.loop.call_soon(self._s.loop.stop)

    def _life_ended(self, life: Life) -> None:
        assert life.cause is not None
        is_news = self._state == "starting" and len(self.outcome.failures) < FAILURES_MAX
        if life.cause.kind == "start_failed" and is_news:
            self.outcome.failures.append(f"{life.actor.path}: {life.cause.step}: {life.cause.text}")
        if life.cause.kind == "killed" and life.cause.escalated and self._state == "stopping":
            self.outcome.killed += 1
        log = self._log.info if life.cause.is_clean else self._log.warning
        log("ended", actor=life.actor.path, incarnation=life.number, **_log_fields(life))
        self._progress("ended", life)

    def _observed(self, root: str, action: Any) -> None:
        """The core's reports (OTP's supervisor reports) and give-ups go to the log."""
        match type(action).__name__:
            case "Report":
                self._log.warning(
                    "supervisor_report",
                    supervisor=action.sup,
                    context=action.context,
                    child=action.child,
                    reason=action.reason,
                )
            case "GaveUp":
                self._log.error("supervisor_gave_up", supervisor=action.sup, child=action.child)

    # -- the end -----------------------------------------------------------------------------------------------------

    def _on_stop_signal(self) -> None:
        self.stop(self._state == "stopping")

    def stop(self, force: bool = False) -> None:
        """End the tree in order; by force if asked (workers are killed at once)."""
        if self._state != "stopping":
            self._state = "stopping"
            notify("STOPPING=1")
            self._log.info("stopping", force=force)
            self.outcome.stopped_by_request = True
        if force:
            for life in self._s.register.lives():
                self._s.forest.kill(life)
        if self._s.forest.has(MAIN):
            self._s.forest.stop(MAIN)
        else:
            if self.outcome.reason is None:
                self.outcome.reason = "shutdown"  # told to before the tree was begun
            self._s.loop.call_soon(self._s.loop.stop)

    def _close(self) -> None:
        """Give everything back; end what may be left of the workers (nothing, after an orderly end)."""
        s = self._s
        self._updates.close()
        for life in s.register.processes():
            if life.pidfd >= 0:
                send_signal(life.pidfd, signal.SIGKILL)
                os.waitid(os.P_PIDFD, life.pidfd, os.WEXITED)
                os.close(life.pidfd)
        self._spares.close()
        self._refusals.sum_up()
        s.packages.close()
        s.declarations.close()
        s.spawner.close()
        s.history.close()
        s.sockets.close()
        self._gate.close()
        self._listeners.close()
        s.loop.close()
        os.close(self._lifeline_in)
        os.close(self._lifeline_out)


def _bury(register: Register, actor: Actor) -> None:
    """A temporary actor never comes back: it is remembered for a while. (Families bury their children themselves.)"""
    if actor.restart == "temporary" and actor.parent is None and not actor.is_alive and not actor.is_restarting:
        register.bury(actor)


def actors_of(spec: SupervisorSpec) -> list[ActorSpec]:
    """Every actor declared in a tree, templates included."""
    found, todo = [], [spec]
    while todo:
        for child in todo.pop().children:
            if child.supervisor is not None:
                todo.append(child.supervisor)
            elif isinstance(child.actor, ActorSpec):
                found.append(child.actor)
    return found


def _log_fields(life: Life) -> dict[str, Any]:
    from theater.cause import describe

    assert life.cause is not None
    return {"cause": life.cause.kind, "text": describe(life.cause), "pid": life.pid}
