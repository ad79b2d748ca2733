"""Download the blocks of a partial file over several connections, and hash them meanwhile."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from scripts.console.errors import SourceError, TransientError
from scripts.download.line import PAUSE
from scripts.download.publisher import RangeError
from scripts.download.retries import Retries
from scripts.files.digests import Hashing
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from scripts.download.partial import Partial
    from scripts.download.publisher import Publisher, Reply
    from scripts.download.request import Request, TransferLimits
    from scripts.files.digests import Digest

_SHARE = 2048  # bytes/s of a connection: each fills a TLS record of 16 KiB within the timeout
_BACKLOG = 2 << 20  # bytes written but not yet hashed: another connection would not help
_HOLD = 32 << 20  # bytes written but not yet hashed: the hash needs the processor more
_POLL = 0.2  # seconds: a join without timeout would delay Ctrl-C


class ChangedError(SourceError):
    """The file changed at the publisher during the download."""


class RangeDownload(AbstractContextManager["RangeDownload"]):
    """Workers that download blocks until none is left, or until one of them fails."""

    def __init__(
        self, part: Partial, publisher: Publisher, limits: TransferLimits, request: Request
    ) -> None:
        """Reserve the first missing block for the calling thread. `part` is closed on exit."""
        self._part, self._publisher, self._limits = part, publisher, limits
        self._request, self._bar = request, request.bar
        self._stop, self._done = threading.Event(), threading.Event()
        self._start_lock = threading.Lock()
        self._open, self._began, self._resumed = 1, time.monotonic(), part.present
        self._error: BaseException | None = None
        self._first_block = part.take()
        count = min(limits.network.connections, part.count) - 1
        self._workers = [threading.Thread(target=self._worker, daemon=True) for _ in range(count)]
        self._hashing = Hashing(part.fd, part.front, sha256=request.sha256)

    def __exit__(self, kind: object, *_: object) -> None:
        """Wait until no thread can write any more; abort them if an error is pending."""
        self._hashing.abandon()
        if kind is not None:
            self._abort()
        for thread in self._workers:
            if thread.is_alive():
                thread.join()
        self._part.close()

    def start(self, reply: Reply) -> None:
        """Start the workers and read the first response into its block.

        If that response fails, finish() requests the rest of its block.
        """
        for thread in self._workers:
            thread.start()
        if self._first_block is not None and self._part.position(self._first_block) == reply.start:
            with suppress(TransientError):
                self._read(self._first_block, reply)

    def finish(self) -> Digest:
        """Download until every block is present and return the digest; raise the first error."""
        with suppress(TransientError):  # aborted because another thread failed
            self._download_blocks(self._first_block)
        for thread in self._workers:
            while thread.is_alive():
                thread.join(_POLL)
        if self._error:
            raise self._error
        with disk_errors(self._part.path):
            return self._hashing.finish(self._part.version.size)

    def _worker(self) -> None:
        try:
            self._wait_to_start()
            self._download_blocks(self._part.take(), patient=True)
        except BaseException as error:  # noqa: BLE001 - raised again by finish()
            if self._error is None:
                self._error = error
            self._abort()

    def _wait_to_start(self) -> None:
        """Wait until the open connections are slower than the hash, or no block is left.

        More connections than that would only compete for the processor; or for a slow line.
        """
        with self._start_lock:  # one worker after another
            self._done.wait(PAUSE)
            while self._is_ahead or self._unhashed > _BACKLOG or self._line_is_slow():
                if self._done.wait(PAUSE):
                    return
            self._open += 1

    @property
    def _is_ahead(self) -> bool:
        return self._limits.line.is_ahead

    @property
    def _unhashed(self) -> int:
        return self._part.front() - self._hashing.position

    def _line_is_slow(self) -> bool:
        seconds = time.monotonic() - self._began
        return self._part.present - self._resumed < _SHARE * self._open * seconds

    def _download_blocks(self, number: int | None, *, patient: bool = False) -> None:
        """Download a block and, one after another, those that are free."""
        retries = Retries(self._limits.network, lambda: self._part.present, self._stop)
        moved = False
        while number is not None and not self._stop.is_set():
            while missing := self._part.missing(number):
                try:
                    self._download(number)
                    moved = True
                except TransientError as error:  # noqa: PERF203 - a wait follows
                    retries.spend(error, moved=moved or self._part.missing(number) < missing)
                    moved = False
            if patient:
                self._make_way()
            number = self._part.take()
        self._done.set()

    def _make_way(self) -> None:
        """Leave the processor to the first thread, or to the hash, which would be late."""
        while (self._is_ahead or self._unhashed > _HOLD) and not self._done.wait(PAUSE):
            pass

    def _download(self, number: int) -> None:
        start = self._part.position(number)
        stop = start + self._part.missing(number)
        version = self._part.version
        validator = version.validator if version.pin is None else None
        with self._limits.slots, self._publisher.get(start, stop, validator=validator) as reply:
            self._read(number, reply)

    def _read(self, number: int, reply: Reply) -> None:
        self._check_version(reply)
        for chunk in reply.chunks():
            if self._stop.is_set():
                raise TransientError(f"{reply.host}: stopped")
            self._part.write(number, chunk)
            self._bar.advance(len(chunk))
        if self._part.position(number) < (reply.stop or 0):
            raise TransientError(f"{reply.host}: the response was cut short")

    def _check_version(self, reply: Reply) -> None:
        version = self._part.version
        if reply.total is not None:
            self._request.check_size(reply.total, reply.host)
        if not reply.ranged and version.pin is not None:
            raise RangeError(f"{reply.host}: does not always support ranges")
        if not reply.ranged or not version.allows(reply.total, reply.validator):
            raise ChangedError(f"{reply.host}: the file changed during the download")
        if reply.validator != version.validator:
            self._part.mixed = True

    def _abort(self) -> None:
        self._stop.set()
        self._done.set()
        self._publisher.close()
