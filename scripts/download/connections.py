"""Connections to publishers: what they trust, where they may lead, how waiters are woken."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url
from urllib3.util.ssl_ import create_urllib3_context

from scripts.catalogue.urls import host_of, is_private, is_public, is_safe
from scripts.console.errors import SourceError
from scripts.download.failures import printable
from scripts.download.responses import Response

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    from scripts.download.responses import Arrived

_REDIRECTS = 10
_PROXIES = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"}
# A tunnel on this machine may give every name an address of this network, and resolve it itself.
_TUNNEL = ipaddress.ip_network("198.18.0.0/15")


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


class GuardedSession(requests.Session):
    """A session that checks each URL, redirect targets included, before it is requested.

    Only where the catalogue's own URL is private may a redirect lead to a private address: a
    publisher does not choose which service of this machine or network is read.
    """

    def __init__(self, url: str) -> None:
        """Remember the catalogue's own URL; request nothing."""
        super().__init__()
        self._host, self._private = host_of(url), is_private(url)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - as in requests
        """Send a request; raise SourceError if its URL or its proxy must not be used."""
        self.check(str(request.url))
        _check_proxy(select_proxy(str(request.url), kwargs.get("proxies")))
        return super().send(request, **kwargs)

    def check(self, url: str) -> None:
        """Raise SourceError if a redirect must not lead to `url`."""
        where = printable("{0.scheme}://{0.hostname}".format(urlsplit(url)))
        if not is_safe(url):
            raise SourceError(f"{self._host}: redirects to {where}, which is not https")
        if is_private(url) and not self._private:
            raise SourceError(f"{self._host}: redirects to {where}, a private address")


def _check_proxy(proxy: str | None) -> None:
    """Raise SourceError if the URL of a proxy is malformed; show no password."""
    if proxy is None:
        return
    with suppress(LocationParseError):
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        if parts.host and parts.scheme in _PROXIES:
            return
    names = (n for n in os.environ if n.lower().endswith("_proxy") and os.environ[n] == proxy)
    what = f"{next(names, 'the system')}: not the URL of a proxy: {proxy.rpartition('@')[2]!r}"
    raise SourceError(what, "Next: set it to http://HOST:PORT, or unset it.", host_down=True)


class Session(GuardedSession):
    """A session that follows redirects by hand, and returns each response on the way."""

    def __init__(self, url: str, timeout: tuple[float, float]) -> None:
        """Set the catalogue's URL, and seconds to connect and without data; raise SourceError."""
        super().__init__(url)
        self.verify = authorities()
        self._timeout = timeout

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target."""

    def follow(
        self, method: str, url: str, headers: Mapping[str, str], *, same_host: bool = False
    ) -> Iterator[requests.Response]:
        """Yield the response of every hop; all but the last are closed before the next request.

        With `same_host`, a redirect to another origin is not followed. Raises SourceError if a
        target must not be requested, or after ten hops.
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
            self.check(target)
            if same_host and urlsplit(target)[:2] != urlsplit(url)[:2]:
                return
            url = target
        raise SourceError(f"{host}: more than {_REDIRECTS} redirects")


def _target(host: str, url: str, response: requests.Response) -> str:
    try:
        location = response.headers["Location"].encode("latin-1").decode()
        target = urljoin(url, location)
        _ = urlsplit(target).port  # raises ValueError if the port is invalid
    except ValueError as error:
        raise SourceError(f"{host}: redirects to an invalid URL") from error
    return target


class Connections(HTTPAdapter):
    """Remember the open sockets, because only a shutdown wakes a thread waiting for a response.

    It is the shutdown of the plain socket below TLS. After SSLSocket's own, a thread would read
    the remaining encrypted bytes as if they were the body.
    """

    def __init__(
        self,
        most: int,
        context: ssl.SSLContext | None = None,
        arrived: Arrived = lambda *_: None,
    ) -> None:
        """Keep up to `most` idle connections per host; `context` is the result of trust().

        `arrived` is called for each read of a body.
        """
        self._context, self._arrived = context, arrived
        # Refuse names that resolve to a private address; behind a proxy, the proxy resolves them.
        self.public = False
        self._aborted = threading.Event()
        self._sockets: list[socket.socket] = []
        super().__init__(pool_connections=2, pool_maxsize=most)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as in requests
        """Return the pool for a request; its connections are checked and recorded."""
        if self._aborted.is_set():
            raise requests.exceptions.ConnectionError("the transfer was stopped")
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if pool.ConnectionCls is type(pool).ConnectionCls:
            proxied = select_proxy(args[0].url, kwargs.get("proxies"))
            check = _check_peer if self.public and not proxied else None
            pool.ConnectionCls = self._recorded(type(pool).ConnectionCls, check)
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

    def _recorded(self, kind: Any, check: Callable[[str, socket.socket], None] | None) -> Any:  # noqa: ANN401
        """Return a subclass of a urllib3 connection that checks and records its sockets."""
        record, respond = self._record, partial(Response, arrived=self._arrived)

        class Recorded(kind):  # type: ignore[misc]
            response_class = staticmethod(respond)

            def _new_conn(self) -> socket.socket:
                opened: socket.socket = super()._new_conn()
                if check:
                    check(self.host, opened)
                return opened

            def connect(self) -> None:
                super().connect()
                record(self.sock)

        Recorded.__name__ = kind.__name__  # which messages of urllib3 begin with
        return Recorded


def _check_peer(host: str, opened: socket.socket) -> None:
    """Close a connection to a private address before a byte is sent; raise SourceError."""
    address = opened.getpeername()[0]
    if not is_public(address) and ipaddress.ip_address(address) not in _TUNNEL:
        opened.close()
        raise SourceError(
            f"{host}: resolves to {address}, a private address, and no hash is known of the file",
            "If the host is yours: `import_url --sha256` gives the hash, `repin --from` the file.",
        )


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):  # already closed
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
