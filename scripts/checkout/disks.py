"""The disks of the cache and of models/: what it costs if they are two, and how to end it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from scripts.catalogue.params import TREE
from scripts.console.errors import DiskError
from scripts.files.disk import existing

if TYPE_CHECKING:
    from scripts.checkout.clone import Clone
    from scripts.storage.cache import Cache

# Of what is there alone: DVC would make links to objects that the cache lacks, and fail at them.
_RELINK = f"./checkpoints dvc checkout --relink $(find {TREE}/ ! -type d)"
_TWICE = "every file is stored twice."
_APART = f"{TREE}/ is on another file system than the cache,"
_TYPES = f"`./checkpoints dvc config --local cache.type hardlink,symlink && {_RELINK}`"


def apart(cache: Cache) -> bool:
    """Tell whether models/ and the cache are on two file systems."""
    return existing(cache.root / TREE).stat().st_dev != existing(cache.folder).stat().st_dev


def advice(clone: Clone) -> list[str]:
    """Return lines for the user if the cache cannot link to models/ for nothing, else none."""
    cache, two = clone.cache.folder.parents[1], apart(clone.cache)
    with suppress(DiskError):  # models/ is read-only
        kind = clone.cache.linking()
        if kind == "copy" and not two:
            return [f"{cache} has no links to {TREE}/: {_TWICE}", f"To link them: {_TYPES}"]
        if kind == "copy":
            return [f"{_APART} {cache}: {_TWICE}", *_move(clone), f"To link them: {_TYPES}"]
        if two:
            return [f"{_APART} {cache}: its files are {kind}s to the cache."]
    return []


def _move(clone: Clone) -> list[str]:
    """Return how to have the cache on the disk of models/, beside it; below it is a stray."""
    models = existing(clone.root / TREE).resolve()
    if models.is_mount():
        return []
    inside = models.parent == clone.root.resolve()
    there = clone.root / ".dvc/cache" if inside else models.parent / f"{clone.root.name}-cache"
    step = f"`./checkpoints dvc cache dir --local {there}`, then run this again"
    return [f"To move the cache there: {step}: it adds the files of {TREE}/ to it."]
