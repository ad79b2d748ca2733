"""Fill a partial file over several connections at once, block by block."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from scripts.console.errors import SourceError, TransientError
from scripts.download import pages
from scripts.download.retries import Patience

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from scripts.console.progress import Bar
    from scripts.download.limits import TransferLimits
    from scripts.download.partial import Partial
    from scripts.download.publisher import Publisher, Reply

_PAUSE = 0.01  # seconds between two connections that join
_BACKLOG = 2 << 20  # bytes
_HEED = 0.2  # seconds: a Ctrl-C just before an endless wait would be heard only after it


class ChangedError(SourceError):
    """The publisher serves another version than a moment ago."""


class RangeDownload:
    """A crew of threads that takes blocks until none is left, or until one of them fails."""

    def __init__(
        self, part: Partial, publisher: Publisher, limits: TransferLimits, bar: Bar
    ) -> None:
        """Reserve the first missing block for the thread that calls."""
        self._part, self._publisher, self._limits, self._bar = part, publisher, limits, bar
        self._stop, self._over = threading.Event(), threading.Event()
        self._door = threading.Lock()
        self._behind: Callable[[], int] = int
        self._error: BaseException | None = None
        self._mine = part.take()
        count = min(limits.network.connections, part.count) - 1
        self._crew = [threading.Thread(target=self._member, daemon=True) for _ in range(count)]

    def __enter__(self) -> Self:
        """Return the crew, which use() sets to work: from here on it is waited for."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave no thread behind that could still write; a wait of theirs is broken off."""
        if kind is not None:
            self._halt()
        for thread in self._crew:
            if thread.is_alive():
                thread.join()

    def use(self, reply: Reply, behind: Callable[[], int]) -> None:
        """Start; take what the first answer holds, the rest of its block is asked for again.

        Another connection joins only while those that are open bring less than can be hashed:
        `behind` tells the bytes that wait for it. More would only contend for the processor.
        """
        self._behind = behind
        for thread in self._crew:
            thread.start()
        if self._mine is not None and self._part.position(self._mine) == reply.start:
            with suppress(TransientError):
                self._drain(self._mine, reply)

    def finish(self) -> None:
        """Work along until every block is there; raise what stopped the first to fail."""
        with suppress(TransientError):  # broken off, because another one failed
            self._work(self._mine)
        for thread in self._crew:
            while thread.is_alive():
                thread.join(_HEED)
        if self._error:
            raise self._error

    def _member(self) -> None:
        try:
            self._join()
            self._work(self._part.take())
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            if self._error is None:
                self._error = error
            self._halt()

    def _join(self) -> None:
        with self._door:  # one after another, until no block is left for anybody
            waited = self._over.wait(_PAUSE)
            while not waited and self._behind() > _BACKLOG:
                waited = self._over.wait(_PAUSE)

    def _work(self, number: int | None) -> None:
        patience = Patience(self._limits.network, lambda: self._part.present, self._stop)
        moved = False
        while number is not None and not self._stop.is_set():
            while missing := self._part.missing(number):
                try:
                    self._ask(number)
                    moved = True
                except TransientError as error:  # noqa: PERF203 - a wait follows
                    patience.spend(error, moved=moved or self._part.missing(number) < missing)
                    moved = False
            number = self._part.take()
        self._over.set()

    def _ask(self, number: int) -> None:
        start = self._part.position(number)
        stop = start + self._part.missing(number)
        validator = self._part.version.validator
        with self._limits.slots, self._publisher.get(start, stop, validator=validator) as reply:
            self._drain(number, reply)

    def _drain(self, number: int, reply: Reply) -> None:
        version = self._part.version
        if not reply.ranged or (reply.total, reply.validator) != (version.size, version.validator):
            raise ChangedError(f"{reply.host}: serves another version than a moment ago")
        for chunk in reply.chunks():
            if self._stop.is_set():
                raise TransientError(f"{reply.host}: stopped")
            if not self._part.position(number) and pages.looks_like_page(chunk):
                raise pages.refusal(reply.host, chunk)
            self._part.write(number, chunk)
            self._bar.advance(len(chunk))
        if self._part.position(number) < (reply.stop or 0):
            raise TransientError(f"{reply.host}: the answer was cut short")

    def _halt(self) -> None:
        self._stop.set()
        self._over.set()
        self._publisher.close()
