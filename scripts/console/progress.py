"""Progress on stderr: bars on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import Any, TextIO

from scripts.console.errors import OutputError

_EVERY = 10.0  # seconds between two lines where there is no terminal


def human(size: float) -> str:
    """Return a number of bytes in decimal units, as publishers show them."""
    for unit in ("B", "kB", "MB"):
        if abs(size) < 1000:  # noqa: PLR2004
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def note(text: str) -> None:
    """Print a message for the user on stderr; a terminal that has gone is no error."""
    with suppress(OSError, ValueError):
        if sys.stderr:
            _write(text, sys.stderr)


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
    drawn = sys.modules.get("tqdm")  # if it is not imported, there is no bar
    if drawn:
        drawn.tqdm.write(text, file=stream)
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
        self._shown = not quiet and sys.stderr.isatty()
        self._quiet = quiet or within is not None
        self._lock = threading.Lock()
        self._tqdm: Any = None
        self._total: int | None = None
        self._done = self._initial = 0
        self._started = self._printed = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Remove the bar from the terminal."""
        if self._tqdm is not None:
            self._tqdm.close()

    def start(self, total: int | None, done: int) -> None:
        """Set the total and the bytes that are there already, on each new attempt."""
        if self._within:
            self._within.grow((total or 0) - (self._total or 0), done - self._done)
        self._total, self._done, self._initial = total, done, done
        self._started = self._printed = time.monotonic()
        if self._shown:
            self._draw()

    def grow(self, total: int, done: int) -> None:
        """Add bytes to the total, `done` of which are there already."""
        with self._lock:
            self._total = (self._total or 0) + total
            self._done += done
            self._initial += done
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
            elif time.monotonic() - self._printed > _EVERY and not self._quiet:
                self._print_line()

    def _draw(self) -> None:
        if self._tqdm is None:
            self._tqdm = _bar(self._name)
        self._tqdm.total, self._tqdm.n = self._total, self._done
        self._tqdm.initial = self._initial  # the rate counts this run alone
        self._tqdm.refresh()

    def _print_line(self) -> None:
        now = self._printed = time.monotonic()
        rate = (self._done - self._initial) / (now - self._started)
        line = f"{self._name}: {human(self._done)}"
        if self._total:
            left = (self._total - self._done) / rate if rate else float("inf")
            line += f" of {human(self._total)}, {self._done / self._total:.0%}, {left:.0f} s left"
        note(f"{line}, {human(rate)}/s")


def _bar(name: str) -> Any:  # noqa: ANN401 - tqdm's own type needs its import
    from tqdm import tqdm  # noqa: PLC0415 - a stage that only links must not import it

    return tqdm(desc=name, unit="B", unit_scale=True, leave=False, dynamic_ncols=True)
