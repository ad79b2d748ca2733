"""A splice proxy in its own process: it counts reply bytes, cuts, slows and delays connections.

Run as a file, with the standard library alone: ``proxy.py UPSTREAM COUNTERS CUT RATE DELAY``. It
prints its port, and ends when its standard input ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

LAYOUT = "qq"  # the counters file: reply bytes passed on, connections open
_PIECE = 1 << 20  # bytes a splice
_SLOWED = 1 << 16  # bytes a splice where a rate is set: small, so that the rate is even
_PIPE_SIZE = 1031  # F_SETPIPE_SZ of fcntl.h; the module has a name for it since Python 3.10


@dataclass
class Counters:
    """Two numbers in a file that another process reads."""

    shared: mmap.mmap
    served: int = 0
    active: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, served: int = 0, active: int = 0) -> None:
        """Count bytes and connections."""
        with self.lock:
            self.served += served
            self.active += active
            struct.pack_into(LAYOUT, self.shared, 0, self.served, self.active)


@dataclass(frozen=True)
class Limits:
    """The limits of a connection: reply bytes until it is closed, bytes a second; 0 is no limit.

    `delay` is in seconds: of the connection, and of all that the client sends.
    """

    cut: int = 0
    rate: int = 0
    delay: float = 0


class Pump:
    """Passes the replies of one connection on without copying them into this process."""

    def __init__(self, counters: Counters, limits: Limits) -> None:
        """Open the pipe that splice needs."""
        self._counters, self._limits = counters, limits
        self._left = limits.cut or sys.maxsize
        self._due = 0.0
        self._out, self._in = os.pipe()
        with contextlib.suppress(OSError):  # above the user's limit: 64 kB suffice
            fcntl.fcntl(self._in, _PIPE_SIZE, _PIECE)

    def run(self, source: int, target: int) -> None:
        """Pass bytes until the source ends or the connection reaches its cut."""
        piece = _SLOWED if self._limits.rate else _PIECE
        while self._left and (got := os.splice(source, self._in, min(piece, self._left))):
            self._wait(got)
            rest = got
            while rest:
                passed = os.splice(self._out, target, rest)
                rest -= passed
                self._counters.add(served=passed)
            self._left -= got

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._in)
        os.close(self._out)

    def _wait(self, size: int) -> None:
        # Idle time earns no credit: the next reply is not faster than the rate.
        if self._limits.rate:
            self._due = max(self._due, time.monotonic()) + size / self._limits.rate
            time.sleep(max(0.0, self._due - time.monotonic()))


def _serve(client: socket.socket, upstream: int, counters: Counters, limits: Limits) -> None:
    counters.add(active=1)
    pump = Pump(counters, limits)
    asking: threading.Thread | None = None
    with client, contextlib.suppress(OSError):
        time.sleep(limits.delay)
        server = socket.create_connection(("127.0.0.1", upstream))
        with server:
            asking = threading.Thread(target=_ask, args=(client, server, limits.delay), daemon=True)
            asking.start()
            with contextlib.suppress(OSError):
                pump.run(server.fileno(), client.fileno())
            # What was sent must arrive: shut down our side, and let the client close.
            client.shutdown(socket.SHUT_WR)
            asking.join()
    pump.close()
    counters.add(active=-1)


def _ask(client: socket.socket, server: socket.socket, delay: float) -> None:
    """Pass requests on until the client closes; after a cut, discard them."""
    open_ = True
    with contextlib.suppress(OSError):
        while asked := client.recv(1 << 16):
            time.sleep(delay)
            try:
                server.sendall(asked)
            except OSError:
                open_ = False
    if open_:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, *rest: object) -> None:
    while True:
        client, _ = listening.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(client, *rest), daemon=True).start()


def main() -> None:
    """Listen on a free port of loopback until standard input ends."""
    upstream, limits = (
        int(sys.argv[1]),
        Limits(int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])),
    )
    with Path(sys.argv[2]).open("r+b") as file:
        counters = Counters(mmap.mmap(file.fileno(), struct.calcsize(LAYOUT)))
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    rest = (listening, upstream, counters, limits)
    threading.Thread(target=_accept, args=rest, daemon=True).start()
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
