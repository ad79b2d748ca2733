"""Hashing behind a front that moves, and what happens if the file is cut under it."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

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
    """An open file that holds nothing yet."""
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
    """Two threads that count the front may tell it in either order."""
    os.pwrite(fd, DATA, 0)
    fronts = iter([MIB, 10, 0, 2 * MIB, 5])

    hashing = Hashing(fd, lambda: next(fronts, len(DATA)), sha256=False)

    assert hashing.finish(len(DATA)) == Digest(len(DATA), md5(DATA))


def test_nothing_is_left_of_a_hashing_that_is_abandoned(fd: int) -> None:
    """Its threads end, though the front never came; twice is once."""
    hashing = Hashing(fd, lambda: 0, sha256=True)

    hashing.abandon()
    hashing.abandon()

    assert not [t for t in threading.enumerate() if "_follow" in t.name]


@pytest.mark.parametrize("left", [0, MIB + 5])
def test_a_file_cut_under_the_reader_is_an_error_and_no_endless_wait(fd: int, left: int) -> None:
    """Bytes that were there and are gone will not come back."""
    os.pwrite(fd, DATA[:left], 0)

    hashing = Hashing(fd, lambda: len(DATA), sha256=False)

    with pytest.raises(OSError, match=f"ends at byte {left} while it is being read"):
        hashing.finish(len(DATA))


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    """Read from disk, with sha256 or without, or passed on piece by piece."""
    path = tmp_path / "file"
    path.write_bytes(DATA)

    passed: list[bytes] = []
    assert digests.of_chunks([DATA[:5], DATA[5:]], passed.append) == WHOLE
    assert passed == [DATA[:5], DATA[5:]]
    assert digests.of_file(path) == WHOLE
    assert digests.of_file(path, sha256=False) == Digest(len(DATA), md5(DATA))


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    """The caller says what that means."""
    with pytest.raises(FileNotFoundError):
        digests.of_file(tmp_path / "none")
