"""Files that a user no longer wants here: they go from models/ and from the cache.

The catalogue keeps them, so that they can be fetched again; who still has them is asked first.
"""

from __future__ import annotations

from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.checkout import candidates
from scripts.checkout.journal import prune
from scripts.checkout.leftovers import drop_begun, key
from scripts.checkout.local import identify
from scripts.checkout.tidy import room
from scripts.console.errors import CheckpointError
from scripts.download.headers import HeadRequest, at_once
from scripts.files.disk import disk_errors
from scripts.storage import garbage

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from dvc.repo import Repo

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.catalogue.pins import Pin
    from scripts.catalogue.selection import Selection
    from scripts.checkout.candidates import Candidate
    from scripts.checkout.clone import Clone


@dataclass(frozen=True)
class Unwanted:
    """An entry whose files are here: where, and the bytes on the disk that their removal frees.

    `own` are the paths of files that are not the pinned ones: they stay.
    """

    entry: Published
    files: tuple[Checkpoint, ...]
    objects: tuple[str, ...]  # of the cache, by md5
    size: int
    own: tuple[str, ...]


def here(clone: Clone, chosen: Selection, *, shared: bool = False) -> list[Unwanted]:
    """Return the entries of which a chosen file is in models/ or in the cache.

    A file is read, unless DVC has hashed it. Objects that other files use are left out, and so is
    a cache outside the clone, unless it is `shared`. Raises DiskError.
    """
    others = {pin.md5 for path, pin in clone.pins.items() if path not in chosen.paths}
    cached = shared or garbage.is_own(clone.cache)
    found = []
    for entry in chosen.entries:
        files = [file for file in entry.files if file.path in chosen.paths]
        known = {pin.md5 for file in files if cached and (pin := clone.pin(file)) and pin.md5}
        found.append(_here(clone, entry, files, sorted(known - others)))
    return [each for each in found if each.files or each.objects or each.own]


def _here(
    clone: Clone, entry: Published, files: Sequence[Checkpoint], known: Sequence[str]
) -> Unwanted:
    present = [file for file in files if (clone.root / file.path).exists()]
    pinned = tuple(file for file in present if is_pinned(clone, file))
    objects = tuple(md5 for md5 in known if clone.cache.object(md5).exists())
    size = room([*(clone.root / file.path for file in pinned), *map(clone.cache.object, objects)])
    own = tuple(file.path for file in present if file not in pinned)
    return Unwanted(entry, pinned, objects, size, own)


def is_pinned(clone: Clone, file: Checkpoint) -> bool:
    """Tell whether a file in place is the pinned one, which DVC is told; raise DiskError."""
    path, pin = clone.root / file.path, clone.pin(file)
    if not pin or not path.is_file() or not (found := identify(clone.cache, path, pin)):
        return False
    clone.cache.remember(path, str(found.md5))
    return True


def sources(clone: Clone, entries: Sequence[Published]) -> dict[str, list[str]]:
    """Return, by name of the entry, the sources that have all of its files; all are asked at once.

    A source has a file if its size, and a hash that it states, are the pinned ones. Nothing is
    downloaded. Raises SourceError if there is no file of trusted certificate authorities.
    """
    asked = [(entry, each) for entry in entries for each in candidates.candidates(clone, entry)]
    context = clone.limits.context
    answers = at_once(lambda row: _has(clone, row[0], row[1], context), asked)
    found: dict[str, dict[str, set[Checkpoint]]] = {entry.name: {} for entry in entries}
    for (entry, candidate), answer in zip(asked, answers, strict=True):
        files = {candidate.file} if candidate.file else set(entry.files)
        found[entry.name].setdefault(candidate.who, set()).update(files if answer else ())
    return {
        entry.name: [who for who, files in found[entry.name].items() if files >= set(entry.files)]
        for entry in entries
    }


def _has(clone: Clone, entry: Published, candidate: Candidate, context: ssl.SSLContext) -> bool:
    """Tell whether a candidate has what it must have; False if it does not answer."""
    place, file = candidate.place, candidate.file
    pin = clone.pin(file) if file else clone.published_pin(entry)
    with suppress(CheckpointError, OSError):
        if isinstance(place, str):
            request = HeadRequest(place, context, timeout=clone.catalogue.network.timeout)
            return _serves(request, pin)
        if isinstance(place, Path):
            return not pin or pin.allows_size(place.stat().st_size)
        with place() as opened:
            return bool(opened.read(1))
    return False


def _serves(request: HeadRequest, pin: Pin | None) -> bool:
    with closing(request):
        head = request.head()
    stated = [(getattr(head, kind), getattr(pin, kind, None)) for kind in ("md5", "sha256", "size")]
    return all(None in row or row[0] == row[1] for row in stated)


def remove(clone: Clone, found: Sequence[Unwanted]) -> list[str]:
    """Remove these files; return the names of the entries that another process is at work on.

    Raises UsageError or DiskError.
    """
    with garbage.locked(clone.root) as repo:
        return [each.entry.name for each in found if not _remove(clone, each, repo)]


def _remove(clone: Clone, unwanted: Unwanted, repo: Repo) -> bool:
    entry = unwanted.entry
    keys = {key(clone, entry), entry.name, *(key(clone, entry, file) for file in entry.files)}
    with ExitStack() as stack:
        alone = (stack.enter_context(clone.alone(name, wait=False)) for name in keys)
        if not all(alone):
            return False
        for file in unwanted.files:
            if is_pinned(clone, file):  # still
                with disk_errors(clone.root / file.path):
                    (clone.root / file.path).unlink()
                prune(clone.root, file.path)
        gone = [md5 for md5 in unwanted.objects if clone.cache.object(md5).exists()]
        garbage.collect(repo, gone)
        drop_begun(clone, entry, *keys)
    return True
