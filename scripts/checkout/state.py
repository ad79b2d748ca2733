"""Where each file is, and how big: the one model of a clone's state, for every view of it.

No request is sent and no file is read: what DVC has hashed, and what has not changed since, is
known from its state.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue import history, inventory, sources
from scripts.console.progress import counted, human

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from typing import Self

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.catalogue.pins import Pin
    from scripts.catalogue.sources import Source
    from scripts.checkout.clone import Clone

    Describe = Callable[[str], Source | None]


class Place(Enum):
    """Where a file is and whether it is the right one: the one vocabulary of every view.

    A state has a word and a mark, which say all without its colour, and a meaning in a few words.
    """

    IN_PLACE = "in place", "in place", "=", "green", "in place and verified"
    UNVERIFIED = (
        "not verified",
        "not verified",
        "?",
        "yellow",
        "in place, but not hashed here yet",
    )
    MODIFIED = "modified", "modified", "!", "red", "what is in its place is not the pinned file"
    REPINNED = "pinned anew", "pinned anew", "<", "magenta", "in place as an earlier commit pins it"
    CACHE = "cache", "in the cache", "c", "cyan", "not in place, but in DVC's cache"
    TEAM = "team", "on the remote", "t", "blue", "not on this machine; the team's remote has it"
    MISSING = "missing", "missing", "-", "grey", "neither here nor, as far as known, on the remote"
    STRAY = "stray", "stray", "+", "orange", "no entry of the catalogue has this path"

    word: str  # as a user reads it
    mark: str  # one ASCII character
    colour: str  # its name in CSS
    meaning: str

    def __new__(cls, value: str, word: str, mark: str, colour: str, meaning: str) -> Self:
        """Make a state; its value stands for it in JSON."""
        made = object.__new__(cls)
        made._value_ = value
        made.word, made.mark, made.colour, made.meaning = word, mark, colour, meaning
        return made

    @property
    def option(self) -> str:
        """The state as a word of the command line."""
        return str(self.value).replace(" ", "-")


PLACES = {place.value: place for place in Place}


@dataclass(frozen=True)
class FileState:
    """The state of one file of the tree: its size in bytes, or None if nobody knows it.

    A stray file has no entry. `cached`: DVC's cache has the pinned bytes, whatever is in place.
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

    @property
    def is_wrong(self) -> bool:
        """Tell whether what is at its path is known not to be the pinned file."""
        return self.place in (Place.MODIFIED, Place.REPINNED)


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


def read(
    clone: Clone, entries: Iterable[Published], *, source: Describe | None = None
) -> list[FileState]:
    """Return the state of every file of the entries, in their order.

    `source` returns what sources/ has of an entry, by its name; without it, faults there raise
    CatalogueError.
    """
    source = source or cache(partial(sources.read, clone.root / "sources"))
    found = [_state(clone, entry, file, source) for entry in entries for file in entry.files]
    return _with_earlier_pins(clone, found)


def strays(clone: Clone) -> list[FileState]:
    """Return what is under models/ and in no entry, by path; an empty folder ends with a slash."""
    found = inventory.strays(inventory.names(clone.root), clone.catalogue)
    sizes = {path: at.st_size for path in found if (at := _stat(clone.root / path))}
    return [FileState(path, "", Place.STRAY, sizes.get(path)) for path in found]


def total(states: Iterable[FileState]) -> Total:
    """Return the sum of some files; one of an unknown size makes it an estimate."""
    found = list(states)
    guessed = any(state.estimated or state.size is None for state in found)
    return Total(len(found), sum(state.size or 0 for state in found), guessed)


def here(states: Iterable[FileState]) -> str:
    """Return how much of some files is here, such as `2 of 25 files, 2.67 of ~9.99 GB`."""
    found = list(states)
    there = [state for state in found if state.is_there]
    whole, part = total(found), human(total(there).size)
    number, unit = part.split()
    same = whole.shown.endswith(f" {unit}")
    size = (
        f"{number if same else part} of {whole.shown}" if len(there) < len(found) else whole.shown
    )
    return f"{len(there)} of {counted(len(found))}, {size}"


def shown(size: int | None, *, estimated: bool = False) -> str:
    """Return a size in bytes as users read it: `~` marks an estimate, `?` is unknown."""
    return "?" if size is None else f"{'~' * estimated}{human(size)}"


def estimate(source: Source | None, entry: Published, path: str) -> tuple[int | None, bool]:
    """Return the size in bytes that sources/ has of a file, and whether it is a guess."""
    if source is None:
        return None, False
    if not entry.archive and source.size is not None:
        return source.size, False
    size = source.estimates.get(path) if entry.archive else source.estimate
    return size, size is not None


def _state(clone: Clone, entry: Published, file: Checkpoint, source: Describe) -> FileState:
    pin, path = clone.pin(file), clone.root / file.path
    cached = _size_in_cache(clone, pin)
    kept = Place.CACHE if cached is not None else None
    place = _at_path(clone, path, pin) or kept or _elsewhere(clone, pin)
    at = _stat(path) if place in (Place.IN_PLACE, Place.UNVERIFIED) else None
    known = (pin.size if pin else None, cached, at.st_size if at else None)
    size = next((size for size in known if size is not None), None)
    if size is not None:
        return FileState(file.path, entry.name, place, size, cached=cached is not None)
    guess = estimate(source(entry.name), entry, file.path)
    return FileState(file.path, entry.name, place, *guess, cached=cached is not None)


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


def _with_earlier_pins(clone: Clone, found: list[FileState]) -> list[FileState]:
    """Return the states; a modified file that a commit pins was right until it was pinned anew."""
    wrong = {each.path: each for each in found if each.place is Place.MODIFIED}
    known = {path: clone.cache.known(clone.root / path) for path in wrong}
    if not any(known.values()):
        return found
    pinned = history.earlier(clone.root)
    again = {path for path, md5 in known.items() if (path, md5) in pinned}
    return [replace(each, place=Place.REPINNED) if each.path in again else each for each in found]


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
