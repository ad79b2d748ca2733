"""Progress for people: bars on a terminal, a line now and then elsewhere, all on stderr."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

_EVERY = 10.0  # seconds between two lines where there is no terminal


def human(size: float) -> str:
    """Return a number of bytes in decimal units, as publishers count them."""
    for unit in ("B", "kB", "MB"):
        if abs(size) < 1000:  # noqa: PLR2004
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def note(text: str) -> None:
    """Tell a person at once what is going on."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the way to stderr


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)  # noqa: T201 - the way to stdout


class Bar:
    """How far one file has come; threads may advance it. `quiet` shows nothing."""

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        """Show nothing yet: the total is known with the first answer."""
        self._name, self._quiet = name, quiet
        self._lock = threading.Lock()
        self._tqdm: Any = None
        self._total: int | None = None
        self._done = 0
        self._begun = 0
        self._started = self._said = time.monotonic()

    def __enter__(self) -> Self:
        """Return the bar."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar from the terminal."""
        if self._tqdm is not None:
            self._tqdm.close()

    def start(self, total: int | None, done: int) -> None:
        """Say how many bytes there are in all, and how many are there already."""
        self._total, self._done, self._begun = total, done, done
        self._started = self._said = time.monotonic()
        if self._quiet or not sys.stderr.isatty():
            return
        if self._tqdm is None:
            self._tqdm = _bar(self._name)
        self._tqdm.reset(total)
        self._tqdm.update(done)

    def advance(self, size: int) -> None:
        """Count `size` more bytes."""
        with self._lock:
            self._done += size
            if self._tqdm is not None:
                self._tqdm.update(size)
            elif time.monotonic() - self._said > _EVERY and not self._quiet:
                self._say()

    def _say(self) -> None:
        now = self._said = time.monotonic()
        rate = (self._done - self._begun) / (now - self._started)
        line = f"{self._name}: {human(self._done)}"
        if self._total:
            left = (self._total - self._done) / rate if rate else float("inf")
            line += f" of {human(self._total)}, {self._done / self._total:.0%}, {left:.0f} s left"
        note(f"{line}, {human(rate)}/s")


def _bar(name: str) -> Any:  # noqa: ANN401 - tqdm's own type needs its import
    from tqdm import tqdm  # noqa: PLC0415 - a stage that only links does not wait for it

    return tqdm(desc=name, unit="B", unit_scale=True, leave=False, dynamic_ncols=True)
