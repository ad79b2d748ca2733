"""Bring a file from one address: ranges in parallel, resumed, retried, hashed while they arrive."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts import pages, partial
from scripts.digests import Digest, Hashing
from scripts.disk import check_room, refusals, write_at
from scripts.errors import ContentError, TransientError
from scripts.partial import MIB, Partial, Version
from scripts.patience import Patience
from scripts.publisher import Publisher, RangeError, Reply
from scripts.ranges import ChangedError, Filling, Line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.pins import Pin
    from scripts.progress import Bar

_VERSIONS = 3  # times a file may change under our hands before it is read in one go


@dataclass(frozen=True)
class Wanted:
    """What to bring, and where to: the partial file, and the pin if there is one."""

    name: str
    part: Path
    pin: Pin | None
    bar: Bar
    reserve: int = 0  # bytes of room to leave beside the file

    @property
    def sha256(self) -> bool:
        """Whether the sha256 is needed: to be checked, or to be told on first use."""
        return self.pin is None or self.pin.sha256 is not None


def bring(url: str, wanted: Wanted, line: Line) -> Digest:
    """Fill `wanted.part` from `url`, and return its digest once it is the pinned one.

    What has arrived stays beside its journal if this raises, except for wrong bytes. Raises
    SourceError (another source may do), ContentError (wrong bytes) or DiskError.
    """
    resumed = partial.kept(wanted.part) > 0
    digest = _Transfer(url, wanted, line).run()
    if resumed and wanted.pin and not wanted.pin.matches(digest):
        # What an earlier run left may be to blame: once more, from the first byte.
        partial.discard(wanted.part)
        digest = _Transfer(url, wanted, line).run()
    return verified(url, wanted, digest)


def verified(url: str, wanted: Wanted, digest: Digest) -> Digest:
    """Return the digest if the bytes are the pinned ones; else discard them, raise ContentError."""
    if wanted.pin is None or wanted.pin.matches(digest):
        return digest
    partial.discard(wanted.part)
    raise mismatch(host_of(url), wanted.pin, digest)


def mismatch(host: str, pin: Pin, got: Digest) -> ContentError:
    """Return the error that shows pinned and received identity, aligned."""
    rows = []
    if pin.md5 and (pin.md5 != got.md5 or not pin.allows_size(got.size)):
        size = f"{pin.size:>15,} bytes" if pin.size is not None else f"{'':>15} size not pinned"
        rows += [f"pinned  md5 {pin.md5} {size}   (dvc.lock)"]
        rows += [f"got     md5 {got.md5} {got.size:>15,} bytes"]
    if pin.sha256 and pin.sha256 != got.sha256:
        rows += [f"pinned  sha256 {pin.sha256}   (params.yaml)", f"got     sha256 {got.sha256}"]
    return ContentError(f"bytes from {host} do not match the pin", *rows)


def host_of(url: str) -> str:
    """Return the host of an address: what a message may show of it."""
    return urlsplit(url).hostname or url


class _Transfer:
    """One file from one publisher."""

    def __init__(self, url: str, wanted: Wanted, line: Line) -> None:
        self.url, self.wanted, self.line = url, wanted, line
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
        network = self.line.network
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
        start, validator = partial.gap(self.wanted.part, publisher.url)
        with ExitStack() as stack:
            with self.line.slots, publisher.get(start, start + MIB, validator=validator) as reply:
                if not reply.ranged and start:
                    raise ChangedError(f"{reply.host}: another version than the one begun")
                if not reply.ranged:
                    return self._pour(reply)
                part = stack.enter_context(closing(self._plan(reply, publisher)))
                filling = stack.enter_context(Filling(part, publisher, self.line, self.wanted.bar))
                hashing = Hashing(part.fd, part.front, sha256=self.wanted.sha256)
                stack.callback(hashing.abandon)
                filling.use(reply)
            filling.finish()
            with refusals(self.wanted.part):
                return hashing.finish(part.version.size)

    def _plan(self, reply: Reply, publisher: Publisher) -> Partial:
        """Open the partial file for what the publisher serves now, if it can be the pinned one."""
        size, path = reply.total or 0, self.wanted.part
        self._check_size(size, reply.host)
        if self.wanted.pin is None and reply.validator is None:
            raise RangeError(f"{reply.host}: nothing would tell two versions apart")
        check_room(path, size - partial.kept(path) + self.wanted.reserve, what=self.wanted.name)
        part = Partial(path, Version(publisher.url, reply.validator, size))
        self.wanted.bar.start(size, part.present)
        return part

    def _check_size(self, size: int, host: str) -> None:
        pin = self.wanted.pin
        if pin and not pin.allows_size(size):
            raise ContentError(
                f"{host} serves another file than the pinned one",
                f"pinned  {pin.size:>15,} bytes   md5 {pin.md5}   (dvc.lock)",
                f"serves  {size:>15,} bytes",
            )

    def _stream(self, publisher: Publisher) -> Digest:
        with self.line.slots, publisher.get() as reply:
            return self._pour(reply)

    def _pour(self, reply: Reply) -> Digest:
        """Read a file whole, in one stream: it starts from its first byte each time."""
        path, pin = self.wanted.part, self.wanted.pin
        total = reply.total if reply.total is not None else (pin.size if pin else None)
        if total is not None:
            self._check_size(total, reply.host)
            check_room(path, total + self.wanted.reserve, what=self.wanted.name)
        partial.discard(path)
        self.wanted.bar.start(total, 0)
        with ExitStack() as stack:
            with refusals(path):
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            stack.callback(os.close, fd)
            stream = _Stream(fd, path)
            hashing = Hashing(fd, stream.front, sha256=self.wanted.sha256)
            stack.callback(hashing.abandon)
            self._read_into(stream, reply, total)
            if total is not None and stream.written < total:
                raise TransientError(f"{reply.host}: the answer was cut short")
            with refusals(path):
                return hashing.finish(stream.written)

    def _read_into(self, stream: _Stream, reply: Reply, total: int | None) -> None:
        for chunk in reply.chunks():
            if not stream.written and pages.looks_like_page(chunk):
                raise pages.refusal(reply.host, chunk)
            stream.write(chunk)
            self.furthest = max(self.furthest, stream.written)
            self.wanted.bar.advance(len(chunk))
            if total is not None and stream.written > total:
                self._check_size(stream.written, reply.host)  # it may never end


class _Stream:
    """A file written from its first byte to its last."""

    def __init__(self, fd: int, path: Path) -> None:
        self.fd, self.path, self.written = fd, path, 0

    def front(self) -> int:
        return self.written

    def write(self, data: bytes) -> None:
        with refusals(self.path):
            write_at(self.fd, data, self.written)
        self.written += len(data)
