"""How long a failing publisher is retried: longer while bytes still arrive."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from scripts.console.errors import SourceError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from scripts.catalogue.params import Network
    from scripts.console.errors import TransientError

_LONGEST = 30.0  # seconds between two attempts
_UNREACHED = 2  # retries of a host that never responded: without a network, fail early


class Retries:
    """A budget of consecutive failures, renewed by every new byte."""

    def __init__(self, network: Network, arrived: Callable[[], int], stop: threading.Event) -> None:
        """Watch `arrived`, the number of bytes received by all connections."""
        self._network, self._arrived, self._stop = network, arrived, stop
        self._seen = self._first = arrived()
        self._failures = 0  # since the last byte of any connection
        self._row = 0  # since the last byte of this connection

    def spend(self, error: TransientError, *, moved: bool = True) -> None:
        """Wait before the next attempt (seconds, doubled each time), or raise if none is left.

        `moved` tells whether the failing connection itself received bytes. If only others did,
        its budget is renewed, but it still waits.
        """
        if self._stop.is_set():
            raise error
        arrived = self._arrived()
        progress = arrived > self._seen
        self._failures = 1 if progress else self._failures + 1
        self._row = 0 if progress and moved else self._row + 1
        self._seen = max(self._seen, arrived)
        limit = self._network.retries
        if not error.connected and not arrived:
            limit = min(limit, _UNREACHED)
        if self._failures > limit:
            tries = f"{self._failures} tries" if self._failures > 1 else "one try"
            what, nothing = f"{error.what} (given up after {tries})", arrived == self._first
            raise SourceError(what, host_down=nothing) from error
        doubled = min(self._network.backoff * 2.0 ** min(self._row - 1, 64), _LONGEST)
        delay = doubled * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        self._stop.wait(max(delay if self._row else 0.0, error.wait or 0.0))
