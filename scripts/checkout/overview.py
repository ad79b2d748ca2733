"""Where a clone stands, in a few lines: files, bytes, free room, remote, and what to do next."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.catalogue.params import TREE
from scripts.checkout import state
from scripts.checkout.state import FileState, Place
from scripts.console.progress import human
from scripts.files.disk import existing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from scripts.checkout.clone import Clone

_NEAR = {Place.CACHE: "in the cache", Place.TEAM: "in the team's remote"}
_FIRST = "minimal"  # the set to start with, if there is one
_MANY = 3  # names in one line


@dataclass(frozen=True)
class Overview:
    """The state of every file; `first` are the paths to start with; free room in bytes."""

    states: list[FileState]
    first: Collection[str]
    free: int
    remote: str
    url: str | None

    def lines(self) -> Iterator[str]:
        """Yield what a person reads, but for the next steps."""
        there, every = [one for one in self.states if one.is_there], state.total(self.states)
        size, whole = state.total(there), state.shown(every.size, estimated=every.estimated)
        yield f"{TREE + '/':<8}  {len(there)} of {every.files} files, {human(size.size)} of {whole}"
        for place in (Place.UNVERIFIED, Place.MODIFIED, Place.REPINNED):
            if found := self._at(place):
                yield f"{'':<8}  {place.value}: {_names(found)}"
        near = [f"{state.total(at)} {where}" for p, where in _NEAR.items() if (at := self._at(p))]
        if missing := [one for one in self.states if one.place in (*_NEAR, Place.MISSING)]:
            yield f"missing   {'; '.join([str(state.total(missing)), *near])}"
        yield f"room      {human(self.free)} free"
        yield f"remote    {self._remote()}"

    def steps(self) -> dict[str, str]:
        """Return the next steps: words for ./checkpoints -> what they do."""
        if wrong := self._at(Place.MODIFIED):
            return {f"verify --repair {_entries(wrong)}": "replace what is not the pinned file"}
        if old := self._at(Place.REPINNED):
            return {f"fetch {_entries(old)}": "get what is pinned now"}
        steps = {}
        lacking = [one for one in self.states if not one.is_there]
        if least := [one for one in lacking if one.path in self.first]:
            steps[f"fetch {_FIRST}"] = f"get the files to start with: {state.total(least)}"
        elif self._at(Place.UNVERIFIED):
            steps["verify"] = "check the files that were not verified"
        else:
            steps["link FOLDER"] = "let another checkout use these files"
        if len(lacking) > len(least):
            steps["fetch complete"] = f"get all that is missing: {state.total(lacking)}"
        return steps

    def as_json(self) -> dict[str, Any]:
        """Return the same for a program; sizes in bytes, None where nobody knows one."""
        files = [{**asdict(one), "place": one.place.value} for one in self.states]
        remote = {"name": self.remote, "url": self.url}
        steps = [f"./checkpoints {words}" for words in self.steps()]
        return {"files": files, "free": self.free, "remote": remote, "next": steps}

    def _at(self, place: Place) -> list[FileState]:
        return [one for one in self.states if one.place is place]

    def _remote(self) -> str:
        if not self.url:
            return "none"
        unmade = "://" not in self.url and not Path(self.url).is_dir()
        return f"{self.remote}: {self.url}{' (nothing was pushed there yet)' if unmade else ''}"


def take(clone: Clone) -> Overview:
    """Return the overview of a clone; no request is sent. Raises CatalogueError or DiskError."""
    states = state.read(clone, clone.catalogue.published.values())
    free = shutil.disk_usage(existing(clone.root / TREE)).free
    objects, first = clone.cache.objects, clone.catalogue.sets.get(_FIRST, ())
    return Overview(states, first, free, objects.name, objects.url)


def _entries(found: list[FileState]) -> str:
    return " ".join(dict.fromkeys(one.entry for one in found))


def _names(found: list[FileState]) -> str:
    shown = ", ".join(Path(one.path).name for one in found[:_MANY])
    return f"{shown} and {len(found) - _MANY} more" if len(found) > _MANY else shown
