"""Everything that the page shows, as one document of plain data."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from scripts.catalogue import stages, title, witnesses
from scripts.catalogue.documents import load, load_as_dvc
from scripts.catalogue.lock import LOCK, SEAL
from scripts.catalogue.stages import Stage
from scripts.checkout import looks, served, state
from scripts.checkout.state import Place
from scripts.console.errors import CatalogueError, DiskError
from scripts.pickles import screening
from scripts.pickles.weights_only import TORCH
from scripts.views import rows
from scripts.views.page import repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scripts.catalogue.params import Published
    from scripts.catalogue.sources import Mirror
    from scripts.checkout.clone import Clone
    from scripts.checkout.looks import Look
    from scripts.views.rows import Row

_COMMITS = 5  # of the lock, that are shown
_AWAY = (Place.TEAM, Place.MISSING)


@dataclass(frozen=True)
class Page:
    """What the page shows: its document, the stages that it draws, and what could not be read."""

    document: dict[str, Any]
    stages: list[Stage]
    faults: list[CatalogueError]


def collect(clone: Clone, faults: Iterable[CatalogueError] = (), *, public: bool = False) -> Page:
    """Return what is known of a clone; `faults` are those found so far.

    The document is that of `rows`, with more of each file and of the whole; if it is `public`, no
    file has a place. No request is sent, and of a checkpoint its pickles alone are read.
    """
    taken = rows.take(clone, list(faults))
    reader = _Reader(clone, taken, public=public)
    document = taken.as_json() | reader.document()
    found, refused = reader.stages(), reader.faults
    document["faults"] = [{"where": each.where, "faults": each.faults} for each in refused]
    # Plain data, without what no page can show of a name that is not UTF-8.
    text = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return Page(json.loads(text), found, refused)


class _Reader:
    """Reads what the page shows beside the rows; what has a fault is as if it were empty."""

    def __init__(self, clone: Clone, taken: rows.Rows, *, public: bool) -> None:
        """Take the rows."""
        self.faults = list(taken.faults)
        self._clone, self._root, self._public = clone, clone.root, public
        self._known = taken.sources
        own = [row for row in taken.rows if row.entry]
        self._rows = list(map(self._stated, own)) if public else taken.rows
        self._looks = looks.recall(clone.root)

    def document(self) -> dict[str, Any]:
        """Return what the page has and the rows have not."""
        root, where = self._root, repository.address(self._root)
        return {
            "public": self._public,
            "free": None,
            "title": title.read(root),
            "made": _time(),
            "address": where,
            "commit": next(iter(repository.commits(root)), None),
            "changed": repository.is_changed(root),
            "states": {place.value: _state(place) for place in Place},
            "sum": summed(self._rows),
            "seal": self._seal(),
            "changes": repository.commits(root, LOCK, most=_COMMITS),
            "files": self._files(where),
            "sources": list(self._sources()),
        }

    def stages(self) -> list[Stage]:
        """Return the stages of dvc.yaml and, as another one, the seal."""
        with self._collected():
            declared = load_as_dvc(self._root / "params.yaml")
            found = stages.read(self._root / "dvc.yaml", declared)
            witnesses.sealed_tree(self._root)
            deps = tuple(str(row["path"]) for row in load(self._root / SEAL)["deps"])
            return [*found, Stage(SEAL, "", deps)]
        return []

    def _files(self, where: str | None) -> list[dict[str, Any]]:
        allowed: Mapping[str, frozenset[str]] = {}
        with self._collected():
            allowed = screening.allowed(self._root, [row.path for row in self._rows])
        return [
            row.as_json()
            | ({"place": None} if self._public else {})
            | {"name": row.name, "shown": row.shown}
            | {"scan": self._scan(row, allowed), "commands": repository.commands(row, where)}
            for row in self._rows
        ]

    def _scan(self, row: Row, allowed: Mapping[str, frozenset[str]]) -> dict[str, Any] | None:
        """Return what loading a file would import; None if it is not here, or cannot be read."""
        if not row.entry or row.place in _AWAY or row.path not in allowed:
            return None
        path = self._root / row.path
        if row.place is Place.CACHE:
            path = self._clone.cache.object(str(row.md5))
        try:
            found = screening.screen(path, allowed[row.path])
        except DiskError:
            return None
        return asdict(found) | {"verdict": found.verdict, "rows": found.rows, "torch": TORCH}

    def _stated(self, row: Row) -> Row:
        """Return a row as it is in every clone: its size is what is pinned, or estimated."""
        entry, pin = self._clone.catalogue.published[row.entry], self._clone.pins.get(row.path)
        size, estimated = pin.size if pin else None, False
        if size is None:
            size, estimated = state.estimate(self._known.get(row.entry), entry, row.path)
        return replace(row, size=size, estimated=estimated)

    def _seal(self) -> dict[str, Any] | None:
        """Return what models.dvc seals, and the commit that wrote it."""
        with self._collected():
            sealed = witnesses.sealed_tree(self._root)
            return {
                "tree": sealed,
                "commit": next(iter(repository.commits(self._root, SEAL)), None),
            }
        return None

    def _sources(self) -> Iterator[dict[str, Any]]:
        """Yield each publisher: when it was seen last, how it was then, and its mirrors."""
        for name, entry in self._clone.catalogue.published.items():
            if source := self._known.get(name):
                yield {
                    "entry": name,
                    "files": len(entry.files),
                    "url": source.url,
                    "alternative": source.alternative,
                    "etag": source.etag,
                    "size": source.size,
                    "seen": _look(self._seen(entry, source.url)),
                    "mirrors": [self._mirror(each) for each in source.mirrors],
                }

    def _mirror(self, mirror: Mirror) -> dict[str, Any]:
        seen = _look(self._looks.get(mirror.url))
        return {"url": mirror.url, "member": mirror.member, "seen": seen}

    def _seen(self, entry: Published, url: str) -> Look | None:
        """Return the last look at a publisher; a download was one, too."""
        both = self._looks.get(url), served.look(self._clone, entry, url)
        return max(filter(None, both), key=lambda look: look.time, default=None)

    @contextmanager
    def _collected(self) -> Iterator[None]:
        """Collect a fault, once."""
        try:
            yield
        except CatalogueError as error:
            if str(error) not in map(str, self.faults):
                self.faults.append(error)


def summed(found: Iterable[Row]) -> dict[str, Any]:
    """Return how many files of the catalogue there are and are here, and their sizes in words."""
    own = [row for row in found if row.entry]
    whole, here = state.total(own), state.total(row for row in own if row.is_there)
    left = state.total(row for row in own if not row.is_there)
    return {
        "files": whole.files,
        "here": here.files,
        "size": whole.shown,
        "size_here": here.shown,
        "left": left.shown,
    }


def _state(place: Place) -> dict[str, str]:
    return {"word": place.word, "mark": place.mark, "meaning": place.meaning, "key": place.option}


def _look(look: Look | None) -> dict[str, str] | None:
    return asdict(look) if look else None


def _time() -> str:
    """Return the time in UTC, or that of SOURCE_DATE_EPOCH, as of RFC 3339."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return looks.at(int(given) if given.isdecimal() else time.time())
