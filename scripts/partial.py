"""A file that arrives in blocks, and the journal beside it that survives a kill or a reboot."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.disk import refusals, write_at

MIB = 1 << 20
_LARGEST = 16 * MIB  # bytes; a kill loses at most one block a connection
_SYNC = 15.0  # seconds between two moments from which a reboot can go on
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NUMBER, _SYNCED = re.compile(r"[0-9]{8}"), re.compile(r"synced [0-9]{8}")


@dataclass(frozen=True)
class Version:
    """Which bytes a partial file holds: those at `url` of this ETag or date, `size` bytes."""

    url: str
    validator: str | None
    size: int

    @property
    def block(self) -> int:
        """Size of a block in bytes: a sixteenth, so that eight connections stay busy to the end."""
        return min(max(self.size // 16 // MIB * MIB, MIB), _LARGEST)


class Partial:
    """The blocks of one version of a file, written in place, each once.

    The journal is a line of JSON that names the version, then a line per finished block. Blocks
    finished since the last `synced` line count only while the machine has not been restarted:
    a kill leaves what was written to the page cache, a power cut does not.
    """

    def __init__(self, path: Path, version: Version) -> None:
        """Open or create the file at `path`; go on where the journal of the same version ended."""
        self.path, self.version = path, version
        self.journal = journal_of(path)
        self.block = version.block
        header = {**asdict(version), "boot": _boot()}
        done = _finished(path, header, version)
        self.resumed = bool(done)
        with refusals(path):
            flags = os.O_RDWR | os.O_CREAT | (0 if done else os.O_TRUNC)
            self.fd = os.open(path, flags, 0o600)
            os.ftruncate(self.fd, version.size)
            self._log = self._start_journal(header, done)
        self._filled = [self.length(n) if n in done else 0 for n in range(self.count)]
        self._open = [n for n in reversed(range(self.count)) if n not in done]
        self._lock = threading.Lock()
        self._front = 0
        self._lines, self._synced = len(done), time.monotonic()

    @property
    def count(self) -> int:
        """Number of blocks."""
        return -(-self.version.size // self.block)

    @property
    def present(self) -> int:
        """Number of bytes that are written."""
        return sum(self._filled)

    def length(self, number: int) -> int:
        """Return the size of a block in bytes; the last one may be shorter."""
        return _length(self.version, number)

    def take(self) -> int | None:
        """Return the first block nobody works on, or None."""
        with self._lock:
            return self._open.pop() if self._open else None

    def position(self, number: int) -> int:
        """Return the offset in the file of the first byte a block still lacks."""
        return number * self.block + self._filled[number]

    def missing(self, number: int) -> int:
        """Return how many bytes a block still lacks."""
        return self.length(number) - self._filled[number]

    def write(self, number: int, data: bytes) -> None:
        """Write the next bytes of a block; only the thread that took it may. Raise DiskError."""
        with refusals(self.path):
            write_at(self.fd, data, self.position(number))
        self._filled[number] += len(data)
        if not self.missing(number):
            self._finish(number)

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

    def _start_journal(self, header: dict[str, object], done: set[int]) -> int:
        # Written anew, whole, under another name: a torn journal would lose what it can resume.
        fresh = self.journal.with_suffix(".new")
        lines = [json.dumps(header) + "\n", *(_line(n) for n in sorted(done))]
        if done:
            os.fdatasync(self.fd)
            lines.append(_line(len(done), "synced "))
        fresh.write_text("".join(lines), encoding="ascii")
        fresh.replace(self.journal)
        return os.open(self.journal, os.O_WRONLY | os.O_APPEND)

    def _finish(self, number: int) -> None:
        with self._lock, refusals(self.path):
            os.write(self._log, _line(number).encode())
            self._lines += 1
            lines, due = self._lines, time.monotonic() - self._synced > _SYNC
            if due:
                self._synced = time.monotonic()
        if due:
            with refusals(self.path):
                os.fdatasync(self.fd)  # outside the lock: the other connections go on
                os.write(self._log, _line(lines, "synced ").encode())


def journal_of(path: Path) -> Path:
    """Return where the journal of a partial file lies."""
    return path.with_suffix(".blocks")


def discard(path: Path) -> None:
    """Remove a partial file and its journal, if they exist; raise DiskError."""
    with refusals(path):
        journal_of(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def kept(path: Path) -> int:
    """Return how many bytes of a partial file the next run will not ask for again."""
    version, done = _begun(path)
    return sum(_length(version, n) for n in done) if version else 0


def gap(path: Path, url: str) -> tuple[int, str | None]:
    """Return the offset of the first byte a file begun at `url` lacks, and its ETag or date."""
    version, done = _begun(path)
    number = next((n for n in range(len(done) + 1) if n not in done), 0)
    if not version or version.url != url or number * version.block >= version.size:
        return 0, None
    return number * version.block, version.validator


def _begun(path: Path) -> tuple[Version | None, set[int]]:
    try:
        told = json.loads(journal_of(path).read_text(encoding="ascii").splitlines()[0])
        version = Version(told["url"], told["validator"], told["size"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None, set()
    if type(version.size) is not int or not _is_header(version.validator):
        return None, set()
    return version, _finished(path, {**asdict(version), "boot": _boot()}, version)


def _length(version: Version, number: int) -> int:
    return min(version.block, version.size - number * version.block)


def _finished(path: Path, header: dict[str, object], version: Version) -> set[int]:
    """Return the blocks the journal vouches for; none if it is of another version or unreadable."""
    try:
        first, *lines = journal_of(path).read_text(encoding="ascii").splitlines()
        told = json.loads(first)
        whole = path.stat().st_size == version.size
    except (OSError, ValueError, RecursionError):
        return set()
    if not whole or not isinstance(told, dict):
        return set()
    same_boot = told.pop("boot", None) == header["boot"]
    if told != {key: value for key, value in header.items() if key != "boot"}:
        return set()
    count = -(-version.size // version.block)
    done = [int(line) for line in lines if _NUMBER.fullmatch(line) and int(line) < count]
    synced = [int(line[7:]) for line in lines if _SYNCED.fullmatch(line)]
    return set(done if same_boot else done[: max(synced, default=0)])


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
