"""The options of grants that reach no further than this machine: time, chance, files, programs, a terminal."""

from __future__ import annotations

from theater.config.groups import ListOf, PathFromHere, Texts
from theater.config.kinds import Flag, Part, Text, Whole, duration, size
from theater.config.limits import SIZE_BYTES_MAX
from theater.config.reader import Field, Section
from theater.grant_limits import DEFAULTS
from theater.grants import (
    ASSEMBLER,
    ENVIRONMENT,
    FILESYSTEM,
    LOOP,
    PROCESS,
    RANDOM,
    TERMINAL,
    TIMER,
    TIMING,
)

_CONTENT_BYTES_MAX = 64 << 20
"""What a host call may carry at most: it is recorded in the chain as a whole."""


def _count(grant: str, target: str, doc: str, most: int) -> Field:
    return Field(wants=Whole(1, most), doc=doc, default=str(DEFAULTS[grant][target]), target=target)


def _time(grant: str, target: str, doc: str, least_ms: int = 1) -> Field:
    ms = DEFAULTS[grant][target]
    default = f"{ms // 1000}s" if ms and ms % 1000 == 0 else f"{ms}ms"
    return Field(wants=duration(least_ms), doc=doc, default=default, target=target)


def _size(grant: str, target: str, doc: str, most: int = _CONTENT_BYTES_MAX) -> Field:
    amount = DEFAULTS[grant][target]
    default = f"{amount >> 20}MiB" if amount % (1 << 20) == 0 else f"{amount >> 10}KiB"
    return Field(wants=size(0, most), doc=doc, default=default, target=target)


DIRECTORY = Section(
    name="directory",
    doc="A directory the guest may open.",
    fields={
        "host": Field(
            wants=PathFromHere("a directory"), doc="The directory; relative to this file.", required=True
        ),
        "guest": Field(wants=Text(), doc="The path under which the guest sees it.", required=True),
        "write": Field(wants=Flag(), doc="It may also change what is in it.", default="false"),
    },
)
_TIMER = Section(
    name="timer",
    doc="Timers that call the actor, and the time of day.",
    fields={
        "max_timers": _count(TIMER, "timers_max", "Timers set at one time.", 10_000),
        "min_interval": _time(TIMER, "interval_ms_min", "Shortest interval."),
    },
)
_RANDOM = Section(
    name="random",
    doc="Random numbers and bytes of the operating system.",
    fields={"max_bytes": _size(RANDOM, "bytes_max", "Most bytes of one call.")},
)
_TIMING = Section(
    name="timing",
    doc="Clocks, and sleeping.",
    fields={"max_sleep": _time(TIMING, "sleep_ms_max", "Longest sleep.", 0)},
)
_ENVIRONMENT = Section(
    name="environment",
    doc="Read the variables named here; those of the host are not seen.",
    fields={"variables": Field(wants=Texts("variables by name"), doc="The variables.", default="none")},
)
_FILESYSTEM = Section(
    name="filesystem",
    doc="Files below the directories named. Symbolic links are never followed.",
    fields={
        "directories": Field(
            wants=ListOf(Part(DIRECTORY), "a list of directories"), doc="Directories it may open.", default="none"
        ),
        "max_file": _size(FILESYSTEM, "file_bytes_max", "Most bytes one call reads, writes or copies."),
        "max_entries": _count(FILESYSTEM, "entries_max", "Most entries of a directory that is listed.", 1_000_000),
    },
)
_LOOP = Section(
    name="loop",
    doc="Have the actor called again and again, between its other operations.",
    fields={"pause": _time(LOOP, "pause_ms_min", "Least time from the end of a turn to the next one.", 0)},
)
_ASSEMBLER = Section(
    name="assembler",
    doc="Make modules from WebAssembly text.",
    fields={"max_source": _size(ASSEMBLER, "source_bytes_max", "Longest text.", SIZE_BYTES_MAX)},
)
_TERMINAL = Section(
    name="terminal",
    doc="Write to the log, or write to and read from a terminal.",
    fields={
        "device": Field(
            wants=PathFromHere("a terminal device"),
            doc="The terminal, such as /dev/pts/3.",
            default="none: what is written goes to the log",
        ),
        "write_timeout": _time(TERMINAL, "write_ms_max", "Time for a terminal to take what is written."),
    },
)
_PROCESS = Section(
    name="process",
    doc="Run the programs named, without a shell, with the environment given here and no other.",
    fields={
        "programs": Field(
            wants=ListOf(PathFromHere("a program"), "a list of programs"),
            doc="Programs it may run, by the path the actor calls them by; arguments are the actor's choice.",
            required=True,
        ),
        "environment": Field(
            wants=Texts("environment variables by name"), doc="Environment of the programs.", default="none"
        ),
        "directory": Field(wants=PathFromHere("a directory"), doc="Where the programs run.", default="/"),
        "timeout": _time(PROCESS, "run_ms_max", "Time for a program that is waited for."),
        "max_input": _size(PROCESS, "input_bytes_max", "Most bytes given to a program at once."),
        "max_output": _size(PROCESS, "output_bytes_max", "Most bytes taken at once of each of its two outputs."),
        "max_processes": _count(PROCESS, "processes_max", "Programs running at one time.", 1_000),
    },
)

LOCAL: dict[str, Section] = {
    TIMER: _TIMER,
    RANDOM: _RANDOM,
    TIMING: _TIMING,
    ENVIRONMENT: _ENVIRONMENT,
    FILESYSTEM: _FILESYSTEM,
    LOOP: _LOOP,
    ASSEMBLER: _ASSEMBLER,
    TERMINAL: _TERMINAL,
    PROCESS: _PROCESS,
}
"""Full name of an interface to the options its grant takes."""
