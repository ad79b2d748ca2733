"""Where a clone stands, in a few lines: files, bytes, free room, remote, and what to do next."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.catalogue.params import MINIMAL, TREE
from scripts.checkout import state
from scripts.checkout.state import FileState, Place
from scripts.console.listing import printable
from scripts.console.progress import human
from scripts.files.disk import disk_errors, existing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from scripts.checkout.clone import Clone

_NEAR = {Place.CACHE: "cache", Place.TEAM: "team's remote"}
_TOLD = (Place.UNVERIFIED, Place.MODIFIED, Place.REPINNED, Place.STRAY)
_MANY = 3  # names in one line
_MUCH = 1e11  # bytes, of which nobody wants to know the hundredths of a GB


@dataclass(frozen=True)
class Overview:
    """The state of every file; `first` are the paths to start with; free room in bytes.

    `asked` are the words of a user who wants to know of some files only.
    """

    states: Sequence[FileState]
    first: Collection[str]
    free: int
    remote: str
    url: str | None
    asked: Sequence[str] = ()

    @property
    def sum(self) -> str:
        """How much is here and how much is not: the first line of every view."""
        every = [one for one in self.states if one.place is not Place.STRAY]
        lacking = [one for one in every if not one.is_there]
        parts = [f"{state.here(every)} here" if every else "the catalogue is empty"]
        if lacking:
            near = (f", {state.total(at).shown} from the {where}"
                    for place, where in _NEAR.items() if (at := self._at(place)))  # fmt: skip
            parts.append(f"{state.total(lacking).shown} to fetch{''.join(near)}")
        parts += [f"{len(stray)} stray"] if (stray := self._at(Place.STRAY)) else []
        free = f"{self.free / 1e9:.0f} GB" if self.free >= _MUCH else human(self.free)
        return "; ".join([*parts, f"{free} free"])

    def lines(self) -> Iterator[str]:
        """Yield what a person reads, but for the next steps."""
        yield f"{TREE + '/':<8}  {self.sum}"
        for place in _TOLD:
            if found := self._at(place):
                yield f"{'':<8}  {place.word}: {_names(found)}"
        yield f"remote    {printable(self._remote())}"

    def steps(self) -> dict[str, str]:
        """Return the next steps: words for ./checkpoints -> what they do."""
        if wrong := self._at(Place.MODIFIED):
            return {f"verify --repair {_entries(wrong)}": "replace what is not the pinned file"}
        if old := self._at(Place.REPINNED):
            return {f"fetch {_entries(old)}": "get what is pinned now"}
        if all(one.place is Place.STRAY for one in self.states):
            one, many = "import-url URL models/PATH", "import-url --from LIST"
            return {one: "add a file to the catalogue", many: "add the files of a list"}
        steps = {}
        lacking = [one for one in self.states if not (one.is_there or one.place is Place.STRAY)]
        if lacking and self.asked:
            return {f"fetch {' '.join(self.asked)}": f"get what is missing: {state.total(lacking)}"}
        if least := [one for one in lacking if one.path in self.first]:
            steps[f"fetch {MINIMAL}"] = f"get the files to start with: {state.total(least)}"
        elif unread := self._at(Place.UNVERIFIED):
            names = f" {_entries(unread)}" if self.asked else ""
            steps[f"verify{names}"] = "check the files that were not verified"
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
    entries = clone.catalogue.published.values()
    return of(clone, [*state.read(clone, entries), *state.strays(clone)])


def of(clone: Clone, states: Sequence[FileState], asked: Sequence[str] = ()) -> Overview:
    """Return the overview of states that are known; raise DiskError."""
    path = existing(clone.root / TREE)
    with disk_errors(path):
        free = shutil.disk_usage(path).free
    objects, first = clone.cache.objects, clone.catalogue.sets.get(MINIMAL, ())
    return Overview(states, first, free, objects.name, objects.url, asked)


def _entries(found: Sequence[FileState]) -> str:
    return " ".join(dict.fromkeys(one.entry for one in found))


def _names(found: Sequence[FileState]) -> str:
    shown = ", ".join(printable(Path(one.path).name) for one in found[:_MANY])
    return f"{shown} and {len(found) - _MANY} more" if len(found) > _MANY else shown
