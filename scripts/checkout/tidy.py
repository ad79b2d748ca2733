"""What takes room and may go: begun downloads, quarantine, unused objects, files not wanted."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue import history
from scripts.checkout import journal
from scripts.checkout.leftovers import begun, key
from scripts.files import locks
from scripts.files.disk import disk_errors
from scripts.storage import garbage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scripts.checkout.clone import Clone

PARTIAL, QUARANTINE, UNUSED = "begun downloads", "quarantine", "unused objects"


@dataclass(frozen=True)
class Item:
    """One thing that may go: its kind, its name for a person, and the bytes that it frees.

    `key` names the lock that a process holds while it uses the thing.
    """

    kind: str
    name: str
    paths: tuple[Path, ...]
    size: int
    key: str = ""


def partials(clone: Clone) -> list[Item]:
    """Return what was begun to download, one item a file, but not what a process is at work on."""
    known = names(clone)
    found = [
        Item(PARTIAL, known.get(name, name), tuple(paths), room(paths), name)
        for name, paths in begun(clone).items()
    ]
    return [item for item in found if not _is_busy(clone, item.key)]


def names(clone: Clone) -> dict[str, str]:
    """Return the name of the entry by each key that a partial file of it may have."""
    found: dict[str, str] = {}
    for entry in clone.catalogue.published.values():
        found |= {key(clone, entry, file): entry.name for file in entry.files}
        found[f"{entry.name}.new"] = f"{entry.name} (a new release)"
    return found


def quarantined(clone: Clone) -> list[Item]:
    """Return what was moved to quarantine/TIME, one item a time."""
    folders = sorted(path for path in (clone.root / "quarantine").glob("*") if path.is_dir())
    return [
        Item(
            QUARANTINE, f"{folder.name}: {_contents(clone, folder, files)}", (folder,), room(files)
        )
        for folder in folders
        for files in [_files(folder)]
    ]


def _contents(clone: Clone, folder: Path, files: Sequence[Path]) -> str:
    """Return the names of the files, an object's is that of the file whose pin it has."""
    of = {f"cache/{pin.md5}": f"the object of {path}" for path, pin in clone.pins.items()}
    names = [path.relative_to(folder).as_posix() for path in files]
    return ", ".join(of.get(name, name) for name in names) or "empty"


def unused(clone: Clone, *, shared: bool = False, others: Iterable[Path] = ()) -> list[Item]:
    """Return the objects of the cache that no commit and no file of this clone needs.

    Nor one of the clones `others`. A cache outside the clone is left out, unless it is `shared`:
    who else uses it is not known. Raises UsageError if the commits cannot be read, or DiskError.
    """
    if not (shared or garbage.is_own(clone.cache)):
        return []
    roots = [clone.root, *others]
    needed = {md5 for root in roots for md5 in history.hashes(root)}
    found = garbage.unused(clone.cache, needed, roots)
    return [Item(UNUSED, md5, (path,), room([path])) for md5, path in found.items()]


def room(paths: Sequence[Path]) -> int:
    """Return the bytes on the disk that removing these files frees.

    A hard link frees nothing unless all links to its bytes go; a sparse file, what is written.
    """
    links: Counter[tuple[int, int]] = Counter()
    sizes = {}
    for path in paths:
        with suppress(OSError):
            at = path.lstat()
            links[at.st_dev, at.st_ino] += 1
            freed = links[at.st_dev, at.st_ino] == at.st_nlink
            sizes[at.st_dev, at.st_ino] = freed * min(at.st_size, at.st_blocks * 512)
    return sum(sizes.values())


def remove(clone: Clone, items: Sequence[Item]) -> list[Item]:
    """Remove these things; return those that stay, as another process is at work on them.

    Raises UsageError or DiskError; what is removed by then is gone.
    """
    kinds = {kind: [item for item in items if item.kind == kind] for kind in _REMOVE}
    return [item for kind, found in kinds.items() if found for item in _REMOVE[kind](clone, found)]


def _remove_partials(clone: Clone, items: Sequence[Item]) -> list[Item]:
    left = []
    for item in items:
        with clone.alone(item.key, wait=False) as mine:
            for path in item.paths if mine else ():
                with disk_errors(path):
                    path.unlink(missing_ok=True)
        left += [] if mine else [item]
    return left


def _remove_quarantined(clone: Clone, items: Sequence[Item]) -> list[Item]:
    with _idle(clone) as idle:
        if not idle:
            return list(items)
        for path in (path for item in items for path in item.paths):
            with disk_errors(path):
                shutil.rmtree(path)
    with suppress(OSError):  # it is not empty
        (clone.root / "quarantine").rmdir()
    return []


def _remove_unused(clone: Clone, items: Sequence[Item]) -> list[Item]:
    with _idle(clone) as idle, garbage.locked(clone.root) as repo:
        if not idle:
            return list(items)
        garbage.collect(repo, [item.name for item in items])
    return []


_REMOVE = {
    PARTIAL: _remove_partials,
    QUARANTINE: _remove_quarantined,
    UNUSED: _remove_unused,
}


@contextmanager
def _idle(clone: Clone) -> Iterator[bool]:
    """Keep other commands from changing the catalogue; yield False if one is at work in the clone.

    A download may just now move a file to quarantine, or an object to the cache whose pin is not
    written yet.
    """
    with journal.locked(clone.root, wait=False) as mine:
        names = [path.stem for path in clone.cache.temporary.glob("*.lock")]
        yield mine and not any(_is_busy(clone, name) for name in names)


def _is_busy(clone: Clone, name: str) -> bool:
    return locks.is_held(clone.cache.temporary / f"{name}.lock")


def _files(folder: Path) -> list[Path]:
    return [Path(at, name) for at, _, names in os.walk(folder) for name in sorted(names)]
