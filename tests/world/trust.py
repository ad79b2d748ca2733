"""A throw-away certificate authority, and an unknown one."""

from __future__ import annotations

import functools
import ssl
import threading
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class Trust:
    """Issues a certificate per host; the bundle covers those of the known authority only."""

    def __init__(self) -> None:
        """Prepare both authorities."""
        self._known = _authority("known")
        self._unknown = _authority("unknown")
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}

    def context(self, host: str, *, trusted: bool) -> ssl.SSLContext:
        """Return the server's TLS context for a host."""
        with self._lock:
            if (host, trusted) not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                authority = self._known if trusted else self._unknown
                authority.issue_cert(host).configure_cert(context)
                self._contexts[host, trusted] = context
            return self._contexts[host, trusted]

    def write_bundle(self, path: Path) -> None:
        """Write the known one alone, as PEM: every process reads it, and the public are many."""
        path.write_bytes(self._known.cert_pem.bytes())


@functools.cache
def _authority(name: str) -> trustme.CA:
    """Return one authority per process: keys take time to make."""
    return trustme.CA(organization_name=f"tests.world {name}")
