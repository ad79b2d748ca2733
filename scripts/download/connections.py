"""Connections to publishers: trusted authorities, redirects, and how waiting threads are woken."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from scripts.catalogue.urls import host_of, is_safe
from scripts.console.errors import SourceError
from scripts.download.failures import printable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

_REDIRECTS = 10


def authorities() -> str | bool:
    """Return the CA bundle to trust: that of requests, or SSL_CERT_FILE, which requests ignores.

    Raises SourceError if it does not exist.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if bundle := os.environ.get(name):
            if not Path(bundle).exists():
                what = f"{name} names a file that does not exist: {bundle}"
                raise SourceError(what, "Next: set it to your CA file, or unset it.")
            return bundle
    return True


def trust() -> ssl.SSLContext:
    """Return a context that verifies servers, to be shared by connections; raise SourceError.

    Without it every connection reads the CA bundle itself, which takes longer than the handshake.
    """
    chosen = authorities()
    bundle = DEFAULT_CA_BUNDLE_PATH if chosen is True else str(chosen)
    context = create_urllib3_context()
    try:
        context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
    except OSError as error:
        raise SourceError(f"{bundle} cannot be read as CA certificates: {error}") from error
    return context


class Session(requests.Session):
    """A session that follows redirects by hand: each target is checked before it is requested."""

    def __init__(self, timeout: tuple[float, float]) -> None:
        """Set the seconds to connect and those without data; raise SourceError."""
        super().__init__()
        self.verify = authorities()
        self._timeout = timeout

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target."""

    def follow(
        self, method: str, url: str, headers: Mapping[str, str], *, same_host: bool = False
    ) -> Iterator[requests.Response]:
        """Yield the response of every hop; all but the last are closed before the next request.

        With `same_host`, a redirect to another origin is not followed. Raises SourceError if a
        target is no https URL, or after ten hops.
        """
        host, headers = host_of(url), {"Accept-Encoding": "identity", **headers}
        for _ in range(_REDIRECTS):
            response = self.request(
                method, url, headers=headers, stream=True, allow_redirects=False,
                timeout=self._timeout,
            )  # fmt: skip
            yield response
            if not response.is_redirect:
                return
            with closing(response):
                target = _target(host, url, response)
            if same_host and urlsplit(target)[:2] != urlsplit(url)[:2]:
                return
            url = target
        raise SourceError(f"{host}: more than {_REDIRECTS} redirects")


def _target(host: str, url: str, response: requests.Response) -> str:
    try:
        location = response.headers["Location"].encode("latin-1").decode()
        target = urljoin(url, location)
        parts = urlsplit(target)
        _ = parts.port  # raises ValueError if the port is invalid
    except ValueError as error:
        raise SourceError(f"{host}: redirects to an invalid URL") from error
    if not is_safe(target):
        where = printable(f"{parts.scheme}://{parts.hostname}")
        raise SourceError(f"{host}: redirects to {where}, which is not https")
    return target


class Connections(HTTPAdapter):
    """Remember the open sockets, because only a shutdown wakes a thread waiting for a response.

    It is the shutdown of the plain socket below TLS. After SSLSocket's own, a thread would read
    the remaining encrypted bytes as if they were the body.
    """

    def __init__(self, most: int, context: ssl.SSLContext | None = None) -> None:
        """Keep up to `most` idle connections per host; `context` is the result of trust()."""
        self._context = context
        self._aborted = threading.Event()
        self._sockets: list[socket.socket] = []
        super().__init__(pool_connections=2, pool_maxsize=most)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as in requests
        """Return the pool for a request; its connections are recorded."""
        if self._aborted.is_set():
            raise requests.exceptions.ConnectionError("the transfer was stopped")
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if pool.ConnectionCls is type(pool).ConnectionCls:
            pool.ConnectionCls = _recorded(type(pool).ConnectionCls, self._record)
        return pool

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Return the key of a pool; with a shared context, the pool reads no CA file."""
        host, attributes = super().build_connection_pool_key_attributes(*args, **kwargs)
        return host, {"ssl_context": self._context} if self._context else attributes

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Let each connection read the CA bundle, unless there is a shared context."""
        if self._context is None:
            super().cert_verify(*args, **kwargs)  # type: ignore[no-untyped-call]

    def abort(self) -> None:
        """Shut down every connection, now and later, and wake the threads that wait for data."""
        self._aborted.set()
        self.interrupt()

    def interrupt(self) -> None:
        """Shut down every open connection: the requests on them fail, later ones do not."""
        for opened in list(self._sockets):
            _shut(opened)

    def _record(self, opened: socket.socket) -> None:
        self._sockets.append(opened)
        if self._aborted.is_set():
            _shut(opened)


def _recorded(kind: Any, record: Callable[[socket.socket], None]) -> Any:  # noqa: ANN401
    """Return a subclass of a urllib3 connection that records each socket it opens."""

    class Recorded(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            record(self.sock)

    return Recorded


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):  # already closed
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
