"""A file, or a text, to nodes: what can go wrong before any key is looked at is found and reported here."""

from __future__ import annotations

import os
import re
import stat

from theater.config.errors import Problems
from theater.config.node import MAP, Node, describe
from theater.config.yaml_source import Unusable
from theater.config.yaml_source import compose as compose_yaml

# What YAML 1.2 calls non-printable (section 5.1); TOML allows fewer still.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_file(path: str, shown: str, problems: Problems) -> Node | None:
    """Return the mapping a configuration file holds, or None with the reason among the problems.

    ``shown`` is how messages call the file. ``.toml`` is read as TOML, everything else as YAML.
    """
    try:
        data = _content(path, problems.bounds.bytes)
    except Unusable as error:
        problems.add(shown, *error.args)
        return None
    return read_text(data, shown, problems, toml=path.endswith(".toml"))


def read_text(data: bytes, shown: str, problems: Problems, *, toml: bool) -> Node | None:
    """Return the mapping a text holds, or None with the reason among the problems."""
    try:
        root = _compose(_decoded(data), shown, problems, toml)
    except Unusable as error:
        problems.add(shown, *error.args)
        return None
    if root is not None and root.kind != MAP:
        problems.add(shown, root.line, root.column, "", f"expected a mapping of keys, found {describe(root)}")
        return None
    return root


def _compose(text: str, shown: str, problems: Problems, toml: bool) -> Node | None:
    if toml and text.strip():
        from theater.config import toml_source

        return toml_source.compose(text, shown, problems)
    root = None if toml else compose_yaml(text, shown, problems)
    if root is None:
        raise Unusable(1, 1, "", "expected a mapping of keys, found an empty file")
    return root


def fault_of(path: str, why: str = "a file") -> str | None:
    """What is wrong with a path that should name a readable file, or None."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        return f"expected {why}, found {_reason(error)}"
    if stat.S_ISDIR(mode):
        return f"expected {why}, found a directory"
    if not stat.S_ISREG(mode):
        return f"expected {why}, found a device, pipe or socket"
    return None if os.access(path, os.R_OK) else f"expected {why} that may be read, found permission denied"


def _content(path: str, most: int) -> bytes:
    fault = fault_of(path)
    if fault is not None:
        raise Unusable(1, 1, "", fault)
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise Unusable(1, 1, "", f"expected a file that may be read, found {_reason(error)}") from None
    if len(data) > most:
        raise Unusable(1, 1, "", f"expected at most {most} bytes, found more")
    return data


def _open_at_once(path: str, flags: int) -> int:
    """Open what was a file a moment ago; should it be a pipe by now, nobody waits for its other end."""
    return os.open(path, flags | os.O_NONBLOCK)


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode("utf-8", "replace"))
        raise Unusable(
            line, column, "", f"expected UTF-8 text, found the byte 0x{data[error.start]:02x}"
        ) from None
    bad = _FORBIDDEN.search(text)
    if bad:
        line, column = _place(text[: bad.start()])
        raise Unusable(line, column, "", f"expected text, found the control character U+{ord(bad[0]):04X}")
    return text


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "nothing of that name"
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else "a name no file can have"
