"""When a publisher is too slow: all connections of a file together receive too few bytes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scripts.console.errors import SourceError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.download.request import TransferLimits

_CHECKS = 20  # per window


class Pace:
    """The bytes of a file that arrive, judged in windows: too few in one of them are a stall.

    Only the time of open requests counts. A window starts with its first byte, since a publisher
    may be silent for as long as the timeout allows. A thread keeps watch, because a request whose
    headers arrive byte by byte gives no chance to look at the clock.
    """

    def __init__(self, limits: TransferLimits, host: str, interrupt: Callable[[], None]) -> None:
        """Start without a request; `interrupt` makes all open requests fail."""
        self._limits, self._host, self._interrupt = limits, host, interrupt
        self._window, self._retries = limits.network.window, limits.network.retries
        self._silence = max(self._window, limits.network.timeout)
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._open = self._bytes = 0
        self._last = 0, 0.0, 0.0  # bytes, seconds and least bytes/s of the last window
        self._spent = self._since = 0.0  # seconds of the window; when its clock last started
        self._stalls, self._in_a_row = 0, 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count the time of a request.

        If it fails because of a stall, raise that as TransientError, or as SourceError if so many
        windows in a row were stalls that there is no retry left.
        """
        self._check_retries()
        stalls = self._start()
        try:
            yield
        except TransientError as error:
            if self._stalls == stalls:
                raise
            self._check_retries()
            raise TransientError(self._what) from error
        finally:
            self._stop()

    def arrived(self, size: int) -> None:
        """Count `size` bytes."""
        with self._lock:
            if not self._bytes:
                self._restart()
            self._bytes += size

    def check(self) -> None:
        """Judge the window if it is over, and interrupt all open requests if it was a stall."""
        with self._lock:
            now = time.monotonic() if self._open else self._since
            limit = self._window if self._bytes else self._silence
            if self._spent + now - self._since < limit:
                return
            least = self._limits.least_rate
            stalled, self._last = self._bytes < least * limit, (self._bytes, limit, least)
            self._stalls += stalled
            self._in_a_row = self._in_a_row + 1 if stalled else 0
            self._bytes = 0
            self._restart()
        if stalled:
            self._interrupt()

    def close(self) -> None:
        """End the watch."""
        self._closed.set()

    @property
    def _what(self) -> str:
        size, seconds, least = self._last
        return f"{self._host}: sent {size:,} bytes in {seconds:g} s, less than {least:,.0f} bytes/s"

    def _check_retries(self) -> None:
        if self._in_a_row > self._retries:
            tries = f"{self._in_a_row} tries" if self._in_a_row > 1 else "one try"
            raise SourceError(f"{self._what} (given up after {tries})", host_down=True)

    def _start(self) -> int:
        """Start the clock with the first open request; return the number of stalls so far."""
        with self._lock:
            if not self._thread:
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
            if not self._open:
                self._since = time.monotonic()
            self._open += 1
            return self._stalls

    def _stop(self) -> None:
        with self._lock:
            self._open -= 1
            if not self._open:
                self._spent += time.monotonic() - self._since

    def _restart(self) -> None:
        self._spent, self._since = 0.0, time.monotonic()

    def _watch(self) -> None:
        while not self._closed.wait(self._window / _CHECKS):
            self.check()
