"""scripts.console.progress: bars and lines during a download."""

from __future__ import annotations

import io
import sys
import time
import types
from typing import TYPE_CHECKING, Any

import pytest

from scripts.console import progress
from scripts.console.progress import Bar, human

if TYPE_CHECKING:
    from collections.abc import Callable

    Capture = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def eager(name: str, make: Callable[[str], Any] = progress._bar) -> Any:  # noqa: ANN401, SLF001
    """Make a bar that is drawn at every byte."""
    bar = make(name)
    bar.mininterval, bar.miniters, bar.dynamic_miniters = 0, 1, False
    return bar


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (375_042_383, "375.0 MB"), (2.57e9, "2.57 GB"),
     (9e12, "9000.00 GB")],
)  # fmt: skip
def test_sizes_are_decimal(size: float, words: str) -> None:
    """The digits depend on the unit."""
    assert human(size) == words


def test_results_go_to_stdout_and_messages_to_stderr(capsys: Capture) -> None:
    """A pipe gets results alone."""
    progress.say("result")
    progress.note("word")

    assert capsys.readouterr() == ("result\n", "word\n")


def test_without_a_terminal_a_line_is_printed_every_few_seconds(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the bytes so far, the total, the time left and the rate."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Bar("name") as bar:
        bar.start(100_000_000, 20_000_000)
        bar.advance(21_000_000)
        now = 110.5
        bar.show()

    assert capsys.readouterr().err == "name: 41.0 MB of 100.0 MB, 41%, 30 s left, 2.0 MB/s\n"


def test_a_line_says_that_no_byte_has_arrived(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first response, after it, and later; a size may be unknown."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    bar = Bar("name")
    steps: list[Callable[[], None]] = [
        lambda: None,
        lambda: bar.start(None, 5),
        lambda: bar.start(10, 5),
        lambda: bar.advance(1),
        lambda: None,
    ]
    for step in steps:
        step()
        now += 10
        bar.show()

    said = capsys.readouterr().err.splitlines()
    assert said == [
        "name: 0 B, 0 bytes in 10 s",
        "name: 5 B, 0 bytes in 10 s",
        "name: 5 B of 10 B, 50%, 0 bytes in 10 s",
        "name: 6 B of 10 B, 60%, 40 s left, 0 B/s",
        "name: 6 B of 10 B, 60%, 0 bytes in 10 s",
    ]


def test_a_line_is_printed_whatever_arrives(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher that sends nothing is not waited for in silence; the end is the end."""
    monkeypatch.setattr(progress, "_EVERY", 0.02)
    said = ""
    with Bar("name") as bar:
        deadline = time.monotonic() + 10
        while said.count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().err
    bar.show()

    assert said.startswith("name: 0 B, 0 bytes in 0 s\nname: 0 B, 0 bytes")
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_bar_before_the_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock goes on."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Bar("name") as bar:
        bar.show()

    assert "name: 0.00B" in screen.getvalue()


def test_a_quiet_bar_prints_nothing(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """This does not depend on the time."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Bar("name", quiet=True) as bar:
        bar.start(10, 0)
        now = 200.0
        bar.advance(5)

    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_is_drawn_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It restarts with a transfer, and counts no byte twice."""
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


def test_messages_are_printed_above_the_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is cleared first, so that no rest of it is left behind a shorter line."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Bar("name") as bar:
        bar.start(100, 0)
        progress.note("a line")

    before, _, _ = screen.getvalue().partition("a line\n")
    assert before.endswith("\r")


def test_inner_bars_add_up(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal only the outer one prints; its rate counts all bytes."""
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
        outer.show()

    assert capsys.readouterr().err == "all: 50 B of 100 B, 50%, 17 s left, 3 B/s\n"


def test_an_outer_bar_grows_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its total is the sum of the inner ones."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "_bar", eager)
    with Bar("all") as outer, Bar("one", within=outer) as one, Bar("two", within=outer) as two:
        one.start(60, 0)
        two.start(40, 0)
        one.advance(50)

    assert "all:  50%" in screen.getvalue()
    assert "one:  83%" in screen.getvalue()


def test_a_line_is_printed_while_another_thread_imports_tqdm(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A download does, through gdown, as soon as it needs it."""
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))

    progress.say("text")

    assert capsys.readouterr().out == "text\n"
