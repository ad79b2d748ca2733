"""Blocks, their journal, and the effects of other threads, other runs and damage."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import DiskError
from scripts.download import partial
from scripts.download.partial import MIB, Partial, Version
from tests.download.transfers import noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CELL = MIB // 4
SIZE = 4 * MIB + 10  # five blocks, the last one short
VERSION = Version("https://host.test/file", '"etag"', SIZE)


@pytest.fixture
def part(tmp_path: Path) -> Iterator[Partial]:
    """A new partial file."""
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
    """At least one MiB, at most sixteen MiB; with sixteen, the last ones are smaller."""
    found = partial.blocks(size)

    assert [len(block) for block in found] == lengths
    assert [b.start for b in found] == [0, *(b.stop for b in found)][: len(found)]


def test_blocks_are_taken_once_and_in_order(part: Partial) -> None:
    """Each block has one owner among the threads."""
    assert [part.take() for _ in range(6)] == [0, 1, 2, 3, 4, None]
    assert (part.count, part.missing(4), part.position(4)) == (5, 10, 4 * MIB)


def test_the_front_stops_at_the_first_gap(part: Partial) -> None:
    """The written part of a block counts."""
    fill(part, 0, 1, 3)
    part.write(2, b"half")

    assert part.front() == 2 * MIB + 4
    assert part.present == 3 * MIB + 4
    part.write(2, noise(part.missing(2)))
    fill(part, 4)
    assert part.front() == SIZE


def test_the_front_skips_no_gap_when_two_threads_compute_it_at_once(
    part: Partial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that is interrupted continues with its own count."""
    fill(part, 0, 1)
    real = part.missing
    nested: list[int] = []

    def interrupted(number: int) -> int:
        if not nested:
            nested.append(number)
            part.front()  # as another thread might
        return real(number)

    monkeypatch.setattr(part, "missing", interrupted)

    assert part.front() == 2 * MIB
    assert part.front() == 2 * MIB


def test_finished_blocks_are_kept(part: Partial) -> None:
    """The next run finds the same blocks and requests the first gap, with the ETag."""
    fill(part, 0, 1, 3)
    part.write(4, b"half")

    assert partial.kept(part.path) == 3 * MIB
    assert partial.gap(part.path, VERSION.url, None) == (2 * MIB, 3 * MIB, '"etag"')
    assert partial.gap(part.path, "https://elsewhere.test/", None) == (0, MIB, None)
    again = Partial(part.path, VERSION)
    assert again.present == 3 * MIB
    assert [again.take() for _ in range(3)] == [2, 4, None]
    again.close()


def test_an_unfinished_block_is_resumed_after_its_last_finished_cell(part: Partial) -> None:
    """A kill loses less than one cell of each unfinished block."""
    part.write(0, noise(CELL + 5))
    part.write(1, noise(3 * CELL))

    assert partial.kept(part.path) == 4 * CELL
    assert partial.gap(part.path, VERSION.url, None) == (CELL, MIB, '"etag"')
    again = Partial(part.path, VERSION)
    assert [again.position(n) for n in range(3)] == [CELL, MIB + 3 * CELL, 2 * MIB]
    assert [again.take() for _ in range(2)] == [0, 1]
    again.close()


def test_another_version_starts_from_nothing(part: Partial) -> None:
    """The old bytes are discarded, even if the size is the same."""
    fill(part, 0, 1)

    other = Partial(part.path, Version(VERSION.url, '"new"', SIZE))

    assert (other.present, other.front()) == (0, 0)
    assert os.pread(other.fd, 10, 0) == bytes(10)
    other.close()


@pytest.mark.parametrize(
    ("pin", "other", "continues"),
    [
        ("a" * 32, VERSION, True),  # what was begun without a pin, under another ETag
        ("a" * 32, replace(VERSION, pin="a" * 32), True),
        ("a" * 32, replace(VERSION, pin="a" * 32, size=SIZE + 1), False),
        ("a" * 32, replace(VERSION, pin="b" * 32), False),
        (None, replace(VERSION, pin="a" * 32), False),
        (None, VERSION, False),
    ],
)
def test_a_pin_binds_the_bytes_of_several_versions(
    pin: str | None, other: Version, *, continues: bool
) -> None:
    """Of one size and for one pin; without a pin the ETag has to be the same."""
    assert Version(VERSION.url, '"new"', SIZE, pin).continues(other) is continues


def test_the_blocks_are_synced_regularly(part: Partial, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reboot the download resumes from there."""
    fill(part, 0, 2)
    monkeypatch.setattr(partial, "_SYNC", -1.0)
    fill(part, 1)
    monkeypatch.setattr(partial, "_boot", lambda: "another")

    cells = [f"{n:08d}" for n in (*range(4), *range(8, 12), *range(4, 8))]
    assert part.journal.read_text().splitlines()[1:] == [*cells, "synced 00000012"]
    assert partial.kept(part.path) == 3 * MIB


def test_without_a_boot_id_no_unsynced_cell_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other systems than Linux have none: every run counts as a reboot."""
    monkeypatch.setattr(partial, "_BOOT", tmp_path / "none")
    made = Partial(tmp_path / "file.part", VERSION)
    fill(made, 0)
    made.close()

    assert partial.kept(tmp_path / "file.part") == 0


def test_a_late_thread_writes_nowhere(tmp_path: Path) -> None:
    """After close() the descriptor may be that of another file: the write must fail."""
    part = Partial(tmp_path / "file.part", VERSION)
    part.close()
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)

    with pytest.raises(DiskError, match="bad file descriptor"):
        part.write(0, b"late")

    assert os.fstat(other).st_size == 0
    os.close(other)


def test_many_threads_write_many_blocks(tmp_path: Path) -> None:
    """Each block is written once, in place, and each cell is recorded once."""
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


def test_a_partial_file_that_cannot_be_created_or_removed_is_a_disk_error(tmp_path: Path) -> None:
    """A folder has its name."""
    (tmp_path / "file.part").mkdir()

    with pytest.raises(DiskError):
        Partial(tmp_path / "file.part", VERSION)
    with pytest.raises(DiskError):
        partial.discard(tmp_path / "file.part")


# Damage to a journal after which nothing of its file is trusted.
DAMAGE: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "garbage": lambda _: "\xff\x00garbage\n1\n2\n",
    "no object": lambda _: "[]\n00000000\n",
    "a number": lambda _: "7\n00000000\n",
    "deep": lambda _: "[" * 100_000,
    "header cut": lambda text: text[:40],
    "no validator": lambda text: text.replace('validator": "', 'validator": "\\n\\u1234'),
    "other size": lambda text: text.replace('size": 4', 'size": 5'),
    "size as text": lambda text: text.replace('size": 4194314', 'size": "4194314"'),
    "other cell": lambda text: text.replace('cell": 2', 'cell": 1'),
    "older boot": lambda text: text.replace('boot": "', 'boot": "1'),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_journal_is_not_trusted(part: Partial, damage: str) -> None:
    """The next run starts from the first byte."""
    fill(part, 0, 1)
    text = part.journal.read_text()
    damaged = DAMAGE[damage](text)
    assert damaged != text

    part.journal.write_text(damaged, encoding="latin-1")

    assert partial.kept(part.path) == 0
    assert partial.gap(part.path, VERSION.url, None)[0] == 0


@pytest.mark.parametrize("torn", ["0000000", "00000000\n0000", "synced 0000000", "99999999\n"])
def test_a_torn_line_of_the_journal_is_ignored(part: Partial, torn: str) -> None:
    """Alone or joined with the next line, it names no cell."""
    header = part.journal.read_text()

    part.journal.write_text(f"{header}00000000\n{torn}")

    assert partial.kept(part.path) == CELL


def test_a_journal_of_an_older_boot_counts_up_to_its_last_sync(part: Partial) -> None:
    """A power cut may lose what was not on the disk yet."""
    fill(part, 0, 1, 2)
    header, *lines = part.journal.read_text().splitlines()
    header = header.replace('boot": "', 'boot": "another ')

    part.journal.write_text("\n".join([header, *lines[:8], "synced 00000008", *lines[8:], ""]))

    assert partial.kept(part.path) == 2 * MIB


@pytest.mark.parametrize("size", [0, 3 * MIB, SIZE + 1, None])
def test_a_file_of_another_size_than_its_journal_is_not_trusted(
    part: Partial, size: int | None
) -> None:
    """Nor is a missing one."""
    fill(part, 0)
    if size is None:
        part.path.unlink()
    else:
        os.truncate(part.path, size)

    assert partial.kept(part.path) == 0


def test_the_file_of_another_pin_is_not_resumed(tmp_path: Path) -> None:
    """With the same pin, another source resumes it; the ETag of the first is not sent there."""
    elsewhere, path = "https://mirror.test/", tmp_path / "file.part"
    part = Partial(path, replace(VERSION, pin="a" * 32))
    fill(part, 0)
    part.close()

    assert partial.gap(path, elsewhere, "a" * 32) == (MIB, 2 * MIB, None)
    assert partial.gap(path, VERSION.url, "a" * 32) == (MIB, 2 * MIB, None)
    assert partial.gap(path, VERSION.url, None) == (0, MIB, None)
    assert partial.gap(path, elsewhere, "b" * 32) == (0, MIB, None)
    assert partial.gap(path, VERSION.url, "b" * 32) == (0, MIB, None)
