"""scripts.console.listing: colours on a terminal, and no line that breaks."""

from __future__ import annotations

import sys

import pytest

from scripts.console.listing import show

TEXT = f"Next:\n  ./checkpoints fetch raft  {'word ' * 20}"
Capture = pytest.CaptureFixture[str]


def terminal(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    """Let stdout be a terminal of 60 columns."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm", "COLUMNS": "60", "LINES": "20"} | more).items():
        monkeypatch.setenv(name, value)


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Of headings and commands; with `crop` what does not fit ends in an ellipsis."""
    terminal(monkeypatch)

    show(TEXT)
    show(TEXT, crop=True)

    heading, line, _, cropped = capsys.readouterr().out.splitlines()
    assert heading == "\x1b[1mNext:\x1b[0m"
    assert line.startswith("\x1b[36m  ./checkpoints fetch raft\x1b[0m  word")
    assert line.count("word") == 20
    assert cropped.endswith("…")


@pytest.mark.parametrize("refused", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(
    refused: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """By the two variables that many programs know: the lines are plain, and whole."""
    terminal(monkeypatch, **refused)

    show(TEXT, crop=True)

    assert capsys.readouterr().out == TEXT + "\n"


def test_elsewhere_there_are_plain_whole_lines(capsys: Capture) -> None:
    """As in a pipe."""
    show(TEXT, crop=True)

    assert capsys.readouterr().out == TEXT + "\n"
