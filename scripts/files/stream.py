"""Write bytes as they come, from the first to the last, and hash them on the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scripts.files.digests import Hashing
from scripts.files.disk import disk_errors, write_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scripts.files.digests import Digest


def pour(chunks: Iterable[bytes], path: Path, *, sha256: bool) -> Digest:
    """Make a new file of `chunks`, in place of what was at `path`, and return its digest.

    What raises between two chunks leaves the file as far as it was written. Raises DiskError.
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
