"""scripts.console.progress: bars and lines during a download."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from scripts.console import command as commands
from scripts.console import progress
from scripts.console.command import command
from scripts.console.progress import Bar, duration, human, shortened
from tests.console.screens import Screen, terminal
from tests.world.processes import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Capture = pytest.CaptureFixture[str]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A terminal of 80 columns that shows messages and results."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(progress, "_REDRAW", 100)  # a test draws by itself
    with terminal() as opened:
        # Not in `sys` itself, where pytest sets its own before each test.
        both = SimpleNamespace(stderr=opened.stream, stdout=opened.stream)
        for module in (progress, commands):
            monkeypatch.setattr(module, "sys", both)
        yield opened


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Start at some time."""
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


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

    assert capsys.readouterr().err == "name: 41%, 41.0 MB of 100.0 MB, 2.0 MB/s, 30 s left\n"


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
        "name: 50%, 5 B of 10 B, 0 bytes in 10 s",
        "name: 60%, 6 B of 10 B, 0 B/s, 40 s left",
        "name: 60%, 6 B of 10 B, 0 bytes in 10 s",
    ]


def test_a_line_is_printed_whatever_arrives(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher that sends nothing is not waited for in silence; the end is the end."""
    monkeypatch.setattr(progress, "_EVERY", 0.02)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=float))  # it stands still
    said = ""
    with Bar("name") as bar:
        deadline = time.monotonic() + PATIENCE
        while said.count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().err
    capsys.readouterr()  # of a line that came before the end
    bar.show()

    assert said.startswith("name: 0 B, 0 bytes in 0 s\nname: 0 B, 0 bytes")
    assert capsys.readouterr().err == ""


def test_a_quiet_bar_prints_nothing(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """This does not depend on the time."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Bar("name", quiet=True) as bar:
        bar.start(10, 0)
        now = 200.0
        bar.advance(5)

    assert capsys.readouterr().err == ""


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

    assert capsys.readouterr().err == "all: 50%, 50 B of 100 B, 3 B/s, 17 s left\n"


def test_lines_have_true_totals(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all files, before the first of them has begun; an estimate is marked."""
    clock = Clock(monkeypatch)
    with Bar("all") as outer:
        outer.expect({"one": 1_000_000_000, "rest": 8_990_000_000}, 25, estimated=True)
        with Bar("one", within=outer) as one:
            one.start(1_000_000_000, 0)
            clock.now += 10
            one.advance(999_000_000)
            outer.file_done(3)
            outer.show()

    line = "all: 10%, 3/25, 999.0 MB of ~9.99 GB, 99.9 MB/s, ~1 min 30 s left\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0.4 s"), (6, "6 s"), (59, "59 s"), (192, "3 min 12 s"), (7300, "2 h 1 min")],
)
def test_a_time_is_in_words(seconds: float, words: str) -> None:
    """As one says it."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("width", "words"), [(30, "tapnet_checkpoint_wo_optstate"), (12, "tapnet…state"), (1, "…")]
)
def test_a_long_name_loses_its_middle(width: int, words: str) -> None:
    """Its end tells it from its neighbour."""
    assert shortened("tapnet_checkpoint_wo_optstate", width) == words


def test_a_terminal_shows_everything(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for all, one for each file that is under way; nothing stays at the end."""
    clock = Clock(monkeypatch)
    with Bar("all") as outer:
        outer.expect({"sam_vit_h": 200, "raft": 200}, 25, estimated=False)
        outer.file_done(7)
        outer.show()
        assert "0%  7/25  0 B of 400 B" in screen.read()
        with Bar("sam_vit_h", within=outer) as one, Bar("raft", within=outer):
            one.start(200, 0)
            clock.now += 2
            one.advance(100)
            outer.show()
            first, second = screen.read().splitlines()
            assert first == "━" * 7 + "─" * 23 + "  25%  7/25  100 B of 400 B  50 B/s  6 s left"
            assert second == "  sam_vit_h  50%  100 B"

    assert screen.read() == ""


def test_one_file_has_its_name_in_the_line(screen: Screen) -> None:
    """And a bar, once its size is known."""
    with Bar("sam_vit_h") as bar:
        bar.show()
        assert screen.read() == "sam_vit_h  0 B"
        bar.start(100, 30)
        bar.show()
        assert screen.read().endswith("sam_vit_h  30%  30 B of 100 B")


def test_a_percentage_never_falls(screen: Screen) -> None:
    """A source starts again, a file turns out larger, a wrong one is dropped."""
    seen = []
    with Bar("all") as outer:
        outer.expect({"one": 50, "two": 50}, 2, estimated=True)

        def look() -> None:
            outer.show()
            seen.append(int(screen.read().split("%")[0].split()[-1]))

        with Bar("one", within=outer) as one:
            for size, advanced in ((50, 40), (50, 50), (500, 500)):
                one.start(size, 0)
                look()
                one.advance(advanced)
                look()
        with suppress(ValueError), Bar("two", within=outer) as two:
            two.start(50, 0)
            two.advance(50)
            look()
            raise ValueError
        look()

    assert seen == [0, 40, 40, 50, 50, 90, 99, 99]


def test_only_files_that_are_done_make_100_percent() -> None:
    """The last bytes are there before they are verified, even if the total was exact."""
    outer = Bar("all", quiet=True)
    outer.expect({"one": 60, "two": 40}, 2, estimated=False)
    seen = []
    for name, size in (("one", 60), ("two", 40)):
        with Bar(name, within=outer) as inner:
            inner.start(size, 0)
            inner.advance(size)
        seen.append(outer.percent)
        outer.file_done()
        seen.append(outer.percent)

    assert seen == [60, 60, 99, 100]


def left(bar: Bar, capsys: Capture) -> str:
    """Return what a line says of the total and of the time left."""
    bar.show()
    return ", ".join(re.findall(r"of ~?\S+ \S+(?=,)|~?\d+ s left", capsys.readouterr().err))


def test_the_time_left_follows_what_sources_announce(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is larger than its estimate, or sent without a size; another one is smaller."""
    clock = Clock(monkeypatch)
    outer = Bar("all", quiet=True)
    outer.expect({"large": 100, "endless": 100, "small": 800, "failed": 1000}, 4, estimated=True)
    with Bar("large", within=outer) as large, Bar("endless", within=outer) as endless:
        large.start(500, 0)
        endless.start(None, 0)
        clock.now += 10
        large.advance(400)
        first = left(outer, capsys)
        endless.advance(200)
        second = left(outer, capsys)
        outer.settle("failed")
        third = left(outer, capsys)
        large.advance(100)
    for name in ("large", "endless"):
        outer.settle(name)
    with Bar("small", within=outer) as small:
        small.start(300, 0)
        small.advance(300)
    outer.settle("small")

    assert first == "of ~2.4 kB, ~50 s left"
    assert second == "of ~2.5 kB, ~32 s left"
    assert third == "of ~1.5 kB, ~15 s left"
    assert left(outer, capsys) == "of ~1.0 kB"


def test_of_what_nobody_has_announced_no_time_is_told(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor a percentage: all that is known has arrived."""
    clock = Clock(monkeypatch)
    outer = Bar("all", quiet=True)
    outer.expect({}, 2, estimated=True)
    with Bar("one", within=outer) as one:
        one.start(None, 0)
        clock.now += 10
        one.advance(100)
        outer.show()

    assert capsys.readouterr().err == "all: 0/2, 100 B, 10 B/s\n"


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        (125, "80%  25/125  800.0 MB/s  ~41 min 15 s"),
        (0, "samh…it_h  80%  800.0 MB/s  41 min 15 s"),
    ],
)
def test_40_columns_have_what_one_waits_for(
    files: int, shown: str, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Share, files, rate and time left; the bytes go first, and a name is shortened."""
    clock, size = Clock(monkeypatch), 9_900_000_000_000
    screen.resize(40)
    with Bar("samhq_vit_h") as outer:
        if files:
            outer.expect({"one": size}, files, estimated=True)
            outer.file_done(25)
        with Bar("one", within=outer) if files else outer as one:
            one.start(size, size * 4 // 5 - 8_000_000_000)
            clock.now += 10
            one.advance(8_000_000_000)
            outer.show()

            assert screen.read().splitlines()[0] == shown


@pytest.mark.parametrize("columns", [40, 23, 12, 4])
def test_a_resize_leaves_nothing_behind(columns: int, screen: Screen) -> None:
    """The lines fit again, whatever the width."""
    with Bar("all") as outer, Bar("tapnet_checkpoint_wo_optstate", within=outer) as inner:
        progress.note("before")
        outer.expect({"all": 9_990_000_000}, 25, estimated=False)
        inner.start(1_000_000_000, 0)
        inner.advance(400_000_000)
        outer.show()
        assert len(screen.read().splitlines()) == 3
        screen.resize(columns)
        outer.show()
        before, *lines = screen.read().splitlines()
        assert before == "before"
        assert len(lines) == 2
        assert all(len(line) < max(columns, 2) for line in lines)
        screen.resize(80)
        outer.show()
        assert len(screen.read().splitlines()) == 3

    assert screen.read() == "before\n"


def test_a_stopped_command_leaves_one_line(screen: Screen) -> None:
    """The terminal echoes ^C behind the bar, and both go."""

    def stopped() -> None:
        with Bar("name") as bar:
            bar.start(100, 0)
            bar.show()
            screen.stream.write("^C")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    progress.note("error: stopped")

    assert screen.read() == "error: stopped\n"


def test_where_no_bar_is_drawn_ctrl_c_leaves_one_line_too(screen: Screen) -> None:
    """What was asked, and what the terminal echoes, go."""

    @command
    def main(_: list[str] | None) -> None:
        screen.stream.write("Remove 3 files, 1.2 GB of begun downloads? [y/N] ^C")
        raise KeyboardInterrupt

    assert main([]) == 130
    assert screen.read() == "error: stopped; run the same command again\n"


def test_messages_are_printed_above_the_bars(screen: Screen) -> None:
    """No rest of a bar is left behind a shorter line."""
    with Bar("name") as bar:
        bar.start(100, 0)
        bar.show()
        progress.note("a word")
        progress.say("a result")
        assert screen.read().splitlines()[:2] == ["a word", "a result"]
        assert len(screen.lines) == 3

    assert screen.read() == "a word\na result\n"


@pytest.mark.parametrize(
    ("name", "value"), [("TERM", "dumb"), ("TERM", "unknown"), ("TERM", ""), ("NO_COLOR", "1")]
)
def test_where_nothing_may_be_drawn_lines_are_printed(
    name: str, value: str, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without a terminal."""
    monkeypatch.setenv(name, value)
    with Bar("name") as bar:
        bar.start(100, 50)
        bar.show()

    assert screen.read() == "name: 50%, 50 B of 100 B, 0 bytes in 0 s\n"
    assert "\x1b" not in screen.raw


def test_a_terminal_that_went_away_is_no_error(screen: Screen) -> None:
    """The download goes on."""
    with Bar("name") as bar:
        bar.start(100, 50)
        os.close(screen.stream.fileno())
        bar.show()
    with suppress(OSError):
        screen.stream.close()


def test_a_bar_ticks_by_itself(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even before the first byte."""
    monkeypatch.setattr(progress, "_REDRAW", 0.1)
    with Bar("name"):
        deadline = time.monotonic() + PATIENCE
        while not screen.read() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert screen.read() == "name  0 B"
