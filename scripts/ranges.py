"""Fill a partial file over several connections at once, block by block."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from scripts import pages
from scripts.errors import SourceError, TransientError
from scripts.patience import Patience

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from scripts.catalogue import Network
    from scripts.partial import Partial
    from scripts.progress import Bar
    from scripts.publisher import Publisher, Reply


class ChangedError(SourceError):
    """The publisher serves another version than a moment ago."""


class Line:
    """What all transfers of a run share: the network's limits, and the ranges in flight."""

    def __init__(self, network: Network) -> None:
        """Make as many slots as there may be ranges in flight."""
        self.network = network
        self.slots = threading.Semaphore(network.connections)


class Filling:
    """A crew of threads that takes blocks until none is left, or until one of them fails."""

    def __init__(self, part: Partial, publisher: Publisher, line: Line, bar: Bar) -> None:
        """Reserve the first missing block for the thread that calls."""
        self._part, self._publisher, self._line, self._bar = part, publisher, line, bar
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._mine = part.take()
        count = min(line.network.connections, part.count) - 1
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

    def use(self, reply: Reply) -> None:
        """Start; take what the first answer holds, the rest of its block is asked for again."""
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
            thread.join()
        if self._error:
            raise self._error

    def _member(self) -> None:
        try:
            self._work(self._part.take())
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            if self._error is None:
                self._error = error
            self._halt()

    def _work(self, number: int | None) -> None:
        patience = Patience(self._line.network, lambda: self._part.present, self._stop)
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

    def _ask(self, number: int) -> None:
        start = self._part.position(number)
        stop = start + self._part.missing(number)
        validator = self._part.version.validator
        with self._line.slots, self._publisher.get(start, stop, validator=validator) as reply:
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
        self._publisher.close()
