"""A file that arrives in blocks, and the journal beside it that survives a kill or a reboot."""

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
_CELL = MIB // 4  # bytes of a line of the journal: a kill loses at most one cell a connection
_SYNC = 15.0  # seconds between two moments from which a reboot can go on
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NUMBER, _SYNCED = re.compile(r"[0-9]{8}"), re.compile(r"synced [0-9]{8}")


@dataclass(frozen=True)
class Version:
    """Which bytes a partial file holds: those at `url` of this ETag or date, `size` bytes."""

    url: str
    validator: str | None
    size: int
    pin: str | None = None  # the hash they must have in the end

    def continues(self, begun: Version) -> bool:
        """Tell whether what was begun can be gone on with: from another source if a pin decides."""
        elsewhere = self.url != begun.url and self.pin is not None
        return begun == self or (elsewhere and (begun.pin, begun.size) == (self.pin, self.size))


def blocks(size: int) -> list[range]:
    """Return the ranges of bytes that a file is asked for in, one request each.

    A sixteenth, so that all connections stay busy. The last eight of the largest blocks come in
    quarters: all connections end together, and little is left to hash after the last byte.
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
    """The blocks of one version of a file, written in place, each once.

    A block is what one request asks for. The journal is a line of JSON that names the version,
    then a line per finished cell of a block. Cells finished since the last `synced` line count
    only while the machine has not been restarted: a kill leaves what was written to the page
    cache, a power cut does not.
    """

    def __init__(self, path: Path, version: Version) -> None:
        """Open or create the file at `path`; go on where the journal of the same version ended."""
        self.path, self.version = path, version
        self.journal = journal_of(path)
        self._blocks = blocks(version.size)
        begun, done = _begun(path)
        if not begun or not version.continues(begun):
            done = set()
        self.resumed = bool(done)
        with disk_errors(path):
            flags = os.O_RDWR | os.O_CREAT | (0 if done else os.O_TRUNC)
            self.fd = os.open(path, flags, 0o600)
            os.ftruncate(self.fd, version.size)
            self._log = self._start_journal(done)
        self._filled = [_begun_of(block, done) for block in self._blocks]
        self._open = [n for n in reversed(range(self.count)) if self.missing(n)]
        self._lock = threading.Lock()
        self._front = 0
        self._lines, self._synced = len(done), time.monotonic()

    @property
    def count(self) -> int:
        """Number of blocks."""
        return len(self._blocks)

    @property
    def present(self) -> int:
        """Number of bytes that are written."""
        return sum(self._filled)

    def length(self, number: int) -> int:
        """Return the size of a block in bytes; the last one may be shorter."""
        return len(self._blocks[number])

    def take(self) -> int | None:
        """Return the first block nobody works on, or None."""
        with self._lock:
            return self._open.pop() if self._open else None

    def position(self, number: int) -> int:
        """Return the offset in the file of the first byte a block still lacks."""
        return self._blocks[number].start + self._filled[number]

    def missing(self, number: int) -> int:
        """Return how many bytes a block still lacks."""
        return self.length(number) - self._filled[number]

    def write(self, number: int, data: bytes) -> None:
        """Write the next bytes of a block; only the thread that took it may. Raise DiskError."""
        with disk_errors(self.path):
            write_at(self.fd, data, self.position(number))
        first, last = self.position(number) // _CELL, _cells(self._blocks[number]).stop
        self._filled[number] += len(data)
        stop = self.position(number) // _CELL if self.missing(number) else last
        if first < stop:
            self._finish(range(first, stop))

    def front(self) -> int:
        """Return how many bytes from the first on are written without a gap."""
        front = self._front  # counted apart: several threads ask, and += of two would skip a gap
        while front < self.count and not self.missing(front):
            front += 1
        self._front = front
        return self.position(front) if front < self.count else self.version.size

    def close(self) -> None:
        """Close file and journal; both stay for the next run."""
        fd, self.fd = self.fd, -1  # a thread too late must not write to what this number is next
        log, self._log = self._log, -1
        os.close(fd)
        os.close(log)

    def _start_journal(self, done: set[int]) -> int:
        # Written anew, whole, under another name: a torn journal would lose what it can resume.
        fresh = self.journal.with_suffix(".new")
        header = {**asdict(self.version), "cell": _CELL, "boot": _boot()}
        lines = [json.dumps(header) + "\n", *(_line(n) for n in sorted(done))]
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
                os.fdatasync(self.fd)  # outside the lock: the other connections go on
                os.write(self._log, _line(lines, "synced ").encode())


def journal_of(path: Path) -> Path:
    """Return where the journal of a partial file lies."""
    return path.with_suffix(".blocks")


def discard(path: Path) -> None:
    """Remove a partial file and its journal, if they exist; raise DiskError."""
    with disk_errors(path):
        journal_of(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def kept(path: Path) -> int:
    """Return how many bytes of a partial file the next run will not ask for again."""
    version, done = _begun(path)
    return sum(_begun_of(block, done) for block in blocks(version.size)) if version else 0


def gap(path: Path, url: str, pin: str | None) -> tuple[int, int, str | None]:
    """Return the range [start, stop) to ask for first, and the ETag or date it must be of.

    It is the first MiB, or less, that a file begun there, or elsewhere if pinned, lacks of a block.
    """
    version, done = _begun(path)
    start = next(n for n in range(len(done) + 1) if n not in done) * _CELL
    if not version or start >= version.size:
        return 0, MIB, None
    if not replace(version, url=url, pin=pin).continues(version):
        return 0, MIB, None
    end = next(block.stop for block in blocks(version.size) if start in block)
    return start, min(start + MIB, end), version.validator if version.url == url else None


def _begun(path: Path) -> tuple[Version | None, set[int]]:
    """Return what the journal of a file is of, and the cells it vouches for.

    They are none if it is of an older boot and was never synced, or cannot be read.
    """
    try:
        first, *lines = journal_of(path).read_text(encoding="ascii").splitlines()
        told = json.loads(first)
        version = Version(told["url"], told["validator"], told["size"], told["pin"])
        whole = path.stat().st_size == version.size
        cell, same = told["cell"], told["boot"] == _boot()
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None, set()
    if (
        not whole
        or type(version.size) is not int
        or cell != _CELL
        or not _is_header(version.validator)
    ):
        return None, set()
    count = -(-version.size // _CELL)
    done = [int(line) for line in lines if _NUMBER.fullmatch(line) and int(line) < count]
    synced = [int(line[7:]) for line in lines if _SYNCED.fullmatch(line)]
    return version, set(done if same else done[: max(synced, default=0)])


def _cells(block: range) -> range:
    """Return the cells of a block; the last one of a file may be shorter."""
    return range(block.start // _CELL, -(-block.stop // _CELL))


def _begun_of(block: range, done: set[int]) -> int:
    """Return how many bytes of a block are there: it is filled from its first cell on."""
    cells = _cells(block)
    finished = next((n for n, cell in enumerate(cells) if cell not in done), len(cells))
    return min(finished * _CELL, len(block))


def _line(number: int, word: str = "") -> str:
    # Of one width, so that a torn line, alone or with what follows it, is no number.
    return f"{word}{number:08d}\n"


def _is_header(value: object) -> bool:
    """Tell whether a validator may be sent: a journal that was tampered with must not stop us."""
    return value is None or (isinstance(value, str) and value.isascii() and value.isprintable())


def _boot() -> str:
    """Name the run of the machine's kernel; where that is not told, trust nothing unsynced."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return f"unknown since {time.time()}"
