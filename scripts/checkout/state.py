"""Where each file is, and how big: the one model of a clone's state, for every view of it.

No request is sent and no file is read: what DVC has hashed, and what has not changed since, is
known from its state.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue import sources
from scripts.console.progress import counted, human

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.catalogue.pins import Pin
    from scripts.checkout.clone import Clone


class Place(Enum):
    """What is known of a file, in the words that a user reads."""

    IN_PLACE = "in place"  # at its path, and the pinned one
    UNVERIFIED = "not verified"  # a file is at its path that DVC has not hashed, or without a pin
    MODIFIED = "modified"  # what is at its path is not the pinned file
    CACHE = "cache"  # missing, and in DVC's cache
    TEAM = "team"  # missing, and in the team's remote, which is a folder of this machine
    MISSING = "missing"  # not on this machine


@dataclass(frozen=True)
class FileState:
    """The state of one file of the tree: its size in bytes, or None if nobody knows it.

    `cached`: DVC's cache has the pinned bytes, whatever is in place.
    """

    path: str
    entry: str
    place: Place
    size: int | None = None
    estimated: bool = False
    cached: bool = False

    @property
    def shown(self) -> str:
        """The size as users read it."""
        return shown(self.size, estimated=self.estimated)

    @property
    def is_there(self) -> bool:
        """Tell whether a file is at its path that is not known to be wrong."""
        return self.place in (Place.IN_PLACE, Place.UNVERIFIED)


@dataclass(frozen=True)
class Total:
    """A number of files and their size in bytes, `estimated` if that of one of them is."""

    files: int
    size: int
    estimated: bool = False

    @property
    def shown(self) -> str:
        """The size as users read it."""
        return shown(self.size, estimated=self.estimated)

    def __str__(self) -> str:
        """Return both, such as `25 files, ~9.99 GB`."""
        return f"{counted(self.files)}, {self.shown}"


def read(clone: Clone, entries: Iterable[Published]) -> list[FileState]:
    """Return the state of every file of the entries, in their order; raise CatalogueError."""
    return [_state(clone, entry, file) for entry in entries for file in entry.files]


def total(states: Iterable[FileState]) -> Total:
    """Return the sum of some files; one of an unknown size makes it an estimate."""
    found = list(states)
    guessed = any(state.estimated or state.size is None for state in found)
    return Total(len(found), sum(state.size or 0 for state in found), guessed)


def shown(size: int | None, *, estimated: bool = False) -> str:
    """Return a size in bytes as users read it: `~` marks an estimate, `?` is unknown."""
    return "?" if size is None else f"{'~' * estimated}{human(size)}"


def estimate(clone: Clone, entry: Published, file: Checkpoint) -> tuple[int | None, bool]:
    """Return the size in bytes that sources/NAME.dvc has of a file, and whether it is a guess."""
    source = sources.read(clone.root / "sources", entry.name)
    if not entry.archive and source.size is not None:
        return source.size, False
    size = source.estimates.get(file.path) if entry.archive else source.estimate
    return size, size is not None


def _state(clone: Clone, entry: Published, file: Checkpoint) -> FileState:
    pin, path = clone.pin(file), clone.root / file.path
    cached = _size_in_cache(clone, pin)
    kept = Place.CACHE if cached is not None else None
    place = _at_path(clone, path, pin) or kept or _elsewhere(clone, pin)
    at = _stat(path) if place in (Place.IN_PLACE, Place.UNVERIFIED) else None
    known = (pin.size if pin else None, cached, at.st_size if at else None)
    size = next((size for size in known if size is not None), None)
    guess = (size, False) if size is not None else estimate(clone, entry, file)
    return FileState(file.path, entry.name, place, *guess, cached is not None)


def _at_path(clone: Clone, path: Path, pin: Pin | None) -> Place | None:
    """Return what is known of the file at a path, or None if nothing is there."""
    if (at := _stat(path)) is None:
        return None
    if not stat.S_ISREG(at.st_mode) or (pin and not pin.allows_size(at.st_size)):
        return Place.MODIFIED
    known = clone.cache.known(path)
    if pin is None or pin.md5 is None or known is None:
        return Place.UNVERIFIED
    return Place.IN_PLACE if known == pin.md5 else Place.MODIFIED


def _elsewhere(clone: Clone, pin: Pin | None) -> Place:
    objects = clone.cache.objects
    team = objects.find(pin.md5) if pin and pin.md5 else None
    return Place.TEAM if isinstance(team, Path) else Place.MISSING


def _size_in_cache(clone: Clone, pin: Pin | None) -> int | None:
    """Return the size of a file's object in the cache; None without one, or if it is damaged."""
    if not pin or not pin.md5:
        return None
    path = clone.cache.object(pin.md5)
    at = _stat(path)
    if at is None or not pin.allows_size(at.st_size):
        return None
    return at.st_size if clone.cache.known(path) in (None, pin.md5) else None


def _stat(path: Path) -> os.stat_result | None:
    """Return what the system says of a path, or None: what cannot be read is not there."""
    try:
        return path.stat()
    except OSError:
        return None
