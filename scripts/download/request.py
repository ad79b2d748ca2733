"""Which file to download, within which limits, and whether the received bytes are that file."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from scripts.console.errors import ContentError
from scripts.download import partial
from scripts.download.line import PAUSE, Line

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.catalogue.params import Network
    from scripts.catalogue.pins import Pin
    from scripts.console.progress import Bar
    from scripts.files.digests import Digest


class TransferLimits:
    """The limits that all transfers of a run share."""

    def __init__(self, network: Network) -> None:
        """Make as many slots as there may be ranges in flight."""
        self.network = network
        self.slots = threading.Semaphore(network.connections)
        self.files = 0  # that are being downloaded
        self.line = Line()
        self._lock, self._turn = threading.Lock(), threading.Lock()

    @cached_property
    def context(self) -> ssl.SSLContext:
        """What all connections trust, read once; raises SourceError."""
        from scripts.download.connections import trust  # noqa: PLC0415 - a file in place needs none

        return trust()

    @property
    def least_rate(self) -> float:
        """The least bytes/s of one file: all files share the line."""
        return self.network.least_rate / max(self.files, 1)

    @contextmanager
    def one_more_file(self) -> Iterator[None]:
        """Count a file as long as it is being downloaded.

        It waits while those before it have more than they can read.
        """
        with self._turn:
            while self.files:
                time.sleep(PAUSE)
                if not self.line.is_ahead:
                    break
            with self._lock:
                self.files += 1
        try:
            yield
        finally:
            with self._lock:
                self.files -= 1


@dataclass(frozen=True)
class Request:
    """A file to download to the partial file `part`, with its pin if there is one."""

    name: str
    part: Path
    pin: Pin | None
    bar: Bar
    reserve: int = 0  # bytes of disk space to leave beside the file

    @property
    def sha256(self) -> bool:
        """Whether the sha256 is needed: to check it, or to report it on first use."""
        return self.pin is None or self.pin.sha256 is not None

    @property
    def hash(self) -> str | None:
        """The expected hash of the bytes, if it is known."""
        return (self.pin.md5 or self.pin.sha256) if self.pin else None

    def check_size(self, size: int, host: str) -> None:
        """Raise ContentError if a file of `size` bytes cannot be the pinned one."""
        pin = self.pin
        if pin and not pin.allows_size(size):
            raise ContentError(
                f"{host} serves a file of a different size",
                f"pinned  {pin.size:>15,} bytes   md5 {pin.md5}   (dvc.lock)",
                f"serves  {size:>15,} bytes",
            )

    def verified(self, host: str, digest: Digest) -> Digest:
        """Return the digest if it matches the pin; else discard the bytes, raise ContentError."""
        if self.pin is None or self.pin.matches(digest):
            return digest
        partial.discard(self.part)
        raise mismatch(host, self.pin, digest)


def mismatch(host: str, pin: Pin, got: Digest) -> ContentError:
    """Return the error that shows the pinned and the received hashes and sizes, aligned."""
    rows = []
    if pin.md5 and (pin.md5 != got.md5 or not pin.allows_size(got.size)):
        size = f"{pin.size:>15,} bytes" if pin.size is not None else f"{'':>15} size not pinned"
        rows += [f"pinned  md5 {pin.md5} {size}   (dvc.lock)"]
        rows += [f"got     md5 {got.md5} {got.size:>15,} bytes"]
    if pin.sha256 and pin.sha256 != got.sha256:
        rows += [f"pinned  sha256 {pin.sha256}   (params.yaml)", f"got     sha256 {got.sha256}"]
    return ContentError(f"bytes from {host} do not match the pin", *rows)
