"""Progress on stderr: lines that change on a terminal, elsewhere one every few seconds."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter, deque
from contextlib import AbstractContextManager
from math import ceil
from typing import TYPE_CHECKING, TextIO

from scripts.console.errors import OutputError
from scripts.console.terminal import Screen, can_draw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from rich.text import Text

QUIET = "CHECKPOINTS_QUIET"  # if it is set, this process and its children show no progress
_EVERY = 10.0  # seconds between two lines where there is no terminal, whatever arrives
_REDRAW = 0.2  # seconds
_MEMORY = 15.0  # seconds over which the rate is taken
_CELLS = 30  # of a bar, at most
_SHORTEST = 8  # columns of a name, or of a bar
_NARROW = 60  # columns; in fewer the time left is a time alone
# What fits first.
_IMPORTANT = ("share", "files", "left", "rate", "bytes")
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
    try:
        if sys.stderr:
            _write(text, sys.stderr)
    except (OSError, ValueError):
        sys.stderr = None  # some Pythons would end with 120, as they cannot flush it


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
    falls: a source may start again, and a size may be an estimate. It is 100 when all files are
    done.
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
        # Bytes of the files within it, by name: expected, announced, and arrived.
        self._expected, self._announced = Counter[str](), Counter[str]()
        self._arrived = Counter[str]()
        self._estimated = False
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
                self._within.grow(self._name, -(self._total or 0), -self._done)
        with _WRITING:
            self._ended.set()
            self.hide()
            if self in _BARS:
                _BARS.remove(self)

    def expect(self, sizes: Mapping[str, int], files: int, *, estimated: bool) -> None:
        """Set, before the first byte, how many bytes will come by name, and how many files."""
        self._expected.update(sizes)
        self._files, self._estimated = files, estimated

    def settle(self, name: str) -> None:
        """Expect no more bytes of a name than those that have come."""
        with self._lock:
            del self._expected[name]

    def file_done(self, count: int = 1) -> None:
        """Count files that are in place."""
        with self._lock:
            self._files_done += count

    def start(self, total: int | None, done: int) -> None:
        """Set the total and the bytes that are there already, on each new attempt."""
        if self._within:
            self._within.grow(self._name, (total or 0) - (self._total or 0), done - self._done)
        with self._lock:
            self._total, self._done = total, done
            self._pace = _Pace(done)

    def grow(self, name: str, total: int, done: int) -> None:
        """Add bytes that a source has announced for a name, `done` of which are there already."""
        with self._lock:
            self._announced[name] += total
            self._arrived[name] += done
            self._done += done
            self._pace.shift(done)

    def advance(self, size: int, name: str = "") -> None:
        """Count `size` more bytes, which may be those of a name within this bar."""
        if self._within:
            self._within.advance(size, self._name)
        with self._lock:
            self._done += size
            self._arrived[name] += size

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
        if not (whole := self._whole):
            return None
        part = self._done * 100 // whole
        if self._files:
            part = 100 if self._files_done >= self._files else min(part, 99)
        self._percent = max(self._percent, min(part, 100))
        return self._percent

    @property
    def _whole(self) -> int:
        """The bytes of all, 0 if none are known of: of a name, the most that is known to come."""
        if self._total is not None:
            return max(self._total, self._done)
        with self._lock:
            told = self._expected | self._announced  # of each, the larger one
            return (told | self._arrived).total() if told else 0

    def _tick(self) -> None:
        while not self._ended.wait(_REDRAW if self._screen else _EVERY):
            self.show()

    def _facts(self) -> dict[str, str]:
        """Return what is known, in the order in which it is shown."""
        rate, whole, about = self._pace.rate(self._done), self._whole, "~" * self._estimated
        facts = {} if self.percent is None else {"share": f"{self.percent}%"}
        if self._files:
            facts["files"] = f"{self._files_done}/{self._files}"
        facts["bytes"] = human(self._done) + (f" of {about}{human(whole)}" if whole else "")
        if rate:
            facts["rate"] = f"{human(rate)}/s"
        if rate and self._done < whole:
            facts["left"] = f"{about}{duration(ceil((whole - self._done) / rate))} left"
        return facts

    def _words(self) -> list[str]:
        """Return the facts of a line; if no byte has come since the last one, it says so."""
        silent = self._pace.silent(self._done)
        facts = list(self._facts().values())
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

        text = self._text(width)
        cells = min(width - len(text) - 2, _CELLS)
        if self.percent is None or cells < _SHORTEST:
            return Text(text)
        full = cells * self.percent // 100
        done, rest = ("━", "─") if screen.is_unicode else ("#", "-")
        bar = (done * full, "cyan"), (rest * (cells - full), "bright_black")
        return Text.assemble(*bar, f"  {text}")

    def _text(self, width: int) -> str:
        """Return the facts that fit, and the name of the only file if there is room for it."""
        facts, shown = self._facts(), dict[str, str]()
        if width < _NARROW and "left" in facts:
            facts["left"] = facts["left"].removesuffix(" left")
        for key in filter(facts.__contains__, _IMPORTANT):
            if not shown or len("  ".join([*shown.values(), facts[key]])) <= width:
                shown[key] = facts[key]
        text = "  ".join(facts[key] for key in facts if key in shown)
        room = min(width - len(text) - 2, max(width // 3, _SHORTEST))
        named = not self._files and room >= min(len(self._name), _SHORTEST)
        return f"{shortened(self._name, room)}  {text}" if named else text

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
