"""Bytes that are written as they come."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import DiskError
from scripts.files import stream
from scripts.files.digests import Digest
from tests.download.transfers import md5, noise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = noise(100_000)
PIECES = [DATA[i : i + 9999] for i in range(0, len(DATA), 9999)]


@pytest.mark.parametrize("sha256", [True, False])
def test_what_is_poured_is_written_and_hashed(tmp_path: Path, *, sha256: bool) -> None:
    """In place of what was there, readable by nobody else."""
    path = tmp_path / "file"
    path.write_bytes(b"left by a kill")

    digest = stream.pour(PIECES, path, sha256=sha256)

    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o600
    more = hashlib.sha256(DATA).hexdigest() if sha256 else None
    assert digest == Digest(len(DATA), md5(DATA), more)


def test_a_source_that_breaks_off_leaves_no_thread(tmp_path: Path) -> None:
    """What it raises comes through; the file holds what had come."""

    def broken() -> Iterator[bytes]:
        yield DATA
        raise ValueError("broken")

    before = threading.active_count()
    with pytest.raises(ValueError, match="broken"):
        stream.pour(broken(), tmp_path / "file", sha256=True)

    assert threading.active_count() == before
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_place_that_cannot_be_written_is_a_disk_error(tmp_path: Path) -> None:
    """There is no such folder."""
    with pytest.raises(DiskError, match="no such file"):
        stream.pour(PIECES, tmp_path / "none/file", sha256=False)
