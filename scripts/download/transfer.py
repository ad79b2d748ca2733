"""Download a file from one URL: ranges in parallel, resumed, retried, hashed as they arrive."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from scripts.catalogue.urls import host_of
from scripts.console.errors import TransientError
from scripts.download import partial
from scripts.download.partial import Partial, Version
from scripts.download.publisher import Publisher, RangeError, Reply
from scripts.download.ranges import ChangedError, RangeDownload
from scripts.download.retries import Retries
from scripts.files import digests
from scripts.files.disk import check_room, disk_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.download.request import Request, TransferLimits
    from scripts.files.digests import Digest

_VERSIONS = 3  # times a file may change during the download before it is read in one stream


def download(url: str, request: Request, limits: TransferLimits) -> Digest:
    """Download `url` to `request.part`, and return the digest once it matches the pin.

    On failure the received bytes and their journal are kept, except for wrong bytes. Raises
    SourceError (another source may succeed), ContentError (wrong bytes) or DiskError.
    """
    first = _Transfer(url, request, limits, request.hash)
    digest = first.run()
    if first.mixed and request.pin and not request.pin.matches(digest):
        # They may be of several versions: download again from the first byte, and only one.
        partial.discard(request.part)
        digest = _Transfer(url, request, limits, None).run()
    return request.verified(host_of(url), digest)


class _Transfer:
    """The download of one file from one publisher; without `pin`, of a single version of it."""

    def __init__(self, url: str, request: Request, limits: TransferLimits, pin: str | None) -> None:
        self.url, self.request, self.limits, self.pin = url, request, limits, pin
        self.furthest = 0  # bytes of the longest stream so far
        self.mixed = False  # whether the bytes may be of several versions

    def run(self) -> Digest:
        """Download in ranges, or in one stream if ranges fail or the file keeps changing."""
        for _ in range(_VERSIONS):
            try:
                return self._retry(self._in_ranges)
            except ChangedError:  # noqa: PERF203 - each attempt is one version of the file
                partial.discard(self.request.part)
            except RangeError:
                break
        return self._retry(self._in_one_stream)

    def _retry(self, attempt: Callable[[Publisher], Digest]) -> Digest:
        network = self.limits.network
        retries = Retries(network, lambda: self.furthest, threading.Event())
        publisher = Publisher(
            self.url, connections=network.connections, timeout=network.timeout, limits=self.limits
        )
        with closing(publisher), self.limits.one_more_file():
            if self.request.pin is None:
                publisher.refuse_private()
            while True:
                try:
                    return attempt(publisher)
                except TransientError as error:  # noqa: PERF203 - a wait follows
                    retries.spend(error)

    def _in_ranges(self, publisher: Publisher) -> Digest:
        """Request the first missing MiB: the response gives size, version and range support."""
        start, stop, validator = partial.gap(self.request.part, publisher.url, self.pin)
        with ExitStack() as stack:
            with self.limits.slots, publisher.get(start, stop, validator=validator) as reply:
                if not reply.ranged:
                    if start:
                        self._refuse_restart(reply, validator)
                    return self._save(reply)
                part = self._open(reply, publisher.url)
                ranges = RangeDownload(part, publisher, self.limits, self.request)
                stack.enter_context(ranges).start(reply)
            digest = ranges.finish()
            self.mixed = part.mixed
            return digest

    def _in_one_stream(self, publisher: Publisher) -> Digest:
        with self.limits.slots, publisher.get() as reply:
            return self._save(reply)

    def _refuse_restart(self, reply: Reply, validator: str | None) -> None:
        """Raise why a partial file cannot be resumed with a response that starts at byte 0."""
        self._expected_size(reply)
        if validator in (None, reply.validator):
            raise RangeError(f"{reply.host}: does not support ranges")
        raise ChangedError(f"{reply.host}: the file has changed since the last run")

    def _open(self, reply: Reply, url: str) -> Partial:
        """Open the partial file for the served version, if that can be the pinned one."""
        size, path = self._expected_size(reply) or 0, self.request.part
        if self.pin is None and reply.validator is None:
            raise RangeError(f"{reply.host}: nothing identifies the version of the file")
        room = size - partial.kept(path) + self.request.reserve
        check_room(path, room, what=self.request.name)
        part = Partial(path, Version(url, reply.validator, size, self.pin))
        self.request.bar.start(size, part.present)
        return part

    def _save(self, reply: Reply) -> Digest:
        """Save a whole response, which starts at the first byte each time.

        The partial file stays until the response is complete: another source may resume it.
        """
        path, total = self.request.part, self._expected_size(reply)
        whole = path.with_suffix(".whole")
        if total is not None:
            check_room(path, total + self.request.reserve, what=self.request.name)
        self.request.bar.start(total, 0)
        try:
            digest = digests.write(self._chunks(reply, total), whole, sha256=self.request.sha256)
            if total is not None and digest.size < total:
                raise TransientError(f"{reply.host}: the response was cut short")
            partial.discard(path)
            with disk_errors(path):
                whole.replace(path)
        finally:
            whole.unlink(missing_ok=True)
        return digest

    def _expected_size(self, reply: Reply) -> int | None:
        """Return the served size, or the pinned one; raise ContentError if they differ."""
        pin = self.request.pin
        total = reply.total if reply.total is not None else (pin.size if pin else None)
        if total is not None:
            self.request.check_size(total, reply.host)
        return total

    def _chunks(self, reply: Reply, total: int | None) -> Iterator[bytes]:
        received = 0
        for chunk in reply.chunks():
            yield chunk
            received += len(chunk)
            self.furthest = max(self.furthest, received)
            self.request.bar.advance(len(chunk))
            if total is not None and received > total:
                self.request.check_size(received, reply.host)  # the stream may be endless
