"""Which hosts the proxy lets a client reach: the double's own, and nothing beyond."""

from __future__ import annotations

import fnmatch
import threading
from typing import TYPE_CHECKING

from tests.world.publishers import HOSTS

if TYPE_CHECKING:
    from tests.world.shelf import Shelf


class Gate:
    """Admits the publishers' hosts and every host something is published at."""

    def __init__(self, shelf: Shelf) -> None:
        """Start with every publisher reachable and trusted."""
        self._lock = threading.Lock()
        self._shelf = shelf
        self._closed: dict[str, int] = {}
        self._distrusted: set[str] = set()
        self._refused: list[str] = []
        self._tunnels: list[tuple[str, int]] = []

    def close(self, host: str, status: int) -> None:
        """Answer `status` to every CONNECT for the host; 0 hangs up."""
        with self._lock:
            self._closed[host] = status

    def distrust(self, host: str) -> None:
        """Let the host show a certificate of an unknown authority."""
        with self._lock:
            self._distrusted.add(host)

    def clear(self) -> None:
        """Open every host again and forget who asked."""
        with self._lock:
            for kept in (self._closed, self._distrusted, self._refused, self._tunnels):
                kept.clear()

    def admit(self, host: str) -> int:
        """Return the proxy's status for a host, and note it: 200, close()'s, or 403 for a leak."""
        with self._lock:
            status = self._closed.get(host, 200 if self._known(host) else 403)
            if host not in self._closed and status == 403:
                self._refused.append(host)
            self._tunnels.append((host, status))
            return status

    def trusts(self, host: str) -> bool:
        """Tell whether the host shows a certificate that the bundle covers."""
        with self._lock:
            return host not in self._distrusted

    def refused(self) -> list[str]:
        """Return the hosts asked for that are nobody's."""
        with self._lock:
            return list(self._refused)

    def tunnels(self) -> list[tuple[str, int]]:
        """Return host and status of every request to the proxy for a host."""
        with self._lock:
            return list(self._tunnels)

    def _known(self, host: str) -> bool:
        return host in self._shelf.hosts() or any(fnmatch.fnmatchcase(host, name) for name in HOSTS)
