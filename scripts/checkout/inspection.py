"""Read every byte of the tree and of its cached objects, on all cores, and compare the digests.

No shortcut is taken: neither the hash that DVC remembers, nor the read-only mode of an object,
nor, where the system can drop it, the page cache counts as proof.
"""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.console.errors import StoppedError
from scripts.console.progress import Bar
from scripts.files import digests
from scripts.files.disk import dangles, open_file, reason, special

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from scripts.catalogue.params import Published
    from scripts.catalogue.pins import Pin
    from scripts.checkout.clone import Clone
    from scripts.files.digests import Digest

RIGHT, WRONG, MISSING = "right", "wrong", "missing"
UNREADABLE, UNPINNED = "unreadable", "unpinned"
DANGLING = "dangling"  # a link to an object that is gone
GRAVEST = (WRONG, UNREADABLE, DANGLING, MISSING, UNPINNED, RIGHT)
_DAMAGE = {errno.EIO, errno.EBADMSG}  # the disk has lost the bytes
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Place:
    """Where the bytes of a file belong: at its path, or in its object in the cache."""

    entry: Published
    file: str  # its path under models/, for both
    path: Path
    pin: Pin | None
    cached: bool = False


@dataclass(frozen=True)
class Finding:
    """The state of a place; its digest, or the reason why it could not be read."""

    place: Place
    state: str
    digest: Digest | None = None
    reason: str | None = None


def places(clone: Clone, entries: Iterable[Published]) -> list[Place]:
    """Return both places of every file; a file without an md5 has no object."""
    found = []
    for entry in entries:
        for file in entry.files:
            pin = clone.pin(file)
            found.append(Place(entry, file.path, clone.root / file.path, pin))
            if pin and pin.md5:
                path = clone.cache.object(pin.md5)
                found.append(Place(entry, file.path, path, pin, cached=True))
    return found


def inspect(clone: Clone, entries: Iterable[Published]) -> list[Finding]:
    """Examine every place of the entries, and tell DVC the real hash of each wrong one."""
    found = examine(places(clone, entries))
    for finding in found:
        if finding.state == WRONG:
            place, cache = finding.place, clone.cache
            correct = cache.distrust if place.cached else cache.remember
            correct(place.path, finding.digest.md5 if finding.digest else UNREADABLE)
    return found


def examine(examined: Sequence[Place]) -> list[Finding]:
    """Read the files at the places, linked ones once, and compare each; raise StoppedError."""
    stats = {place.path: _stat(place.path) for place in examined}
    there = {path: at for path, at in stats.items() if isinstance(at, os.stat_result)}
    files = {_inode(at): path for path, at in there.items()}
    read = _read({path: there[path].st_size for path in files.values()})
    results = {
        path: read[files[_inode(at)]] if isinstance(at, os.stat_result) else at
        for path, at in stats.items()
    }
    return [_compare(place, results[place.path]) for place in examined]


def _inode(at: os.stat_result) -> tuple[int, int]:
    return at.st_dev, at.st_ino


def _stat(path: Path) -> os.stat_result | OSError:
    try:
        other = special(path)  # reading a FIFO might never end
        return OSError(f"{other}, not a file") if other else path.stat()
    except OSError as error:
        return error


def _read(sizes: dict[Path, int]) -> dict[Path, Digest | OSError]:
    """Hash files in parallel, the largest first, so that no core is left with one at the end."""
    paths = sorted(sizes, key=lambda path: -sizes[path])
    over = threading.Event()
    pool = ThreadPoolExecutor(os.cpu_count())
    with Bar("verify") as bar:
        bar.start(sum(sizes.values()), 0)
        try:
            return dict(zip(paths, pool.map(lambda p: _hash(p, bar, over), paths), strict=True))
        except KeyboardInterrupt:
            what = "stopped; not every byte was read, so there is no result"
            raise StoppedError(what) from None
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)


def _hash(path: Path, bar: Bar, over: threading.Event) -> Digest | OSError:
    try:
        with open_file(path) as file:
            with suppress(AttributeError, OSError):  # not on macOS or every file system
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            chunks: Iterator[bytes] = iter(lambda: b"" if over.is_set() else file.read(_CHUNK), b"")
            return digests.of_chunks(chunks, lambda chunk: bar.advance(len(chunk)))
    except OSError as error:
        return error


def _compare(place: Place, read: Digest | OSError) -> Finding:
    if isinstance(read, OSError):
        return _unread(place, read)
    if place.pin is None:
        return Finding(place, UNPINNED, read)
    return Finding(place, RIGHT if place.pin.matches(read) else WRONG, read)


def _unread(place: Place, error: OSError) -> Finding:
    with suppress(OSError):
        if dangles(place.path):
            return Finding(place, DANGLING, reason=f"a link to {place.path.readlink()}: gone")
    if isinstance(error, FileNotFoundError):
        return Finding(place, MISSING)
    return Finding(place, WRONG if error.errno in _DAMAGE else UNREADABLE, reason=reason(error))


def states(found: Sequence[Finding]) -> dict[str, str]:
    """Return path -> state of every file: the gravest of its places.

    A missing object does not count: the file may be a copy.
    """
    worst: dict[str, str] = {}
    for finding in found:
        if not (finding.place.cached and finding.state == MISSING):
            both = (finding.state, worst.get(finding.place.file, finding.state))
            worst[finding.place.file] = min(both, key=GRAVEST.index)
    return worst


def shown(clone: Clone, path: Path) -> str:
    """Return a path relative to the root of the clone."""
    return os.path.relpath(path, clone.root)
