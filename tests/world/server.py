"""The servers: plain http, and a proxy whose tunnels end in the publishers themselves."""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, cast

from tests.world import publishers, ranges
from tests.world.gate import Gate
from tests.world.records import Log, Request
from tests.world.reply import page
from tests.world.script import Script
from tests.world.shelf import Shelf
from tests.world.trust import Trust
from tests.world.wire import Wire

if TYPE_CHECKING:
    import ssl
    from typing import Any

    from tests.world.reply import Reply


class Site:
    """All that the servers of one world share."""

    def __init__(self) -> None:
        """Start with an empty shelf and normal service."""
        self.shelf = Shelf()
        self.script = Script()
        self.log = Log()
        self.gate = Gate(self.shelf)
        self.trust = Trust()
        self.closing = threading.Event()
        self.connections = itertools.count(1)

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request, its faults and its range applied."""
        reply = self.script.apply(request, publishers.answer(self.shelf, request))
        return ranges.select(request, reply)


class Server(ThreadingTCPServer):
    """Serves a site on a free port of the loopback, in threads that stop() joins."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, site: Site, handler: type[Handler] | None = None) -> None:
        """Bind and start serving."""
        super().__init__(("127.0.0.1", 0), handler or Handler)
        self.site = site
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._stopped = False
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """Stop listening, end every connection and join every thread; once is enough."""
        if self._stopped:
            return
        self._stopped = True
        with socket.create_connection(("127.0.0.1", self.server_address[1]), timeout=60):
            self._thread.join()  # woken by the connection, which a poll would be late for
        self.socket.close()  # first, so that a client which tries again is refused
        with self._lock:
            for connection in self._open:
                _shut(connection)
        self.server_close()

    def _accept(self) -> None:
        while not self._stopped:
            self.handle_request()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002
        """Refuse the connection that stop() makes."""
        return not self._stopped

    def hold(self, connection: socket.socket) -> None:
        """Remember an open connection, to end it with the server."""
        with self._lock:
            self._open.add(connection)
            if self._stopped:
                _shut(connection)

    def release(self, connection: socket.socket) -> None:
        """Forget a connection that is about to close."""
        with self._lock:
            self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing about a client that left; anything else is a bug of the double."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Reads requests from one connection; a CONNECT turns it into a TLS connection to its host."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Start with a plain connection."""
        super().setup()
        self.scheme = "http"
        self.site = cast("Server", self.server).site
        self.number = next(self.site.connections)
        cast("Server", self.server).hold(self.connection)

    def finish(self) -> None:
        """Close whatever the connection has become."""
        cast("Server", self.server).release(self.connection)
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        self.connection.close()

    def handle(self) -> None:
        """Serve requests until the connection ends, in whichever way."""
        with contextlib.suppress(OSError):
            super().handle()

    def do_CONNECT(self) -> None:
        """Become the host a client wants a tunnel to, if it is one of ours."""
        host = self.path.rpartition(":")[0]
        if not self._admit(host):
            return
        self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        context = self.site.trust.context(host, trusted=self.site.gate.trusts(host))
        self._become(context)
        self.scheme = "https"
        self.close_connection = False  # http.client asks for tunnels in HTTP/1.0

    def do_GET(self) -> None:
        """Answer a request."""
        url = self.path if "://" in self.path else self._url()
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, url, headers, self.number)
        if "://" in self.path and not self._admit(request.host):
            return
        self.site.log.add(request)
        try:
            wire = Wire(self.connection, self.site.closing)
            self.close_connection |= not wire.send(request, self.site.answer(request))
        except OSError:
            self.close_connection = True
        finally:
            request.ended = time.monotonic()

    def do_HEAD(self) -> None:
        """Answer a request for the headers alone."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Keep stderr for the tests."""

    def _url(self) -> str:
        """Return the address in full."""
        return f"{self.scheme}://{self.headers.get('Host', '')}{self.path}"

    def _admit(self, host: str) -> bool:
        """Let the client through to a host, or answer as the gate says."""
        status = self.site.gate.admit(host)
        if status == 200:
            return True
        self.close_connection = True
        if status:
            refusal = Request(self.command, f"proxy://{host}", {}, self.number)
            Wire(self.connection, self.site.closing).send(refusal, page("refused", status=status))
        return False

    def _become(self, context: ssl.SSLContext) -> None:
        """Go on in TLS on the same connection."""
        server = cast("Server", self.server)
        self.rfile.close()
        self.wfile.close()
        server.release(self.connection)
        tls = context.wrap_socket(self.connection, server_side=True, do_handshake_on_connect=False)
        self.connection, self.rfile, self.wfile = tls, tls.makefile("rb"), tls.makefile("wb")
        server.hold(tls)
        tls.do_handshake()


def _shut(connection: socket.socket) -> None:
    """Wake whoever reads or writes the connection."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # SSLSocket's own tears down its state
