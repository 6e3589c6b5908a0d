"""Text of others on a terminal: shown, not obeyed; JSON stays what it is."""

from __future__ import annotations

import io
import sys
import unicodedata

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli import output
from supervisor.shown import shown, shown_lines

UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ä 猫 é\u3000\u00a0!", "plain ä 猫 é\u3000\u00a0!"),
        ("\x1b[2J\x07\x9b", "\\u001b[2J\\u0007\\u009b"),
        ("a\r\n\tb\x7f", "a\\r\\n\\tb\\u007f"),
        ("\u202e\u2066\u200f\u061c", "\\u202e\\u2066\\u200f\\u061c"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\u0085"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("\udc80", "\\udc80"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, expected: str) -> None:
    """As JSON writes it; letters and spaces of all languages are let through."""
    assert shown(text) == expected


@given(st.text())
def test_nothing_that_steers_is_left(text: str) -> None:
    """Whatever it is: control, format, private and unassigned characters, ends of lines."""
    assert not [each for each in shown(text) if unicodedata.category(each) in UNSEEN]
    assert not [each for each in shown_lines(text) if each not in "\n\t" and unicodedata.category(each) in UNSEEN]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_means_the_same(text: str) -> None:
    """Programs get exactly what was said."""
    written = shown_lines(output.to_json({text: [text]}).decode() + "\n")

    assert msgspec.json.decode(written) == {text: [text]}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_yaml_means_the_same(text: str) -> None:
    """Also where it has to be written out."""
    written = output.to_yaml({"a": text})

    assert shown_lines(written) == written
    assert yaml.safe_load(written) == {"a": text}


def test_colours_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What we want a terminal to do reaches it, what is in a painted text does not."""
    terminal = _on_terminal(monkeypatch)
    output.write(output.paint("bad \x1b[32m", output.BAD) + "\n")

    assert terminal.getvalue() == "\x1b[31mbad \\u001b[32m\x1b[0m\n"


def test_a_cell_stays_in_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends of lines in a text make no line of a table."""
    terminal = _on_terminal(monkeypatch)
    output.show([{"a": "x\ny\x1b", "b": 1}], ("a", "b"), "table")

    assert terminal.getvalue().splitlines()[1].replace("\x1b[0m", "") == "x\\ny\\u001b  1"


def _on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return terminal
