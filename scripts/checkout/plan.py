"""What a fetch will do: where each file comes from, bytes to download, room on the disk.

Sizes that the lock does not have are asked of the sources, all at once; what is not told in time
is estimated. A plan is no promise: what fails is tried elsewhere, and the pin decides.
"""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.catalogue import sources
from scripts.catalogue.names import family
from scripts.checkout import candidates, state
from scripts.checkout.leftovers import key
from scripts.checkout.state import FileState, Place, Total, shown
from scripts.console.errors import SourceError
from scripts.console.progress import human
from scripts.download.partial import kept
from scripts.files.disk import check_room, existing

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.checkout.candidates import Candidate
    from scripts.checkout.clone import Clone
    from scripts.storage.objects import Opener

    Size = tuple[int | None, bool]  # bytes, and whether they are an estimate
    Ask = Callable[[str | Opener], int | None]  # the size of what is there; raises SourceError

_PATIENCE = 3.0  # seconds; who has not answered by then is asked again by the download itself


@dataclass(frozen=True)
class Download:
    """What one source sends: a file, or an archive; bytes, of which `kept` are on the disk."""

    entry: str
    source: str  # a kind: team, mirror or publisher
    who: str
    files: tuple[str, ...]
    size: int | None
    estimated: bool
    kept: int = 0
    packed: bool = False  # an archive, which needs room beside its files
    answered: bool = True  # False: no source could be asked, and this one would be tried first

    @property
    def shown(self) -> str:
        """The size as users read it."""
        return shown(self.size, estimated=self.estimated)

    @property
    def left(self) -> int:
        """The bytes that are still to come, as far as the size is known."""
        return max((self.size or 0) - self.kept, 0)


@dataclass(frozen=True)
class Plan:
    """What a fetch will do; sizes and room in bytes."""

    files: tuple[FileState, ...]
    downloads: tuple[Download, ...]
    folder: Path  # DVC's cache, which takes the room
    free: int

    @property
    def whole(self) -> Total:
        """What is downloaded, with the bytes that an earlier run has kept."""
        return _summed(self.downloads, (each.size or 0 for each in self.downloads))

    @property
    def sizes(self) -> dict[str, int]:
        """What is downloaded of each entry, in bytes, with those that an earlier run has kept."""
        found = Counter[str]()
        for each in self.downloads:
            found[each.entry] += each.size or 0
        return dict(found)

    @property
    def left(self) -> Total:
        """What is still to be downloaded."""
        return _summed(self.downloads, (each.left for each in self.downloads))

    def needed(self, *, at_least: bool = False) -> int:
        """Return the room that the downloads need; `at_least`, without what is estimated."""
        of = {file.path: file for file in self.files}
        coming = [of[path] for each in self.downloads for path in each.files]
        fresh = sum(file.size or 0 for file in coming if not (at_least and file.estimated))
        begun = sum(each.kept for each in self.downloads if not each.packed)
        packed = [each.left for each in self.downloads if each.packed]
        return max(fresh - begun, 0) + (0 if at_least else max(packed, default=0))

    def check_room(self) -> None:
        """Raise RoomError unless what is known for sure fits."""
        what = f"{len(self.files)} files"
        check_room(self.folder / "all", self.needed(at_least=True), what=what)

    def source(self, file: FileState) -> tuple[str, str]:
        """Return the kind of the source of a file, and the source itself in words."""
        if file.place is Place.UNVERIFIED:
            return Place.IN_PLACE.value, "in place, not verified yet"
        if file.is_there or file.cached:
            place = file.place if file.is_there else Place.CACHE
            return place.value, place.value
        for each in self.downloads:
            if file.path in each.files:
                return each.source, f"{each.who}{'' if each.answered else ' (could not be asked)'}"
        return "nowhere", f"nowhere ({candidates.order_from_env()})"

    def lines(self) -> list[str]:
        """Return the plan for a person: a line per file, and the sums."""
        rows = [(file.path, file.shown, self._where(file)) for file in self.files]
        wide, size = (max((len(row[n]) for row in rows), default=0) for n in (0, 1))
        table = [f"{path:<{wide}}  {each:>{size}}  {where}" for path, each, where in rows]
        return [*table, f"{state.total(self.files)}: {'; '.join(self._sums())}"]

    def as_json(self) -> dict[str, Any]:
        """Return the plan for a program; sizes in bytes, null where nobody knows one."""
        files = [
            {
                **{key: getattr(file, key) for key in ("path", "entry", "size", "estimated")},
                "family": family(file.path),
                "place": file.place.value,
                **dict(zip(("from", "who"), self.source(file), strict=True)),
            }
            for file in self.files
        ]
        return {
            "files": files,
            "downloads": [{**asdict(each), "left": each.left} for each in self.downloads],
            "total": asdict(state.total(self.files)),
            "to_download": asdict(self.left),
            "room": {"needed": self.needed(), "free": self.free},
        }

    def _sums(self) -> Iterator[str]:
        coming = {path for each in self.downloads for path in each.files}
        here = [file for file in self.files if file.is_there or file.cached]
        if lost := len(self.files) - len(here) - len(coming):
            yield f"{lost} without an allowed source"
        if not coming:
            yield "nothing to download"
            return
        begun = sum(each.kept for each in self.downloads)
        more = f" ({human(begun)} more are kept from an earlier run)" if begun else ""
        yield f"{self.left.shown} to download{more}"
        needed = shown(self.needed(), estimated=self.left.estimated)
        yield f"room: {needed} needed, {human(self.free)} free"

    def _where(self, file: FileState) -> str:
        packed = [each for each in self.downloads if each.packed and file.path in each.files]
        archive = f", in an archive of {packed[0].shown}" if packed else ""
        return f"{self.source(file)[1]}{archive}"


def make(clone: Clone, entries: Sequence[Published], *, ask: bool = True) -> Plan:
    """Return the plan for entries; without `ask`, and if all is here, no request is sent.

    Raises UsageError or CatalogueError, but nothing for a source that does not answer.
    """
    states = state.read(clone, entries)
    missing = {each.path: each for each in states if not (each.is_there or each.cached)}
    planner = _Planner(clone, missing)
    wanted = [each for each in entries if any(file.path in missing for file in each.files)]
    told = _ask_all(planner, wanted) if ask and wanted else [None] * len(wanted)
    alone = replace(planner, answered=not ask)
    downloads = [
        download
        for entry, found in zip(wanted, told, strict=True)
        for download in (alone.downloads(entry) if found is None else found)
    ]
    free = shutil.disk_usage(existing(clone.cache.folder)).free
    return Plan(tuple(_sized(states, downloads)), tuple(downloads), clone.cache.folder, free)


@dataclass(frozen=True)
class _Planner:
    """Finds who has the missing files; without `ask` each source is taken to have them."""

    clone: Clone
    missing: Mapping[str, FileState]
    ask: Ask | None = None
    answered: bool = True

    def downloads(self, entry: Published) -> list[Download]:
        """Return what a fetch would download first for each missing file of an entry."""
        found: list[Download] = []
        doubt = False  # where one source has failed, the next one is asked even if nothing is new
        left = [file for file in entry.files if file.path in self.missing]
        for candidate in candidates.candidates(self.clone, entry):
            if not (files := [file for file in left if candidate.file in (None, file)]):
                continue
            try:
                found.append(self._download(entry, candidate, files, doubt=doubt))
                left = [file for file in left if file not in files]
            except SourceError:
                doubt = True
            if not left:
                return found
        if not (left and self.ask):
            return found
        unknown = {file.path: self.missing[file.path] for file in left}
        rest = replace(self, missing=unknown, ask=None, answered=False)
        return found + rest.downloads(entry)

    def _download(
        self, entry: Published, candidate: Candidate, files: Sequence[Checkpoint], *, doubt: bool
    ) -> Download:
        """Return a download from a candidate; raise SourceError if it was asked in vain."""
        clone, kind = self.clone, _kind(candidate)
        packed = entry.archive and candidate.file is None
        size, guessed = self._archive(entry) if packed else self._file(files[0])
        # Whether it has the file is a question only to the team: a publisher is there for it.
        told = None
        if isinstance(candidate.place, Path):
            with suppress(OSError):  # the download itself says why
                told = candidate.place.stat().st_size
        elif self.ask and (guessed or doubt or kind == "team"):
            told = self.ask(candidate.place)
        size, guessed = (told, False) if guessed and told is not None else (size, guessed)
        begun = kept(clone.cache.temporary / f"{key(clone, entry, candidate.file)}.part")
        paths = tuple(file.path for file in files)
        return Download(
            entry.name, kind, candidate.who, paths, size, guessed, begun, packed, self.answered
        )

    def _file(self, file: Checkpoint) -> Size:
        known = self.missing[file.path]
        return known.size, known.estimated or known.size is None

    def _archive(self, entry: Published) -> Size:
        """Return the size that sources/ has of an archive, or that of its files as an estimate."""
        source = sources.read(self.clone.root / "sources", entry.name)
        if source.size is not None:
            return source.size, False
        if source.estimate is not None:
            return source.estimate, True
        return state.total(state.read(self.clone, [entry])).size or None, True


def _ask_all(planner: _Planner, entries: Sequence[Published]) -> list[list[Download] | None]:
    """Return the downloads of each entry, or None if a source has not answered in time."""
    # Imported here: a fetch for which all is in place sends no request.
    from scripts.download.headers import at_once  # noqa: PLC0415

    try:
        ask = partial(_served, planner.clone.limits.context)
    except SourceError:  # the download itself reports it
        return [None] * len(entries)
    return at_once(replace(planner, ask=ask).downloads, entries, within=_PATIENCE)


def _served(context: ssl.SSLContext, place: str | Opener) -> int | None:
    """Return the size of what is at a place, if it is told; raise SourceError."""
    from scripts.download.headers import HeadRequest  # noqa: PLC0415 - as above

    if not isinstance(place, str):
        with place() as file:
            return getattr(file, "size", None)
    with closing(HeadRequest(place, context, timeout=_PATIENCE)) as request:
        return request.head().size


def _sized(states: Iterable[FileState], downloads: Iterable[Download]) -> list[FileState]:
    """Return the states with the sizes that sources have stated."""
    told = {each.files[0]: each.size for each in downloads if not (each.packed or each.estimated)}
    return [
        replace(each, size=told.get(each.path, each.size), estimated=False)
        if each.path in told
        else each
        for each in states
    ]


def _summed(downloads: Sequence[Download], sizes: Iterable[int]) -> Total:
    guessed = any(each.estimated or each.size is None for each in downloads)
    return Total(sum(len(each.files) for each in downloads), sum(sizes), guessed)


def _kind(candidate: Candidate) -> str:
    if not candidate.is_mirror:
        return "publisher"
    return "team" if candidate.who.startswith("the remote") else "mirror"
