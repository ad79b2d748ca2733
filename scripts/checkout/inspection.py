"""Read every byte of the tree and of its objects in the cache, on all cores, and judge them.

Nothing is believed unread: not DVC's memory of a file's time, not the read-only mode of an
object, nor, where the system lets go of it, its copy in memory.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.console.errors import StoppedError
from scripts.console.progress import Bar
from scripts.files import digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from scripts.catalogue.params import Published
    from scripts.catalogue.pins import Pin
    from scripts.checkout.clone import Clone
    from scripts.files.digests import Digest

RIGHT, WRONG, MISSING = "right", "wrong", "missing"
UNREADABLE, UNPINNED = "unreadable", "unpinned"
GRAVEST = (WRONG, UNREADABLE, MISSING, UNPINNED, RIGHT)
_DAMAGE = {errno.EIO, errno.EBADMSG}  # a disk's way of saying that the bytes are gone
_CHUNK = 1 << 20  # bytes

Inode = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """Where the bytes of a file should lie: at its path, or as its object in the cache."""

    entry: Published
    file: str  # its path under models/, for both
    path: Path
    pin: Pin | None
    cached: bool = False


@dataclass(frozen=True)
class Finding:
    """What a place holds: a state, the digest where it could be read, the reason where not."""

    place: Place
    state: str
    digest: Digest | None = None
    reason: str | None = None


def places(clone: Clone, entries: Iterable[Published]) -> list[Place]:
    """Return both places of every file; before its first use a file has no object."""
    found = []
    for entry in entries:
        for file in entry.files:
            pin = clone.pin(file)
            found.append(Place(entry, file.path, clone.root / file.path, pin))
            if pin:
                held = clone.cache.object(str(pin.md5))
                found.append(Place(entry, file.path, held, pin, cached=True))
    return found


def look(clone: Clone, wanted: Iterable[Published]) -> list[Finding]:
    """Read every place of the entries, and tell DVC of each wrong one what it really holds."""
    found = examine(places(clone, wanted))
    for finding in found:
        if finding.state == WRONG:
            place, cache = finding.place, clone.cache
            tell = cache.distrust if place.cached else cache.remember
            tell(place.path, finding.digest.md5 if finding.digest else UNREADABLE)
    return found


def examine(wanted: Sequence[Place]) -> list[Finding]:
    """Read what lies at the places, linked files once, and judge each; raise StoppedError."""
    looked = {place.path: _look(place.path) for place in wanted}
    there = {path: at for path, at in looked.items() if isinstance(at, os.stat_result)}
    files = {_inode(at): path for path, at in there.items()}
    read = _read({path: there[path].st_size for path in files.values()})
    results = {
        path: read[files[_inode(at)]] if isinstance(at, os.stat_result) else at
        for path, at in looked.items()
    }
    return [_judge(place, results[place.path]) for place in wanted]


def _inode(at: os.stat_result) -> Inode:
    return at.st_dev, at.st_ino


def _look(path: Path) -> os.stat_result | OSError:
    try:
        found = path.stat()
    except OSError as error:
        return error
    if stat.S_ISREG(found.st_mode):
        return found
    return OSError(errno.EINVAL, "not a file")  # a pipe would be waited for, for ever


def _read(sizes: dict[Path, int]) -> dict[Path, Digest | OSError]:
    """Hash files side by side, the largest first, so that no core ends with a large one alone."""
    paths = sorted(sizes, key=lambda path: -sizes[path])
    over = threading.Event()
    pool = ThreadPoolExecutor(os.cpu_count())
    with Bar("verify") as bar:
        bar.start(sum(sizes.values()), 0)
        try:
            return dict(zip(paths, pool.map(lambda p: _hash(p, bar, over), paths), strict=True))
        except KeyboardInterrupt:
            raise StoppedError("stopped", "Not every byte was read: nothing is known.") from None
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)


def _hash(path: Path, bar: Bar, over: threading.Event) -> Digest | OSError:
    try:
        with path.open("rb", buffering=0) as file:
            with suppress(AttributeError, OSError):  # not on macOS, nor on every file system
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            chunks: Iterator[bytes] = iter(lambda: b"" if over.is_set() else file.read(_CHUNK), b"")
            return digests.of_chunks(chunks, lambda chunk: bar.advance(len(chunk)))
    except OSError as error:
        return error


def _judge(place: Place, read: Digest | OSError) -> Finding:
    if isinstance(read, FileNotFoundError):
        return Finding(place, MISSING)
    if isinstance(read, OSError):
        state = WRONG if read.errno in _DAMAGE else UNREADABLE
        return Finding(place, state, reason=str(read.strerror).lower())
    if place.pin is None:
        return Finding(place, UNPINNED, read)
    return Finding(place, RIGHT if place.pin.matches(read) else WRONG, read)


def states(found: Sequence[Finding]) -> dict[str, str]:
    """Return path -> state of every file: that of its gravest place.

    An object that is not in the cache is no fault of the file: it may be a copy.
    """
    told: dict[str, str] = {}
    for finding in found:
        if not (finding.place.cached and finding.state == MISSING):
            graver = (finding.state, told.get(finding.place.file, finding.state))
            told[finding.place.file] = min(graver, key=GRAVEST.index)
    return told


def shown(clone: Clone, path: Path) -> str:
    """Return a path as a person at the root of the clone would write it."""
    return os.path.relpath(path, clone.root)
