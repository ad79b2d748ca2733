"""A body is read from its socket in large pieces, and no byte of it is lost."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from http.client import IncompleteRead
from typing import TYPE_CHECKING

import pytest

from scripts.download import responses
from scripts.download.responses import Response
from tests.download.transfers import noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
DATA = noise(600_000, seed=11)
LONG = 1 << 18


@contextmanager
def answered(send: Callable[[socket.socket], object]) -> Iterator[tuple[Response, list[int]]]:
    """Yield the response that a server sends over a real connection, and what is counted of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as peer:
                send(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        counted: list[int] = []
        with socket.create_connection(server.getsockname(), timeout=60) as opened:
            response = Response(opened, lambda size, _: counted.append(size), method="GET")
            response.begin()
            yield response, counted
        thread.join()


def pieces(response: Response, size: int = LONG) -> list[bytes]:
    """Read a body to its end."""
    found = []
    while piece := response.read(size):
        found.append(bytes(piece))
    return found


@pytest.mark.parametrize("first", [0, 1, 5_000, 8_192, 100_000])
@pytest.mark.parametrize("size", [1_000, 9_000, LONG])
def test_what_came_with_the_headers_is_read_first(first: int, size: int) -> None:
    """However much of the body the file object holds; the end closes it, as http.client does."""

    def send(peer: socket.socket) -> None:
        peer.sendall(HEAD % len(DATA) + DATA[:first])
        time.sleep(0.02)
        peer.sendall(DATA[first:])

    with answered(send) as (response, counted):
        found = pieces(response, size)

        assert b"".join(found) == DATA
        assert max(map(len, found)) <= size
        assert sum(counted) == len(DATA)
        assert response.isclosed()


def test_a_piece_is_filled_from_many_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is written and journalled once."""
    monkeypatch.setattr(responses, "_COLLECT", 60)

    def send(peer: socket.socket) -> None:
        peer.sendall(HEAD % len(DATA))
        for start in range(0, len(DATA), 10_000):
            peer.sendall(DATA[start : start + 10_000])

    with answered(send) as (response, _):
        assert [len(piece) for piece in pieces(response)] == [LONG, LONG, len(DATA) - 2 * LONG]


def test_bytes_of_a_slow_line_are_counted_as_they_arrive() -> None:
    """A piece ends after half a second; it does not wait to be full."""

    def send(peer: socket.socket) -> None:
        peer.sendall(HEAD % 100)
        for _ in range(100):
            peer.sendall(b"x")
            time.sleep(0.01)

    with answered(send) as (response, counted):
        found = pieces(response)

    assert len(found) > 1
    assert sum(counted) == sum(map(len, found)) == 100


def reset(peer: socket.socket) -> None:
    """Close a connection so that the other side gets an error."""
    time.sleep(0.5)  # or the other side loses what it has not read yet
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("chunked", [False, True])
def test_what_came_before_a_reset_is_kept(*, chunked: bool) -> None:
    """The next read fails, or finds the end of the connection: the body is too short."""

    def send(peer: socket.socket) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n"
        peer.sendall((head if chunked else HEAD) % len(DATA) + DATA[:100_000])
        reset(peer)

    with answered(send) as (response, counted):
        found = response.read(LONG)
        rest = b""
        with suppress(OSError, IncompleteRead):
            rest = response.read(LONG)

    assert rest == b""
    assert found == DATA[:100_000]
    assert sum(counted) == 100_000


def test_a_body_that_ends_early_is_no_error_here() -> None:
    """The caller compares its length."""

    def send(peer: socket.socket) -> None:
        peer.sendall(HEAD % len(DATA) + DATA[:9_000])

    with answered(send) as (response, _):
        assert b"".join(pieces(response)) == DATA[:9_000]
        assert response.read(LONG) == b""


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Transfer-Encoding: chunked", b"5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n"),
        (b"Connection: close", b"abcdefgh"),
        (b"Content-Length: 8", b"abcdefgh"),
    ],
)
def test_every_kind_of_length_is_read(head: bytes, body: bytes) -> None:
    """In chunks, to the end of the connection, and counted."""

    def send(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body)

    with answered(send) as (response, counted):
        assert b"".join(pieces(response)) == b"abcdefgh"
        assert sum(counted) == 8
    with answered(send) as (response, counted):
        assert response.read1(5) in (b"abcde", b"abcd", b"abc", b"ab", b"a")
        assert counted
    with answered(send) as (response, _):
        assert response.read() == b"abcdefgh"


def test_it_says_how_many_bytes_had_come_before_a_read() -> None:
    """Whether the network or the reader is slow."""
    ours, peer = socket.socketpair()
    found: list[tuple[int, int]] = []
    late: list[bytes] = []

    class Late(Response):
        def _waiting(self) -> int:
            size = super()._waiting()
            peer.sendall(b"".join(late))
            return size

    with ours, peer:
        response = Late(ours, lambda *counts: found.append(counts), method="GET")
        peer.sendall(HEAD % 40_000)
        response.begin()
        peer.sendall(DATA[:30_000])
        response.read(20_000)
        response.read(10_000)
        late.append(DATA[30_000:40_000])
        response.read(10_000)

    assert found == [(20_000, 30_000), (10_000, 10_000), (10_000, 0)]
