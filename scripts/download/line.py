"""Whether the connections of this process wait for the network, or the network for it."""

from __future__ import annotations

import time

PAUSE = 0.03  # seconds over which reads are counted


class Line:
    """Counts the reads of all connections, and those for which the bytes had come already.

    If they have come for most reads, the processor or the disk is what is slow. More connections
    would only compete for it: reading TLS passes the interpreter's lock on for every 16 KiB.
    """

    def __init__(self) -> None:
        """Start without a read."""
        self._reads = self._full = 0
        self._since, self._seen = time.monotonic(), (0, 0)
        self._is_ahead = False

    def count(self, size: int, waiting: int) -> None:
        """Count a read of `size` bytes, `waiting` of which had come before it.

        There is no lock: a lost update does no harm.
        """
        self._reads += 1
        self._full += waiting * 2 >= size > 0

    @property
    def is_ahead(self) -> bool:
        """Tell whether most reads of the last PAUSE found their bytes waiting; False if none did.

        A slow publisher has sent none by then.
        """
        now, counts = time.monotonic(), (self._reads, self._full)
        if now - self._since > PAUSE:
            reads, full = (new - old for new, old in zip(counts, self._seen, strict=True))
            self._since, self._seen, self._is_ahead = now, counts, full * 2 > reads
        return self._is_ahead
