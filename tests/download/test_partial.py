"""Blocks, their journal, and what other threads and other runs may do to them."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import DiskError
from scripts.download import partial
from scripts.download.partial import MIB, Partial, Version
from tests.download.transfers import noise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CELL = MIB // 4
SIZE = 4 * MIB + 10  # five blocks, the last one short
VERSION = Version("https://host.test/file", '"etag"', SIZE)


@pytest.fixture
def part(tmp_path: Path) -> Iterator[Partial]:
    """A partial file that has just been begun."""
    made = Partial(tmp_path / "file.part", VERSION)
    yield made
    made.close()


def fill(part: Partial, *numbers: int) -> None:
    """Write whole blocks."""
    for number in numbers:
        part.write(number, noise(part.missing(number), number))


@pytest.mark.parametrize(
    ("size", "lengths"),
    [
        (0, []),
        (10, [10]),
        (64 * MIB + 7, [4 * MIB] * 16 + [7]),
        (255 * MIB, [15 * MIB] * 17),
        (1 << 30, [16 * MIB] * 56 + [4 * MIB] * 32),
        ((1 << 30) - 1, [16 * MIB] * 56 + [4 * MIB] * 31 + [4 * MIB - 1]),
    ],
)
def test_blocks_are_a_sixteenth_within_limits(size: int, lengths: list[int]) -> None:
    """Small files in MiB, never more than sixteen MiB; where they are so large, less at the end."""
    found = partial.blocks(size)

    assert [len(block) for block in found] == lengths
    assert [b.start for b in found] == [0, *(b.stop for b in found)][: len(found)]


def test_blocks_are_taken_once_and_from_the_front(part: Partial) -> None:
    """Several threads ask; each block has one owner."""
    assert [part.take() for _ in range(6)] == [0, 1, 2, 3, 4, None]
    assert (part.count, part.length(4), part.missing(4), part.position(4)) == (5, 10, 10, 4 * MIB)


def test_the_front_stops_at_the_first_gap(part: Partial) -> None:
    """Half a block counts as far as it goes."""
    fill(part, 0, 1, 3)
    part.write(2, b"half")

    assert part.front() == 2 * MIB + 4
    assert part.present == 3 * MIB + 4
    part.write(2, noise(part.missing(2)))
    fill(part, 4)
    assert part.front() == SIZE


def test_the_front_skips_no_gap_when_two_threads_ask_at_once(
    part: Partial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is interrupted in the middle of its count goes on with its own."""
    fill(part, 0, 1)
    real = part.missing
    nested: list[int] = []

    def interrupted(number: int) -> int:
        if not nested:
            nested.append(number)
            part.front()  # what another thread does meanwhile
        return real(number)

    monkeypatch.setattr(part, "missing", interrupted)

    assert part.front() == 2 * MIB
    assert part.front() == 2 * MIB


def test_what_was_finished_is_gone_on_with(part: Partial) -> None:
    """The next run finds the same blocks and asks for the first gap, with the ETag."""
    fill(part, 0, 1, 3)
    part.write(4, b"half")

    assert partial.kept(part.path) == 3 * MIB
    assert partial.gap(part.path, VERSION.url, None) == (2 * MIB, 3 * MIB, '"etag"')
    assert partial.gap(part.path, "https://elsewhere.test/", None) == (0, MIB, None)
    again = Partial(part.path, VERSION)
    assert again.resumed
    assert [again.take() for _ in range(3)] == [2, 4, None]
    again.close()


def test_half_a_block_is_gone_on_with_from_its_last_whole_cell(part: Partial) -> None:
    """A kill loses less than one cell of each block that was being written."""
    part.write(0, noise(CELL + 5))
    part.write(1, noise(3 * CELL))

    assert partial.kept(part.path) == 4 * CELL
    assert partial.gap(part.path, VERSION.url, None) == (CELL, MIB, '"etag"')
    again = Partial(part.path, VERSION)
    assert [again.position(n) for n in range(3)] == [CELL, MIB + 3 * CELL, 2 * MIB]
    assert [again.take() for _ in range(2)] == [0, 1]
    again.close()


def test_another_version_starts_from_nothing(part: Partial) -> None:
    """The old bytes are gone, even of the same size."""
    fill(part, 0, 1)

    other = Partial(part.path, Version(VERSION.url, '"new"', SIZE))

    assert not other.resumed
    assert (other.present, other.front()) == (0, 0)
    assert os.pread(other.fd, 10, 0) == bytes(10)
    other.close()


def test_now_and_then_the_blocks_are_forced_to_the_disk(
    part: Partial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From there a reboot can go on."""
    fill(part, 0, 2)
    monkeypatch.setattr(partial, "_SYNC", -1.0)
    fill(part, 1)
    monkeypatch.setattr(partial, "_boot", lambda: "another")

    cells = [f"{n:08d}" for n in (*range(4), *range(8, 12), *range(4, 8))]
    assert part.journal.read_text().splitlines()[1:] == [*cells, "synced 00000012"]
    assert partial.kept(part.path) == 3 * MIB


def test_where_no_boot_is_named_nothing_unsynced_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Off Linux every run counts as a reboot."""
    monkeypatch.setattr(partial, "_BOOT", tmp_path / "none")
    made = Partial(tmp_path / "file.part", VERSION)
    fill(made, 0)
    made.close()

    assert partial.kept(tmp_path / "file.part") == 0


def test_a_thread_that_is_late_writes_nowhere(tmp_path: Path) -> None:
    """Once closed, a file's number may be another file's: a write must fail, not land there."""
    part = Partial(tmp_path / "file.part", VERSION)
    part.close()
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)

    with pytest.raises(DiskError, match="bad file descriptor"):
        part.write(0, b"late")

    assert os.fstat(other).st_size == 0
    os.close(other)


def test_many_threads_write_many_blocks(tmp_path: Path) -> None:
    """Each block is written once, in place, and each cell is journalled once."""
    version = Version("u", None, 16 * MIB)
    part = Partial(tmp_path / "file.part", version)

    def work() -> None:
        while (number := part.take()) is not None:
            for piece in range(16):
                part.write(number, bytes([number, piece]) * (MIB // 32))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    part.close()

    lines = part.journal.read_text().splitlines()[1:]
    assert sorted(lines) == [f"{cell:08d}" for cell in range(64)]
    data = part.path.read_bytes()
    assert all(data[n * MIB] == n and data[(n + 1) * MIB - 1] == 15 for n in range(16))


def test_a_partial_file_that_cannot_be_made_or_removed_is_a_disk_error(tmp_path: Path) -> None:
    """A folder stands in its way."""
    (tmp_path / "file.part").mkdir()

    with pytest.raises(DiskError):
        Partial(tmp_path / "file.part", VERSION)
    with pytest.raises(DiskError):
        partial.discard(tmp_path / "file.part")
