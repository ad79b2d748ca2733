"""All that a view shows of each file: where it is, what it must be, whose it is, who needs it.

Faults of the clone are collected, not raised: a view shows the files as far as they are known.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from scripts.catalogue import artifacts, names, sources
from scripts.catalogue.artifacts import Artifact
from scripts.catalogue.names import Names
from scripts.catalogue.params import COMPLETE, TREE
from scripts.catalogue.pins import Pin
from scripts.catalogue.selection import select
from scripts.catalogue.urls import host_of
from scripts.checkout import state
from scripts.console.errors import CatalogueError
from scripts.files.disk import existing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from scripts.catalogue.params import Checkpoint
    from scripts.catalogue.sources import Source
    from scripts.checkout.clone import Clone
    from scripts.checkout.state import FileState, Place

VERSION = 1  # of the JSON document, which docs/json.md describes


@dataclass(frozen=True)
class Row:
    """One file for a reader; its size in bytes, None where nobody knows it.

    `cached`: DVC's cache has the pinned bytes. `member` is its name in the archive that `url`
    serves. A stray file has neither entry nor pin nor source.
    """

    path: str
    entry: str
    family: str
    size: int | None
    estimated: bool
    place: Place
    cached: bool
    md5: str | None = None
    sha256: str | None = None
    sets: tuple[str, ...] = ()
    configurations: tuple[str, ...] = ()
    desc: str = ""
    license: str | None = None  # an SPDX identifier, or whatever dvc.yaml states
    license_note: str = ""
    source: str | None = None  # the repository that the file belongs to
    host: str | None = None
    url: str | None = None
    mirrors: tuple[str, ...] = ()
    member: str | None = None

    @property
    def name(self) -> str:
        """The name of the file alone."""
        return self.path.rstrip("/").rpartition("/")[2]

    def as_json(self) -> dict[str, Any]:
        """Return the row for a program."""
        return {**asdict(self), "place": self.place.value}


@dataclass(frozen=True)
class Rows:
    """The rows of one clone, and its faults; free room in bytes; what sources/ has of entries."""

    rows: tuple[Row, ...]
    faults: tuple[CatalogueError, ...]
    free: int
    sources: Mapping[str, Source | None]

    def as_json(self) -> dict[str, Any]:
        """Return the document that `list --json` prints and the page embeds."""
        faults = [{"where": each.where, "faults": each.faults} for each in self.faults]
        files = [row.as_json() for row in self.rows]
        return {"version": VERSION, "files": files, "free": self.free, "faults": faults}


def take(
    clone: Clone,
    faults: Collection[CatalogueError] = (),
    words: Sequence[str] = (),
    configurations: Sequence[str] = (),
) -> Rows:
    """Return the rows of what is selected, or of all, and of stray files of the same names.

    `faults` are those found so far. No request is sent, and nothing is hashed. Raises UsageError.
    """
    holds = clone.catalogue
    all_of_them = not (words or configurations)
    chosen = select(holds, [COMPLETE] if all_of_them else words, configurations)
    reader = _Reader(clone, list(faults))
    found = state.read(clone, chosen.entries, source=reader.source)
    paths = set(chosen.paths)
    rows = [reader.row(each) for each in found if each.path in paths]
    others = {each.path: each for each in state.strays(clone)}
    named = Names(dict.fromkeys(others, ""))
    stray = others if all_of_them else dict.fromkeys(chain(*map(named.matching, words)))
    rows += [_stray(others[path]) for path in stray]
    free = shutil.disk_usage(existing(clone.root / TREE)).free
    return Rows(tuple(rows), tuple(reader.faults), free, reader.sources)


class _Reader:
    """Reads what describes the files of a clone; what has a fault is as if it were empty."""

    def __init__(self, clone: Clone, faults: list[CatalogueError]) -> None:
        """Read dvc.yaml."""
        self.faults = faults
        self._clone, holds = clone, clone.catalogue
        self._files, self._published = holds.files, holds.published
        self._sets, self._configurations = _users(holds.sets), _users(holds.configurations)
        self.sources: dict[str, Source | None] = {}
        self._described: Mapping[str, Artifact] = {}
        with self._collected():
            self._described = artifacts.read(clone.root / "dvc.yaml")

    def source(self, name: str) -> Source | None:
        """Return what sources/ has of an entry, or None."""
        if name not in self.sources:
            self.sources[name] = None
            with self._collected():
                self.sources[name] = sources.read(self._clone.root / "sources", name)
        return self.sources[name]

    def row(self, found: FileState) -> Row:
        """Return the row of a file of the catalogue."""
        path, file = found.path, self._files[found.path]
        pin = self._clone.pin(file) or Pin(None)
        described = self._described.get(path) or Artifact(path)
        source = self.source(found.entry)
        return Row(
            path, found.entry, names.family(path), found.size, found.estimated, found.place,
            found.cached, pin.md5, pin.sha256,
            sets=self._sets.get(path, ()),
            configurations=self._configurations.get(path, ()),
            desc=described.desc,
            license=described.license,
            license_note=described.license_note,
            source=described.source,
            host=host_of(source.url) if source else None,
            url=source.url if source else None,
            mirrors=_mirrors(source, file),
            member=file.member,
        )  # fmt: skip

    @contextmanager
    def _collected(self) -> Iterator[None]:
        try:
            yield
        except CatalogueError as error:
            self.faults.append(error)


def _mirrors(source: Source | None, file: Checkpoint) -> tuple[str, ...]:
    """Return the addresses of the copies of a file, or of its whole archive."""
    copies = source.mirrors if source else ()
    return tuple(each.url for each in copies if each.member in (None, file.member))


def _users(named: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the names of the sets, or configurations, that each path is in."""
    found: dict[str, tuple[str, ...]] = {}
    for name, paths in named.items():
        for path in paths:
            found[path] = (*found.get(path, ()), name)
    return found


def _stray(found: FileState) -> Row:
    family = names.family(found.path)
    return Row(found.path, "", family, found.size, False, found.place, False)  # noqa: FBT003 - fields
