"""Progress on stderr: lines that change on a terminal, elsewhere one every few seconds."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from contextlib import AbstractContextManager, suppress
from math import ceil
from typing import TYPE_CHECKING, TextIO

from scripts.console.errors import OutputError
from scripts.console.terminal import Screen, can_draw

if TYPE_CHECKING:
    from typing import Self

    from rich.text import Text

QUIET = "CHECKPOINTS_QUIET"  # if it is set, this process and its children show no progress
_EVERY = 10.0  # seconds between two lines where there is no terminal, whatever arrives
_REDRAW = 0.2  # seconds
_MEMORY = 15.0  # seconds over which the rate is taken
_CELLS = 30  # of a bar, at most
_SHORTEST = 8  # columns of a name, or of a bar
_ROWS = 4  # files that are shown one by one
_WRITING = threading.RLock()  # held while the terminal is written to
_BARS: list[Bar] = []  # that are drawn now


def human(size: float) -> str:
    """Return a number of bytes in decimal units, as publishers show them."""
    for unit in ("B", "kB", "MB"):
        if abs(size) < 1000:  # noqa: PLR2004
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def duration(seconds: float) -> str:
    """Return seconds in words, such as `0.4 s` or `3 min 12 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{round(seconds, 1 if seconds < 10 else None):g} s"  # noqa: PLR2004 - one figure more


def note(text: str) -> None:
    """Print a message for the user on stderr; a terminal that has gone is no error."""
    with suppress(OSError, ValueError):
        if sys.stderr:
            _write(text, sys.stderr)


def counted(number: int, what: str = "file") -> str:
    """Return a number of things in words: 1 file, 2 files."""
    return f"{number} {what}{'s' * (number != 1)}"


def say(text: str) -> None:
    """Print a result on stdout; raise OutputError, or BrokenPipeError if its reader has gone."""
    if sys.stdout is None:  # closed before the command started
        raise OutputError("the result could not be printed: stdout is closed")
    try:
        _write(text, sys.stdout)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OutputError(f"the result could not be printed: {reason.lower()}") from error


def _write(text: str, stream: TextIO) -> None:
    with _WRITING:
        for bar in _BARS:
            bar.hide()
        print(text, file=stream, flush=True)
        for bar in _BARS:
            bar.show()


class Bar(AbstractContextManager["Bar"]):
    """The progress of one file, or of all files `within` one bar; threads may advance it.

    `quiet` shows nothing. Only the outermost bar draws, or prints lines. Its percentage never
    falls: a source may start again, and a size may be an estimate.
    """

    def __init__(self, name: str, *, quiet: bool = False, within: Bar | None = None) -> None:
        """Show nothing yet: the total is not known before `start` or `expect`."""
        self._name, self._within = name, within
        self._quiet = quiet or within is not None or QUIET in os.environ
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._screen: Screen | None = None
        self._inner: list[Bar] = []  # the files that are being downloaded
        self._total: int | None = None
        self._done = 0
        self._expected = self._estimated = False
        self._files = self._files_done = 0
        self._percent = 0
        self._pace = _Pace()

    def __enter__(self) -> Self:
        """Start to show progress, even before the first byte."""
        if self._within:
            self._within.hold(self)
        elif not self._quiet:
            if can_draw(sys.stderr):
                self._screen = Screen(sys.stderr)
                _BARS.append(self)
            threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Remove the bar from the terminal; what a failed source has sent counts no more."""
        if self._within:
            self._within.release(self)
            if kind:
                self._within.grow(-(self._total or 0), -self._done)
        with _WRITING:
            self._ended.set()
            self.hide()
            if self in _BARS:
                _BARS.remove(self)

    def expect(self, total: int, files: int, *, estimated: bool) -> None:
        """Set the total before the first byte, in bytes and files; `grow` then adds to no total."""
        self._total, self._files = total, files
        self._expected, self._estimated = True, estimated

    def file_done(self, count: int = 1) -> None:
        """Count files that are in place."""
        with self._lock:
            self._files_done += count

    def start(self, total: int | None, done: int) -> None:
        """Set the total and the bytes that are there already, on each new attempt."""
        if self._within:
            self._within.grow((total or 0) - (self._total or 0), done - self._done)
        with self._lock:
            self._total, self._done = total, done
            self._pace = _Pace(done)

    def grow(self, total: int, done: int) -> None:
        """Add bytes to the total, `done` of which are there already."""
        with self._lock:
            self._total = (self._total or 0) + (0 if self._expected else total)
            self._done += done
            self._pace.shift(done)

    def advance(self, size: int) -> None:
        """Count `size` more bytes."""
        if self._within:
            self._within.advance(size)
        with self._lock:
            self._done += size

    def hold(self, inner: Bar) -> None:
        """Show the bar of a file, too."""
        with self._lock:
            self._inner.append(inner)

    def release(self, inner: Bar) -> None:
        """Show it no longer."""
        with self._lock:
            self._inner.remove(inner)

    def show(self) -> None:
        """Draw the bar again, or print a line."""
        with _WRITING:
            if self._ended.is_set():
                return
            if self._screen:
                self._screen.draw(self._lines(self._screen))
            else:
                note(f"{self._name}: {', '.join(self._words())}")

    def hide(self) -> None:
        """Remove the bar from the terminal until it is shown again."""
        if self._screen:
            self._screen.erase()

    @property
    def percent(self) -> int | None:
        """The part that is done, rounded down; None if the total is not known."""
        if not self._total:
            return None
        part = min(self._done * 100 // self._total, 99 if self._estimated else 100)
        self._percent = max(self._percent, part)
        return self._percent

    def _tick(self) -> None:
        while not self._ended.wait(_REDRAW if self._screen else _EVERY):
            self.show()

    def _facts(self) -> list[str]:
        """Return what is known, the most important first: share, files, bytes, rate, time left."""
        rate = self._pace.rate(self._done)
        facts = [] if self.percent is None else [f"{self.percent}%"]
        facts += [f"{self._files_done}/{self._files}"] if self._files else []
        about = "~" * self._estimated
        whole = f" of {about}{human(max(self._total, self._done))}" if self._total else ""
        facts += [f"{human(self._done)}{whole}"]
        facts += [f"{human(rate)}/s"] if rate else []
        if rate and self._total and self._done < self._total:
            facts += [f"{about}{duration(ceil((self._total - self._done) / rate))} left"]
        return facts

    def _words(self) -> list[str]:
        """Return the facts of a line; if no byte has come since the last one, it says so."""
        silent = self._pace.silent(self._done)
        facts = self._facts()
        return facts if silent is None else [*facts, f"0 bytes in {silent:.0f} s"]

    def _lines(self, screen: Screen) -> list[Text]:
        """Return a line for the total, and one for each of the first files."""
        with self._lock:
            inner = self._inner[:_ROWS]
        width = screen.columns
        shown = [bar for bar in inner if bar.percent is not None]
        return [self._line(screen, width), *(bar.row(width) for bar in shown)]

    def _line(self, screen: Screen, width: int) -> Text:
        """Return as many facts as fit, with a bar of what is left of the line."""
        from rich.text import Text  # noqa: PLC0415 - only where it is drawn

        facts = self._facts()
        name = "" if self._files else shortened(self._name, max(width // 3, _SHORTEST))
        while len(facts) > 1 and len("  ".join([name, *facts])) > width:
            facts.pop()
        text = "  ".join(filter(None, [name, *facts]))
        cells = min(width - len(text) - 2, _CELLS)
        if self.percent is None or cells < _SHORTEST:
            return Text(text)
        full = cells * self.percent // 100
        done, rest = ("━", "─") if screen.is_unicode else ("#", "-")
        bar = (done * full, "cyan"), (rest * (cells - full), "bright_black")
        return Text.assemble(*bar, f"  {text}")

    def row(self, width: int) -> Text:
        """Return the line of one of several files: its name, shortened, and how far it is."""
        from rich.text import Text  # noqa: PLC0415 - as above

        facts = f"  {self.percent}%  {human(self._done)}"
        name = shortened(self._name, max(min(width - len(facts) - 2, _CELLS), 1))
        return Text.assemble(f"  {name}", (facts, "bright_black"))


class _Pace:
    """The rate of the last seconds, from a few samples."""

    def __init__(self, done: int = 0) -> None:
        self._samples = deque([(time.monotonic(), done)])
        self._said = self._samples[0]  # when a line was printed last, and how much was there

    def shift(self, done: int) -> None:
        """Leave bytes out of the rate that did not arrive now."""
        self._samples = deque((at, seen + done) for at, seen in self._samples)
        self._said = self._said[0], self._said[1] + done

    def rate(self, done: int) -> float:
        """Return bytes/s."""
        now = time.monotonic()
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[0][0] > _MEMORY:  # noqa: PLR2004 - the first and the last
            self._samples.popleft()
        at, seen = self._samples[0]
        return max(done - seen, 0) / max(now - at, 0.001)

    def silent(self, done: int) -> float | None:
        """Return the seconds since the last line if nothing has come since, else None."""
        at, seen = self._said
        self._said = time.monotonic(), done
        return self._said[0] - at if seen == done else None


def shortened(name: str, width: int) -> str:
    """Return a name of at most `width` characters: a long one loses its middle."""
    if len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{name[: width - 1 - tail]}…{name[len(name) - tail :]}"[:width]
