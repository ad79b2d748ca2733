"""All that a view shows of each file: where it is, what it must be, whose it is, who needs it.

Faults of the clone are collected, not raised: a view shows the files as far as they are known.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
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
from scripts.checkout.state import FileState, Place
from scripts.console.errors import CatalogueError
from scripts.files.disk import reason
from scripts.views import overview

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint
    from scripts.catalogue.sources import Source
    from scripts.checkout.clone import Clone
    from scripts.views.overview import Overview

VERSION = 1  # of the JSON document, which docs/json.md describes
_SHOWN = 5  # faults in a message
_GRAVEST = (
    Place.MODIFIED, Place.STRAY, Place.REPINNED, Place.UNVERIFIED, Place.MISSING, Place.TEAM,
    Place.CACHE, Place.IN_PLACE,
)  # fmt: skip
ORDERS: Mapping[str, Callable[[Row], Any]] = {
    "size": lambda row: -1 if row.size is None else -row.size,
    "name": lambda row: row.name.casefold(),
    "state": lambda row: _GRAVEST.index(row.place),
}


@dataclass(frozen=True)
class Row(FileState):
    """The state of one file, and what is known of it.

    `member` is its name in the archive that `url` serves. A stray file has neither entry nor pin
    nor source. `on_remote` is None unless the team's remote was asked.
    """

    family: str = ""
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
    on_remote: bool | None = None

    @property
    def name(self) -> str:
        """The name of the file alone."""
        return self.path.rstrip("/").rpartition("/")[2]

    def as_json(self) -> dict[str, Any]:
        """Return the row for a program."""
        return {**asdict(self), "place": self.place.value}


@dataclass(frozen=True)
class Rows:
    """The rows of what a user asked for, their overview, and the faults of the clone.

    `sources` is what sources/ has of their entries, by name.
    """

    rows: tuple[Row, ...]
    head: Overview
    faults: tuple[CatalogueError, ...] = ()
    sources: Mapping[str, Source | None] = field(default_factory=dict)

    def only(self, options: Collection[str]) -> Rows:
        """Return it with the rows of some states only, or with all; the overview stays."""
        kept = (row for row in self.rows if not options or row.place.option in options)
        return replace(self, rows=tuple(kept))

    def sorted(self, key: str | None) -> Rows:
        """Return it with its rows in another order: by size, name or state."""
        return replace(self, rows=tuple(sorted(self.rows, key=ORDERS[key]))) if key else self

    def as_json(self) -> dict[str, Any]:
        """Return the document that `list --json` prints and the page embeds."""
        faults = [{"where": each.where, "faults": each.faults} for each in self.faults]
        files = [row.as_json() for row in self.rows]
        return {"version": VERSION, "files": files, "free": self.head.free, "faults": faults}

    def error(self) -> CatalogueError | None:
        """Return the faults as one error."""
        lines = [f"{each.where}: {fault}" for each in self.faults for fault in each.faults]
        if not self.faults[1:] and len(lines) <= _SHOWN:
            return self.faults[0] if self.faults else None
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        return CatalogueError("this clone", lines[:_SHOWN] + more, *self.faults[0].steps)


def take(
    clone: Clone,
    faults: Collection[CatalogueError] = (),
    words: Sequence[str] = (),
    configurations: Sequence[str] = (),
    *,
    ask: bool = False,
) -> Rows:
    """Return the rows of what is selected, or of all, and of stray files of the same names.

    `faults` are those found so far. Nothing is hashed, and no request is sent, unless it is to
    `ask` the team's remote what it has. Raises UsageError or DiskError.
    """
    asked = [*words, *(f"--for {name}" for name in configurations)]
    chosen = select(clone.catalogue, words if asked else [COMPLETE], configurations)
    paths, reader = set(chosen.paths), _Reader(clone, list(faults))
    found = state.read(clone, chosen.entries, source=reader.source)
    found = [each for each in found if each.path in paths]
    if ask:
        found = reader.ask(found)
    reader.refuse_unreadable(found)
    others = _strays(clone, words, everything=not asked)
    rows = (*map(reader.row, found), *map(_stray, others))
    head = overview.of(clone, rows, asked)
    return Rows(rows, head, tuple(reader.faults), reader.sources)


def _strays(clone: Clone, words: Sequence[str], *, everything: bool) -> list[FileState]:
    """Return the stray files that have one of these names, or all of them."""
    found = {each.path: each for each in state.strays(clone)}
    named = Names(dict.fromkeys(found, ""))
    paths = dict.fromkeys(chain(*map(named.matching, words)))
    return [found[path] for path in (found if everything else paths)]


class _Reader:
    """Reads what describes the files of a clone; what has a fault is as if it were empty."""

    def __init__(self, clone: Clone, faults: list[CatalogueError]) -> None:
        """Read dvc.yaml."""
        self.faults = faults
        self._clone, holds = clone, clone.catalogue
        self._files = holds.files
        self._sets, self._configurations = users(holds.sets), users(holds.configurations)
        self.sources: dict[str, Source | None] = {}
        self._remote: Collection[str] | None = None
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

    def ask(self, found: Sequence[FileState]) -> list[FileState]:
        """Ask the team's remote which files it has; return the states with what it says."""
        # Imported here: these imports take 0.5 s.
        from scripts.storage.access import RemoteError  # noqa: PLC0415
        from scripts.storage.survey import held  # noqa: PLC0415

        pins = {each.path: pin for each in found if (pin := self._clone.pins.get(each.path))}
        try:
            self._remote = held(self._clone.root, pins)
        except RemoteError as error:
            self.faults.append(CatalogueError("the remote", [error.what], *error.details))
            return list(found)
        return [
            replace(each, place=Place.TEAM)
            if each.place is Place.MISSING and each.path in self._remote
            else each
            for each in found
        ]

    def refuse_unreadable(self, found: Iterable[FileState]) -> None:
        """Add a fault for files that this user may not read, or that the disk does not give."""
        reasons = {each.path: _unreadable(self._clone.root / each.path) for each in found}
        if lines := [f"{path}: {why}" for path, why in reasons.items() if why]:
            step = "Next: get read permission there, then run again."
            self.faults.append(CatalogueError(f"{TREE}/", lines, step))

    def row(self, found: FileState) -> Row:
        """Return the row of a file of the catalogue."""
        path, file = found.path, self._files[found.path]
        pin = self._clone.pin(file) or Pin(None)
        described = self._described.get(path) or Artifact(path)
        source = self.source(found.entry)
        return Row(
            **vars(found),
            family=names.family(path),
            md5=pin.md5,
            sha256=pin.sha256,
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
            on_remote=path in self._remote if self._remote is not None else None,
        )

    @contextmanager
    def _collected(self) -> Iterator[None]:
        try:
            yield
        except CatalogueError as error:
            self.faults.append(error)


def _unreadable(path: Path) -> str | None:
    """Return why a file cannot be read, or None; no file is no reason."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return reason(error)
    return None if os.access(path, os.R_OK) else "permission denied"


def _mirrors(source: Source | None, file: Checkpoint) -> tuple[str, ...]:
    """Return the addresses of the copies of a file, or of its whole archive."""
    copies = source.mirrors if source else ()
    return tuple(each.url for each in copies if each.member in (None, file.member))


def users(named: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the names of the sets, or configurations, that each path is in."""
    found: dict[str, tuple[str, ...]] = {}
    for name, paths in named.items():
        for path in paths:
            found[path] = (*found.get(path, ()), name)
    return found


def _stray(found: FileState) -> Row:
    return Row(**vars(found), family=names.family(found.path) if found.path.count("/") > 1 else "")
