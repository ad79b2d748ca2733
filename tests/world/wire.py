"""Puts one reply on a connection, in the manner its delivery says."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from tests.world.records import Request
    from tests.world.reply import Reply

SLICE = 512 * 1024  # bytes handed to the socket at a time
TICKS = 20  # slices a second of a slow body
GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class SeveredError(ConnectionError):
    """The connection ends here on purpose."""


class Wire:
    """One connection of a client, while one request on it is answered."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        """Write to `connection` until `closing` is set."""
        self._connection = connection
        self._closing = closing

    def send(self, request: Request, reply: Reply) -> bool:
        """Send a reply; tell whether the connection may carry another."""
        delivery = reply.delivery
        self._wait(delivery.delay)
        if delivery.drop:
            self.sever(reset=True)
        request.status = reply.status
        self._send_head(reply)
        if request.method != "HEAD":
            self._send_body(request, reply)
        keep = delivery.framing != "close" and delivery.surplus == 0
        if not keep:
            self._say_goodbye()
        return keep

    def _send_head(self, reply: Reply) -> None:
        head, rate = _head(reply), reply.delivery.head_rate
        step = 1 if rate else len(head)
        for start in range(0, len(head), step):
            self._connection.sendall(head[start : start + step])
            self._wait(1 / rate if rate else 0)

    def sever(self, *, reset: bool) -> None:
        """End the connection without TLS's closing words, with a reset or a plain end."""
        if reset:
            linger = struct.pack("ii", 1, 0)
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise SeveredError

    def _send_body(self, request: Request, reply: Reply) -> None:
        delivery, body = reply.delivery, memoryview(reply.body)
        if delivery.surplus > 0:
            body = memoryview(bytes(body) + b"\0" * delivery.surplus)
        elif delivery.surplus < 0:
            body = body[: delivery.surplus]
        severed = delivery.cut is not None and delivery.cut < len(body)
        body = body[: delivery.cut] if severed else body
        pause = len(body) if delivery.stall is None else min(delivery.stall, len(body))
        self._write(request, reply, body[:pause])
        if delivery.stall is not None and delivery.stall <= len(body):
            self._wait(delivery.stall_for)
        self._write(request, reply, body[pause:])
        if severed:
            self.sever(reset=delivery.reset)
        if delivery.framing == "chunked":
            self._connection.sendall(b"0\r\n\r\n")

    def _write(self, request: Request, reply: Reply, body: memoryview) -> None:
        rate = reply.delivery.rate
        step = SLICE if rate is None else max(int(rate / TICKS), 1)
        due = time.monotonic()
        for start in range(0, len(body), step):
            part = body[start : start + step]
            # Counted first, so that a client which has the bytes always finds them counted.
            request.sent += len(part)
            if reply.delivery.framing == "chunked":
                self._connection.sendall(b"%x\r\n" % len(part) + part + b"\r\n")
            else:
                self._connection.sendall(part)
            if rate is not None:
                due += len(part) / rate
                self._wait(due - time.monotonic())

    def _wait(self, seconds: float) -> None:
        """Wait; stop the reply if meanwhile the client goes or the world ends."""
        if seconds <= 0:
            return
        watch = select.poll()
        watch.register(self._connection.fileno(), GONE)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._closing.wait(min(left, 0.05)) or watch.poll(0):
                raise SeveredError

    def _say_goodbye(self) -> None:
        """Close in good order, so that the end of the connection is an end and not a loss."""
        if isinstance(self._connection, ssl.SSLSocket):
            self._connection.settimeout(0)  # send our part, wait for no answer
            with contextlib.suppress(OSError, ValueError):
                self._connection.unwrap()


def _head(reply: Reply) -> bytes:
    """Return the status line and the headers."""
    headers = [("Date", formatdate(usegmt=True)), *reply.headers.items(), *reply.more_headers]
    if reply.delivery.framing == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
    elif reply.delivery.framing == "length":
        headers.append(("Content-Length", str(len(reply.body))))
    if reply.delivery.framing == "close" or reply.delivery.surplus:
        headers.append(("Connection", "close"))
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{key}: {value}" for key, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
