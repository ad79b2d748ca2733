"""A file downloaded in blocks, and its journal, which survives a kill or a reboot."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from scripts.files.disk import disk_errors, write_at

MIB = 1 << 20
_LARGEST = 16 * MIB  # bytes of one request
_CELL = MIB // 4  # bytes per line of the journal: a kill loses at most one cell per connection
_SYNC = 15.0  # seconds between two points from which a download resumes after a reboot
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NUMBER, _SYNCED = re.compile(r"[0-9]{8}"), re.compile(r"synced [0-9]{8}")
_PRINTABLE = re.compile("[ -~]*")  # what a header may have; that of a damaged journal may not


@dataclass(frozen=True)
class Version:
    """The version of the file: `size` bytes at `url` with this ETag or date, or of this hash."""

    url: str
    validator: str | None
    size: int
    pin: str | None = None  # the expected hash, which decides in place of URL and validator

    def continues(self, other: Version) -> bool:
        """Tell whether a partial file of `other` can be resumed; with a pin, from any source."""
        if self.pin is None:
            return other == self
        return other.size == self.size and other.pin in (None, self.pin)

    def allows(self, size: int | None, validator: str | None) -> bool:
        """Tell whether a range of a file with this size and validator may be one of these bytes.

        The servers of one publisher may disagree on the validator: with a pin it does not matter.
        """
        return size == self.size and (self.pin is not None or validator == self.validator)


def blocks(size: int) -> list[range]:
    """Return the byte ranges of a file that are requested one by one.

    Each is a sixteenth of the file, to keep all connections busy. The last eight of the largest
    blocks are quartered: all connections end together, and little is left to hash at the end.
    """
    most = min(max(size // 16 // MIB * MIB, MIB), _LARGEST)
    tail = size - 8 * _LARGEST if most == _LARGEST else size
    found, start = [], 0
    while start < size:
        stop = min(start + (most if start < tail else most // 4), size)
        found.append(range(start, stop))
        start = stop
    return found


class Partial:
    """The blocks of one version of a file, each written once, in place.

    A block is the range of one request. The journal is a line of JSON that names the version,
    then a line per finished cell of a block. Cells finished since the last `synced` line count
    only until the machine restarts: the page cache survives a kill, but not a power cut.
    """

    def __init__(self, path: Path, version: Version) -> None:
        """Open the file at `path`; resume it if its journal is of this version, else empty it."""
        self.path, self.version = path, version
        self.journal = journal_of(path)
        self._blocks = blocks(version.size)
        found, done = _read_journal(path)
        if not found or not version.continues(found):
            done = set()
        with disk_errors(path):
            flags = os.O_RDWR | os.O_CREAT | (0 if done else os.O_TRUNC)
            self.fd = os.open(path, flags, 0o600)
            os.ftruncate(self.fd, version.size)
            self._log = self._start_journal(done)
        self._filled = [_filled(block, done) for block in self._blocks]
        self._free = [n for n in reversed(range(self.count)) if self.missing(n)]
        self._lock = threading.Lock()
        self._front = 0
        self._lines, self._synced = len(done), time.monotonic()
        # Whether the bytes may be of several versions: those of an earlier run, or unidentified.
        self.mixed = bool(done) or version.validator is None

    @property
    def count(self) -> int:
        """Number of blocks."""
        return len(self._blocks)

    @property
    def present(self) -> int:
        """Number of bytes that are written."""
        return sum(self._filled)

    def take(self) -> int | None:
        """Reserve the first free block for the calling thread and return it, or None."""
        with self._lock:
            return self._free.pop() if self._free else None

    def position(self, number: int) -> int:
        """Return the offset in the file of the first missing byte of a block."""
        return self._blocks[number].start + self._filled[number]

    def missing(self, number: int) -> int:
        """Return how many bytes of a block are missing."""
        return len(self._blocks[number]) - self._filled[number]

    def write(self, number: int, data: bytes) -> None:
        """Write the next bytes of a block taken by the calling thread; raise DiskError."""
        with disk_errors(self.path):
            write_at(self.fd, data, self.position(number))
        first, last = self.position(number) // _CELL, _cells(self._blocks[number]).stop
        self._filled[number] += len(data)
        stop = self.position(number) // _CELL if self.missing(number) else last
        if first < stop:
            self._finish(range(first, stop))

    def front(self) -> int:
        """Return how many bytes are written before the first gap."""
        front = self._front  # a local copy: two threads that both increment would skip a gap
        while front < self.count and not self.missing(front):
            front += 1
        self._front = front
        return self.position(front) if front < self.count else self.version.size

    def close(self) -> None:
        """Close the file and its journal; both are kept for the next run."""
        fd, self.fd = self.fd, -1  # a late thread must not write to a reused number
        log, self._log = self._log, -1
        os.close(fd)
        os.close(log)

    def _start_journal(self, done: set[int]) -> int:
        # Replaced by rename: a half-written journal would lose what can be resumed.
        fresh = self.journal.with_suffix(".new")
        lines = [_header(self.version), *(_line(n) for n in sorted(done))]
        if done:
            os.fdatasync(self.fd)
            lines.append(_line(len(done), "synced "))
        fresh.write_text("".join(lines), encoding="ascii")
        fresh.replace(self.journal)
        return os.open(self.journal, os.O_WRONLY | os.O_APPEND)

    def _finish(self, cells: range) -> None:
        with self._lock, disk_errors(self.path):
            os.write(self._log, "".join(map(_line, cells)).encode())
            self._lines += len(cells)
            lines, due = self._lines, time.monotonic() - self._synced > _SYNC
            if due:
                self._synced = time.monotonic()
        if due:
            with disk_errors(self.path):
                os.fdatasync(self.fd)  # outside the lock: other connections continue
                os.write(self._log, _line(lines, "synced ").encode())


def journal_of(path: Path) -> Path:
    """Return the path of the journal of a partial file."""
    return path.with_suffix(".blocks")


def discard(path: Path) -> None:
    """Remove a partial file and its journal, if they exist; raise DiskError."""
    with disk_errors(path):
        journal_of(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def note(path: Path, version: Version) -> None:
    """Write down which version a file is that was downloaded in one stream; raise DiskError."""
    with disk_errors(path):
        journal_of(path).write_text(_header(version), encoding="ascii")


def kept(path: Path) -> int:
    """Return how many bytes of a partial file the next run will not download again."""
    found, done = _read_journal(path)
    return sum(_filled(block, done) for block in blocks(found.size)) if found else 0


def version(path: Path) -> Version | None:
    """Return the version of a partial file, or None if it is not known."""
    return _read_journal(path)[0]


def gap(path: Path, url: str, pin: str | None) -> tuple[int, int, str | None]:
    """Return the range [start, stop) to request first, and the ETag or date it must have.

    It is the first missing MiB of a block, or less. A pinned file may have any ETag.
    """
    found, done = _read_journal(path)
    start = next(n for n in range(len(done) + 1) if n not in done) * _CELL
    if not found or start >= found.size:
        return 0, MIB, None
    if not replace(found, url=url, pin=pin).continues(found):
        return 0, MIB, None
    end = next(block.stop for block in blocks(found.size) if start in block)
    return start, min(start + MIB, end), found.validator if pin is None else None


def _read_journal(path: Path) -> tuple[Version | None, set[int]]:
    """Return the version and the finished cells of a partial file, according to its journal.

    There are none if the journal is unreadable, or from an older boot and was never synced.
    """
    try:
        first, *lines = journal_of(path).read_text(encoding="ascii").splitlines()
        header = json.loads(first)
        found = Version(header["url"], header["validator"], header["size"], header["pin"])
        whole = path.stat().st_size == found.size
        sendable = found.validator is None or _PRINTABLE.fullmatch(found.validator)
        cell, same_boot = header["cell"], header["boot"] == _boot()
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None, set()
    if not whole or type(found.size) is not int or cell != _CELL or not sendable:
        return None, set()
    count = -(-found.size // _CELL)
    done = [int(line) for line in lines if _NUMBER.fullmatch(line) and int(line) < count]
    synced = [int(line[7:]) for line in lines if _SYNCED.fullmatch(line)]
    return found, set(done if same_boot else done[: max(synced, default=0)])


def _header(version: Version) -> str:
    return json.dumps({**asdict(version), "cell": _CELL, "boot": _boot()}) + "\n"


def _cells(block: range) -> range:
    """Return the cells of a block; the last cell of a file may be shorter."""
    return range(block.start // _CELL, -(-block.stop // _CELL))


def _filled(block: range, done: set[int]) -> int:
    """Return how many bytes of a block are present; it is filled from its first cell on."""
    cells = _cells(block)
    finished = next((n for n, cell in enumerate(cells) if cell not in done), len(cells))
    return min(finished * _CELL, len(block))


def _line(number: int, word: str = "") -> str:
    # Of fixed width: a torn line, alone or joined with the next one, is not a valid number.
    return f"{word}{number:08d}\n"


def _boot() -> str:
    """Return the boot id; where there is none, return a new one each time, to trust no cell."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return f"unknown since {time.time()}"
