"""The connections to publishers: whom they trust, and how threads that wait at them are woken."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from scripts.console.errors import SourceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


def authorities() -> str | bool:
    """Return the CA bundle to trust: what requests reads, and SSL_CERT_FILE, which it does not.

    Raises SourceError if it does not exist.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if bundle := os.environ.get(name):
            if not Path(bundle).exists():
                raise SourceError(
                    f"{name} names a file that does not exist: {bundle}",
                    "Next: set it to your CA file, or unset it.",
                )
            return bundle
    return True


def trust() -> ssl.SSLContext:
    """Return what verifies servers, for many connections; raise SourceError.

    Each connection would read the authorities anew, and that takes longer than its handshake.
    """
    told = authorities()
    bundle = DEFAULT_CA_BUNDLE_PATH if told is True else str(told)
    context = create_urllib3_context()
    try:
        context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
    except OSError as error:
        raise SourceError(f"{bundle} cannot be read as CA certificates: {error}") from error
    return context


class Session(requests.Session):
    """Leaves redirects to us: each hop is looked at before anything of it is asked or read."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Know of none."""


class Connections(HTTPAdapter):
    """Remembers the sockets it opens: only a shutdown wakes a thread that waits for an answer.

    The plain shutdown of the socket below TLS, and not SSLSocket's own: that one lets a thread
    go on to read what is still encrypted as if it were the body.
    """

    def __init__(self, most: int, context: ssl.SSLContext | None = None) -> None:
        """Keep up to `most` idle connections a host; `context` is what trust() made for many."""
        self._context = context
        self._closed = threading.Event()
        self._sockets: list[socket.socket] = []
        super().__init__(pool_connections=2, pool_maxsize=most)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as requests has it
        """Return the pool for a request, its connections watched."""
        if self._closed.is_set():
            raise requests.exceptions.ConnectionError("the transfer was stopped")
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if pool.ConnectionCls is type(pool).ConnectionCls:
            pool.ConnectionCls = _watched(type(pool).ConnectionCls, self._opened)
        return pool

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Return what a pool is known by; with a shared context, that and no file to read."""
        host, told = super().build_connection_pool_key_attributes(*args, **kwargs)
        return host, {"ssl_context": self._context} if self._context else told

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Let each connection read the authorities, unless there is a shared context."""
        if self._context is None:
            super().cert_verify(*args, **kwargs)  # type: ignore[no-untyped-call]

    def break_off(self) -> None:
        """End every connection, now and later; threads that wait for bytes wake up."""
        self._closed.set()
        for opened in list(self._sockets):
            _shut(opened)

    def _opened(self, opened: socket.socket) -> None:
        self._sockets.append(opened)
        if self._closed.is_set():
            _shut(opened)


def _watched(kind: Any, opened: Callable[[socket.socket], None]) -> Any:  # noqa: ANN401
    """Return a class of urllib3's connections that tells of each socket it opens."""

    class Watched(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    return Watched


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):  # it ended just now
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
