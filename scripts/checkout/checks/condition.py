"""The condition of a clone: its catalogue, its files, their disk, and what was left behind.

Nothing is changed: a change that was cut short stays so, and is told.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from scripts.catalogue import witnesses
from scripts.catalogue.witnesses import some
from scripts.checkout import disks, journal, state, tidy
from scripts.checkout.clone import Clone
from scripts.checkout.state import Place
from scripts.console.errors import CatalogueError, CheckpointError
from scripts.console.progress import human
from scripts.files.disk import existing
from scripts.storage import state as state_of_dvc
from scripts.storage.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.checkout.state import FileState
    from scripts.checkout.tidy import Item

_STALE = 7  # days after which nobody resumes a download
_DAY = 86_400  # seconds


def catalogue(root: Path) -> str:
    """Check params.yaml, dvc.lock, models.json and the seal; raise CatalogueError."""
    holds, pins = witnesses.read(root)
    return f"{len(holds.files)} files, {len(pins.keys() & holds.files.keys())} pinned and sealed"


def change(root: Path) -> str:
    """Raise CheckpointError if a change of the catalogue was cut short."""
    if command := journal.cut_short(root):
        raise CheckpointError(f"{command} was cut short")
    return "no change of the catalogue was cut short"


def dvc(root: Path) -> str:
    """Raise CheckpointError if DVC refuses to work, as a kill has torn what it keeps in a clone."""
    if torn := state_of_dvc.torn(root):
        raise CheckpointError(f"{torn} is half written: DVC was killed", f"Next: rm {torn}")
    return "no file of DVC's own is half written"


def files(root: Path) -> str:
    """Return what is in place and what is missing; raise CheckpointError for a wrong file."""
    clone = Clone.as_it_is(root)[0]
    states = state.read(clone, clone.catalogue.published.values())
    wrong = [each for each in states if each.is_wrong]
    _refuse(wrong, "not the pinned file", "./checkpoints verify --repair")
    lost = [each for each in states if not each.is_there and (root / each.path).is_symlink()]
    _refuse(lost, "a link to an object that is gone", "./checkpoints fetch")
    there = [each for each in states if each.is_there]
    unread = sum(each.place == Place.UNVERIFIED for each in there)
    checked = f", {unread} not verified yet: ./checkpoints verify" if unread else ""
    return f"{len(there)} of {len(states)} in place{checked}"


def _refuse(found: Sequence[FileState], what: str, step: str) -> None:
    if found:
        names = " ".join(dict.fromkeys(each.entry for each in found))
        paths = some(each.path for each in found)
        raise CheckpointError(f"{len(found)} {what}: {paths}", f"Next: {step} {names}")


def disk(root: Path) -> str:
    """Return the type of link and the free room; raise CheckpointError if files are stored twice.

    Test links are made from the cache to models/, and removed at once.
    """
    cache = Cache(root)
    tree, objects = existing(root / "models"), existing(cache.folder)
    for folder in (tree, objects, existing(cache.temporary)):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CheckpointError(f"may not write {folder}", "Next: get write permission there")
    kind, free = cache.linking(), shutil.disk_usage(objects).free
    if kind == "copy" and disks.apart(cache):
        raise CheckpointError(
            f"models/ and the cache {objects} are on two disks: every file takes its room twice",
            f"Next: `./checkpoints dvc cache dir --local DIR`, with a folder on the disk of {tree}",
        )
    twice = ": every file takes its room twice" if kind == "copy" else ""
    room = f"{human(free)} free; {_missing(root, free)}"
    return f"models/ has the cache's files by {kind}{twice}; {room}"


def _missing(root: Path, free: int) -> str:
    try:
        clone = Clone.as_it_is(root)[0]
    except CatalogueError:
        return "what is missing is not known"
    states = state.read(clone, clone.catalogue.published.values())
    missing = [each for each in states if each.place in (Place.MISSING, Place.TEAM)]
    total = state.total(missing)
    fits = "" if total.size < free else ", more than fit"
    return f"to fetch: {total}{fits}" if missing else "no file is missing"


def begun(root: Path) -> str:
    """Return what was begun to download; raise CheckpointError for what nobody will resume."""
    clone = Clone.as_it_is(root)[0]
    found, known = tidy.partials(clone), tidy.names(clone)
    stale = [item for item in found if item.key not in known or _age(item) > _STALE]
    if stale:
        raise CheckpointError(
            f"{_sum(stale)} begun more than {_STALE} days ago, or of another pin: "
            f"{some(item.name for item in stale)}"
        )
    return f"{_sum(found)}; the next fetch resumes them" if found else "no download was cut short"


def _age(item: Item) -> float:
    """Return the days since something was written."""
    times = [0.0]
    for path in item.paths:
        with suppress(OSError):  # its download has just ended
            times.append(path.stat().st_mtime)
    return (time.time() - max(times)) / _DAY


def quarantine(root: Path) -> str:
    """Raise CheckpointError if wrong files were moved to quarantine."""
    if found := tidy.quarantined(Clone.as_it_is(root)[0]):
        raise CheckpointError(f"{_sum(found)}: {some(item.name for item in found)}")
    return "no wrong file is kept aside"


def _sum(items: Sequence[Item]) -> str:
    return f"{len(items)}, {human(sum(item.size for item in items))}"
