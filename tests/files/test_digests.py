"""Hashing up to a front that moves, of files that are truncated, and of chunks."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import DiskError
from scripts.files import digests
from scripts.files.digests import Digest, Hashing
from tests.download.transfers import MIB, md5, noise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = noise(3 * MIB + 17)
WHOLE = Digest(len(DATA), md5(DATA), hashlib.sha256(DATA).hexdigest())


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """An open file that is still empty."""
    number = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield number
    os.close(number)


def test_a_file_is_hashed_while_it_is_written(fd: int) -> None:
    """The digest is that of all bytes, however the front moves."""
    front = 0
    hashing = Hashing(fd, lambda: front, sha256=True)

    for start in range(0, len(DATA), 700_001):
        os.pwrite(fd, DATA[start : start + 700_001], start)
        front = min(start + 700_001, len(DATA))

    assert hashing.finish(len(DATA)) == WHOLE


def test_a_front_that_steps_back_is_waited_for(fd: int) -> None:
    """Two threads that count the front may report it in either order."""
    os.pwrite(fd, DATA, 0)
    fronts = iter([MIB, 10, 0, 2 * MIB, 5])

    hashing = Hashing(fd, lambda: next(fronts, len(DATA)), sha256=False)

    assert hashing.finish(len(DATA)) == Digest(len(DATA), md5(DATA))


def test_an_abandoned_hashing_leaves_no_thread(fd: int) -> None:
    """Its threads end though the front did not move; a second call does nothing."""
    hashing = Hashing(fd, lambda: 0, sha256=True)

    hashing.abandon()
    hashing.abandon()

    assert not [t for t in threading.enumerate() if "_follow" in t.name]


@pytest.mark.parametrize("left", [0, MIB + 5])
def test_a_file_truncated_while_it_is_read_is_an_error(fd: int, left: int) -> None:
    """Its reader does not wait for bytes that are gone."""
    os.pwrite(fd, DATA[:left], 0)

    hashing = Hashing(fd, lambda: len(DATA), sha256=False)

    with pytest.raises(OSError, match=f"ends at byte {left} while it is being read"):
        hashing.finish(len(DATA))


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    """Read from disk, with or without sha256, or in chunks."""
    path = tmp_path / "file"
    path.write_bytes(DATA)

    passed: list[bytes] = []
    assert digests.of_chunks([DATA[:5], DATA[5:]], passed.append) == WHOLE
    assert passed == [DATA[:5], DATA[5:]]
    assert digests.of_file(path) == WHOLE
    assert digests.of_file(path, sha256=False) == Digest(len(DATA), md5(DATA))


def test_the_end_of_a_file_is_no_fault_however_late_its_size_is_told(tmp_path: Path) -> None:
    """A thread that was at the end already may look once more."""
    (tmp_path / "file").write_bytes(b"whole")
    with (tmp_path / "file").open("rb") as file:
        hashing = Hashing(file.fileno(), lambda: 5, sha256=False)
        hashing.finish(5)

        hashing._wait_for_more(5)  # noqa: SLF001 - a moment between two lines of a thread
        os.truncate(tmp_path / "file", 4)
        with pytest.raises(OSError, match="ends at byte 4"):
            hashing._wait_for_more(4)  # noqa: SLF001


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    """The caller turns it into a message."""
    with pytest.raises(FileNotFoundError):
        digests.of_file(tmp_path / "none")


@pytest.mark.parametrize("sha256", [True, False])
def test_chunks_are_written_and_hashed(tmp_path: Path, *, sha256: bool) -> None:
    """The file replaces the old one, and no other user can read it."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    digest = digests.write([DATA[:MIB], DATA[MIB:]], path, sha256=sha256)

    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o600
    more = hashlib.sha256(DATA).hexdigest() if sha256 else None
    assert digest == Digest(len(DATA), md5(DATA), more)


def test_chunks_that_raise_leave_no_thread(tmp_path: Path) -> None:
    """The exception is passed on; the file keeps what was written."""

    def broken() -> Iterator[bytes]:
        yield DATA
        raise ValueError("broken")

    before = threading.active_count()
    with pytest.raises(ValueError, match="broken"):
        digests.write(broken(), tmp_path / "file", sha256=True)

    assert threading.active_count() == before
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_path_that_cannot_be_written_is_a_disk_error(tmp_path: Path) -> None:
    """The folder does not exist."""
    with pytest.raises(DiskError, match="no such file"):
        digests.write([DATA[:MIB], DATA[MIB:]], tmp_path / "none/file", sha256=False)
