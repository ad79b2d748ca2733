"""Bring a file from one address: ranges in parallel, resumed, retried, hashed while they arrive."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from scripts.catalogue.urls import host_of
from scripts.console.errors import TransientError
from scripts.download import pages, partial
from scripts.download.partial import Partial, Version
from scripts.download.publisher import Publisher, RangeError, Reply
from scripts.download.ranges import ChangedError, RangeDownload
from scripts.download.retries import Patience
from scripts.files import digests
from scripts.files.digests import Hashing
from scripts.files.disk import check_room, disk_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.download.limits import TransferLimits
    from scripts.download.request import Request
    from scripts.files.digests import Digest

_VERSIONS = 3  # times a file may change under our hands before it is read in one go


def download(url: str, wanted: Request, limits: TransferLimits) -> Digest:
    """Fill `wanted.part` from `url`, and return its digest once it is the pinned one.

    What has arrived stays beside its journal if this raises, except for wrong bytes. Raises
    SourceError (another source may do), ContentError (wrong bytes) or DiskError.
    """
    resumed = partial.kept(wanted.part) > 0
    digest = _Transfer(url, wanted, limits).run()
    if resumed and wanted.pin and not wanted.pin.matches(digest):
        # What an earlier run left may be to blame: once more, from the first byte.
        partial.discard(wanted.part)
        digest = _Transfer(url, wanted, limits).run()
    return wanted.verified(host_of(url), digest)


class _Transfer:
    """One file from one publisher."""

    def __init__(self, url: str, wanted: Request, limits: TransferLimits) -> None:
        self.url, self.wanted, self.limits = url, wanted, limits
        self.furthest = 0  # bytes of the longest stream so far

    def run(self) -> Digest:
        for _ in range(_VERSIONS):
            try:
                return self._retry(self._ranges_or_stream)
            except ChangedError:  # noqa: PERF203 - one try is one version of the file
                partial.discard(self.wanted.part)
            except RangeError:
                break
        return self._retry(self._stream)  # one answer is one version

    def _retry(self, attempt: Callable[[Publisher], Digest]) -> Digest:
        network = self.limits.network
        patience = Patience(network, lambda: self.furthest, threading.Event())
        publisher = Publisher(self.url, connections=network.connections, timeout=network.timeout)
        with closing(publisher):
            while True:
                try:
                    return attempt(publisher)
                except TransientError as error:  # noqa: PERF203 - a wait follows
                    patience.spend(error)

    def _ranges_or_stream(self, publisher: Publisher) -> Digest:
        """Ask for the first missing MiB: that tells size, version, and whether there are ranges."""
        start, stop, validator = partial.gap(self.wanted.part, publisher.url, self.wanted.hash)
        with ExitStack() as stack:
            with self.limits.slots, publisher.get(start, stop, validator=validator) as reply:
                if not reply.ranged and start:
                    self._expect(reply)
                    if validator in (None, reply.validator):
                        raise RangeError(f"{reply.host}: has no ranges to go on with")
                    raise ChangedError(f"{reply.host}: another version than the one begun")
                if not reply.ranged:
                    return self._pour(reply)
                part = stack.enter_context(closing(self._plan(reply, publisher)))
                filling = stack.enter_context(
                    RangeDownload(part, publisher, self.limits, self.wanted.bar)
                )
                hashing = Hashing(part.fd, part.front, sha256=self.wanted.sha256)
                stack.callback(hashing.abandon)
                filling.use(reply, lambda: part.front() - hashing.position)
            filling.finish()
            with disk_errors(self.wanted.part):
                return hashing.finish(part.version.size)

    def _plan(self, reply: Reply, publisher: Publisher) -> Partial:
        """Open the partial file for what the publisher serves now, if it can be the pinned one."""
        size, path = self._expect(reply) or 0, self.wanted.part
        if self.wanted.pin is None and reply.validator is None:
            raise RangeError(f"{reply.host}: nothing would tell two versions apart")
        check_room(path, size - partial.kept(path) + self.wanted.reserve, what=self.wanted.name)
        part = Partial(path, Version(publisher.url, reply.validator, size, self.wanted.hash))
        self.wanted.bar.start(size, part.present)
        return part

    def _stream(self, publisher: Publisher) -> Digest:
        with self.limits.slots, publisher.get() as reply:
            return self._pour(reply)

    def _pour(self, reply: Reply) -> Digest:
        """Read a file whole, in one stream: it starts from its first byte each time.

        Beside what was begun, which stays until the whole is there: another source may go on.
        """
        path, total = self.wanted.part, self._expect(reply)
        whole = path.with_suffix(".whole")
        if total is not None:
            check_room(path, total + self.wanted.reserve, what=self.wanted.name)
        self.wanted.bar.start(total, 0)
        try:
            digest = digests.write(self._arriving(reply, total), whole, sha256=self.wanted.sha256)
            if total is not None and digest.size < total:
                raise TransientError(f"{reply.host}: the answer was cut short")
            partial.discard(path)
            with disk_errors(path):
                whole.replace(path)
        finally:
            whole.unlink(missing_ok=True)
        return digest

    def _expect(self, reply: Reply) -> int | None:
        """Return the size of what is served, or the pinned one; raise ContentError if it is not."""
        pin = self.wanted.pin
        total = reply.total if reply.total is not None else (pin.size if pin else None)
        if total is not None:
            self.wanted.check_size(total, reply.host)
        return total

    def _arriving(self, reply: Reply, total: int | None) -> Iterator[bytes]:
        written = 0
        for chunk in reply.chunks():
            if not written and pages.looks_like_page(chunk):
                raise pages.refusal(reply.host, chunk)
            yield chunk
            written += len(chunk)
            self.furthest = max(self.furthest, written)
            self.wanted.bar.advance(len(chunk))
            if total is not None and written > total:
                self.wanted.check_size(written, reply.host)  # it may never end
