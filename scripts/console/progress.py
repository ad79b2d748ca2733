"""Progress on stderr: bars on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from scripts.console.errors import OutputError

if TYPE_CHECKING:
    from typing import Self

QUIET = "CHECKPOINTS_QUIET"  # if it is set, this process and its children show no progress
_EVERY = 10.0  # seconds between two lines where there is no terminal, whatever arrives


def human(size: float) -> str:
    """Return a number of bytes in decimal units, as publishers show them."""
    for unit in ("B", "kB", "MB"):
        if abs(size) < 1000:  # noqa: PLR2004
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def duration(seconds: float) -> str:
    """Return seconds in words, such as `0.4 s` or `3 min 12 s`."""
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"  # noqa: PLR2004


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
    # If it is not imported, there is no bar; another thread may be at its import right now.
    if drawn := getattr(sys.modules.get("tqdm"), "tqdm", None):
        drawn.write(text, file=stream)
        stream.flush()
    else:
        print(text, file=stream, flush=True)


class Bar(AbstractContextManager["Bar"]):
    """The progress of one file, or of all files `within` one bar; threads may advance it.

    `quiet` shows nothing. Without a terminal, only the outermost bar prints lines.
    """

    def __init__(self, name: str, *, quiet: bool = False, within: Bar | None = None) -> None:
        """Show nothing yet: the total is not known before `start`."""
        self._name, self._within = name, within
        quiet = quiet or QUIET in os.environ
        self._hidden: bool = quiet or (within is not None and within._hidden)  # noqa: SLF001 - a bar, too
        self._shown = not self._hidden and sys.stderr.isatty()
        self._quiet = quiet or within is not None
        self._lock = threading.Lock()
        self._tqdm: Any = None
        self._total: int | None = None
        self._done = self._initial = 0
        self._expected: int | None = None
        self._files = self._files_done = 0
        self._estimated = False
        self._printed = time.monotonic()
        self._done_then = 0  # bytes when the last line was printed
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        """Start to show progress, even before the first byte."""
        if not self._quiet:
            threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar from the terminal."""
        with self._lock:
            self._ended.set()
            if self._tqdm is not None:
                self._tqdm.close()

    def start(self, total: int | None, done: int) -> None:
        """Set the total and the bytes that are there already, on each new attempt."""
        if self._within:
            self._within.grow((total or 0) - (self._total or 0), done - self._done)
        with self._lock:
            self._total, self._done, self._initial = total, done, done
            self._done_then = done
            if self._shown:
                self._draw()

    def expect(self, total: int, files: int, *, estimated: bool) -> None:
        """Set the total before the first byte, in bytes and files; `grow` then adds to no total."""
        self._expected, self._files, self._estimated = total, files, estimated
        self._total = total

    def file_done(self, count: int = 1) -> None:
        """Count files that are in place."""
        with self._lock:
            self._files_done += count

    def grow(self, total: int, done: int) -> None:
        """Add bytes to the total, `done` of which are there already."""
        with self._lock:
            self._done += done
            grown = (self._total or 0) + (0 if self._expected else total)
            self._total = max(grown, self._done)
            self._initial += done
            self._done_then += done
            if self._shown:
                self._draw()

    def advance(self, size: int) -> None:
        """Count `size` more bytes."""
        if self._within:
            self._within.advance(size)
        with self._lock:
            self._done += size
            if self._tqdm is not None:
                self._tqdm.update(size)

    def show(self) -> None:
        """Print a line, or draw the bar again."""
        with self._lock:
            if self._ended.is_set():
                return
            if self._shown:
                self._draw()
            else:
                self._print_line()

    def _tick(self) -> None:
        while not self._ended.wait(_EVERY):
            self.show()

    def _draw(self) -> None:
        if self._tqdm is None:
            self._tqdm = _bar(self._name)
        self._tqdm.total, self._tqdm.n = self._total, self._done
        self._tqdm.initial = self._initial  # the rate counts this run alone
        self._tqdm.refresh()

    def _print_line(self) -> None:
        now = time.monotonic()
        words = [human(self._done)]
        if self._total:
            words = [f"{human(self._done)} of {human(self._total)}"]
            words += [f"{self._done / self._total:.0%}"]
        if self._done == self._done_then:
            words += [f"0 bytes in {now - self._printed:.0f} s"]
        else:
            rate = (self._done - self._done_then) / max(now - self._printed, 0.001)
            words += [f"{(self._total - self._done) / rate:.0f} s left"] if self._total else []
            words += [f"{human(rate)}/s"]
        self._printed, self._done_then = now, self._done
        note(f"{self._name}: {', '.join(words)}")


def _bar(name: str) -> Any:  # noqa: ANN401 - tqdm's own type needs its import
    from tqdm import tqdm  # noqa: PLC0415 - a stage that only links must not import it

    return tqdm(desc=name, unit="B", unit_scale=True, leave=False, dynamic_ncols=True)
