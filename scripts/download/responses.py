"""The body of a response, read from its socket in large pieces."""

from __future__ import annotations

import fcntl
import http.client
import io
import termios
import time
from array import array
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    # Called with the number of bytes that a read brings, and how many had come before it.
    Arrived = Callable[[int, int], object]

_COLLECT = 0.5  # seconds for one piece; bytes of a slow line are counted as they arrive


class Response(http.client.HTTPResponse):
    """A response of http.client whose `read` fills one buffer straight from the socket.

    TLS delivers 16 KiB at a time. Through the file object of http.client and urllib3's `read1`,
    each of them costs ten calls of Python functions.
    """

    def __init__(self, sock: socket.socket, arrived: Arrived, **more: Any) -> None:  # noqa: ANN401 - as in http.client
        """Call `arrived` for each read of the body."""
        super().__init__(sock, **more)
        self._socket, self._arrived = sock, arrived
        self._drained = False  # whether the file object has passed on what came with the headers

    def read(self, amt: int | None = None) -> bytes:
        """Return `amt` bytes; or those that came in half a second, or before an end or an error."""
        if not amt or self.fp is None:
            return super().read(amt)
        buffer = bytearray(amt if self.length is None else min(amt, self.length))
        waiting = self._waiting()
        got = self._fill(memoryview(buffer))
        self._arrived(got, waiting)
        if self.length is not None:
            self.length -= got
            if not got or not self.length:
                self._close_conn()  # type: ignore[attr-defined] # as in http.client
        del buffer[got:]
        return buffer  # type: ignore[return-value] # the callers take both

    def read1(self, n: int = -1) -> bytes:
        """Return what one read of the file object gives, as http.client does."""
        piece = super().read1(n)
        self._arrived(len(piece), 0)
        return piece

    def _waiting(self) -> int:
        """Return how many bytes of the connection have come, but are not read yet."""
        size = array("i", [0])
        with suppress(OSError, ValueError):  # closed meanwhile
            fcntl.ioctl(self._socket, termios.FIONREAD, size)
        return size[0]

    def _fill(self, view: memoryview) -> int:
        """Read until the view is full; return how many bytes came before an end or an error."""
        got, latest = 0, time.monotonic() + _COLLECT
        try:
            while got < len(view) and (size := self._piece(view[got:])):
                got += size
                if time.monotonic() > latest:
                    break
        except OSError:
            if not got:  # else the next read fails, or finds that the body is too short
                raise
        return got

    def _piece(self, view: memoryview) -> int:
        if self._drained:
            return self._socket.recv_into(view)
        if self.length is None:  # in chunks, or to the end of the connection
            piece = super().read1(len(view))
        else:
            piece = self.fp.read1(len(view))
            # Only a file object with a full buffer has more; it does not fill it for a large read.
            self._drained = len(piece) < len(view) or len(view) >= io.DEFAULT_BUFFER_SIZE
        view[: len(piece)] = piece
        return len(piece)
