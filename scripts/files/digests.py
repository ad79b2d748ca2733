"""Hash a file while it is being written, in one thread for each algorithm."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.files.disk import disk_errors, open_file, write_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_CHUNK = 1 << 20  # bytes; larger chunks do not fit the processor's cache and hash slower
_PAUSE = 0.005  # seconds between two checks of a front that has not moved


@dataclass(frozen=True)
class Digest:
    """What bytes are: size in bytes, md5 and, if requested, sha256 (both lower-case hex)."""

    size: int
    md5: str
    sha256: str | None = None


class Hashing:
    """Hash a file up to its front: all bytes before it have been written.

    The threads read back what is still in the page cache, so the verification of a transfer
    ends with its last byte instead of after it.
    """

    def __init__(self, fd: int, front: Callable[[], int], *, sha256: bool) -> None:
        """Start to hash; `front` returns a growing number of bytes."""
        self._fd = fd
        self._front = front
        self._stop = threading.Event()
        self._size: int | None = None
        self._error: OSError | None = None
        self._hashes = [hashlib.md5(usedforsecurity=False)]
        if sha256:
            self._hashes.append(hashlib.sha256())
        self._positions = [0] * len(self._hashes)
        self._threads = [
            threading.Thread(target=self._follow, args=(n,), daemon=True)
            for n in range(len(self._hashes))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def position(self) -> int:
        """Return how many bytes every algorithm has read."""
        return min(self._positions)

    def finish(self, size: int) -> Digest:
        """Wait until `size` bytes are hashed; return their digest, or raise a read's OSError."""
        self._size = size
        for thread in self._threads:
            thread.join()
        if self._error:
            raise self._error
        return Digest(size, *(h.hexdigest() for h in self._hashes))

    def abandon(self) -> None:
        """Stop the threads without a digest."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _follow(self, number: int) -> None:
        buffer, digest = memoryview(bytearray(_CHUNK)), self._hashes[number]
        position = 0
        try:
            while position != self._size and not self._stop.is_set():
                want = min(self._front() - position, _CHUNK)
                got = os.preadv(self._fd, [buffer[:want]], position) if want > 0 else 0
                if not got:
                    self._wait_for_more(position)
                digest.update(buffer[:got])
                position += got
                self._positions[number] = position
        except OSError as error:
            self._error = error

    def _wait_for_more(self, position: int) -> None:
        # Another process truncated a file that is shorter than its front: do not wait for ever.
        # `_size` may have been set, and reached, since the caller compared it.
        lacking = self._size is not None and position < self._size
        if lacking and os.fstat(self._fd).st_size <= position:
            raise OSError(f"the file ends at byte {position} while it is being read")
        self._stop.wait(_PAUSE)


def of_file(path: Path, *, sha256: bool = True) -> Digest:
    """Return the digest of a file on disk; raise OSError if it cannot be read."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        return Hashing(file.fileno(), lambda: size, sha256=sha256).finish(size)


def of_chunks(chunks: Iterable[bytes], passed: Callable[[bytes], object]) -> Digest:
    """Hash chunks that are not written to a file; call `passed` with each of them."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    for chunk in chunks:
        md5.update(chunk)
        sha256.update(chunk)
        passed(chunk)
        size += len(chunk)
    return Digest(size, md5.hexdigest(), sha256.hexdigest())


def write(chunks: Iterable[bytes], path: Path, *, sha256: bool) -> Digest:
    """Write chunks to a new file, which replaces the one at `path`; return its digest.

    If `chunks` raises, the file keeps what was written so far. Raises DiskError.
    """
    with disk_errors(path):
        path.unlink(missing_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    written = 0
    hashing = Hashing(fd, lambda: written, sha256=sha256)
    try:
        for chunk in chunks:
            with disk_errors(path):
                write_at(fd, chunk, written)
            written += len(chunk)
        with disk_errors(path):
            return hashing.finish(written)
    finally:
        hashing.abandon()
        os.close(fd)
