"""What a person sees while bytes arrive."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from scripts.console import progress
from scripts.console.progress import Bar, human

if TYPE_CHECKING:
    from collections.abc import Callable

    Capture = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def eager(name: str, make: Callable[[str], Any] = progress._bar) -> Any:  # noqa: ANN401, SLF001
    """Make the bar, and let it draw at every byte."""
    bar = make(name)
    bar.mininterval, bar.miniters, bar.dynamic_miniters = 0, 1, False
    return bar


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (375_042_383, "375.0 MB"), (2.57e9, "2.57 GB"),
     (9e12, "9000.00 GB")],
)  # fmt: skip
def test_sizes_are_decimal_as_publishers_count_them(size: float, words: str) -> None:
    """With as many digits as help."""
    assert human(size) == words


def test_results_go_to_stdout_and_words_to_stderr(capsys: Capture) -> None:
    """So that a pipe gets results alone."""
    progress.say("result")
    progress.note("word")

    assert capsys.readouterr() == ("result\n", "word\n")


def test_off_a_terminal_a_line_is_said_now_and_then(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came, what is to come, how long yet."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Bar("name") as bar:
        bar.start(100_000_000, 20_000_000)
        bar.advance(10_000_000)
        now = 110.5
        bar.advance(11_000_000)
        bar.advance(1)

    assert capsys.readouterr().err == "name: 41.0 MB of 100.0 MB, 41%, 30 s left, 2.0 MB/s\n"


def test_without_a_total_or_a_rate_nothing_is_foretold(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher that does not say how long its file is; and one that sends nothing."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for total in (None, 10):
        bar = Bar("name")
        bar.start(total, 5)
        now += 20
        bar.advance(0)

    said = capsys.readouterr().err.splitlines()
    assert said == ["name: 5 B, 0 B/s", "name: 5 B of 10 B, 50%, inf s left, 0 B/s"]


def test_a_quiet_bar_says_nothing(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Bar("name", quiet=True) as bar:
        bar.start(10, 0)
        now = 200.0
        bar.advance(5)

    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_is_drawn_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts again where a transfer does, and never counts a byte twice."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "_bar", eager)
    with Bar("name") as bar:
        bar.start(100, 0)
        bar.advance(100)
        bar.start(100, 50)
        bar.advance(50)

    drawn = screen.getvalue()
    assert "name: 100%" in drawn
    assert "name:  50%" in drawn
    assert "150" not in drawn
    assert drawn.endswith("\r")


def test_what_is_said_stands_above_the_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is taken away first, so that nothing of it is left behind a shorter line."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Bar("name") as bar:
        bar.start(100, 0)
        progress.note("a line")

    before, _, _ = screen.getvalue().partition("a line\n")
    assert before.endswith("\r")


def test_bars_within_one_count_as_one(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off a terminal only the outer one speaks; its rate is of all the bytes that came."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Bar("all") as outer, Bar("one", within=outer) as one, Bar("two", within=outer) as two:
        one.start(60, 20)
        two.start(40, 0)
        one.advance(10)
        one.start(60, 0)
        one.advance(30)
        now = 120.0
        two.advance(20)

    assert capsys.readouterr().err == "all: 50 B of 100 B, 50%, 17 s left, 3 B/s\n"


def test_an_outer_bar_grows_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its total is the sum of what has been told."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "_bar", eager)
    with Bar("all") as outer, Bar("one", within=outer) as one, Bar("two", within=outer) as two:
        one.start(60, 0)
        two.start(40, 0)
        one.advance(50)

    assert "all:  50%" in screen.getvalue()
    assert "one:  83%" in screen.getvalue()
