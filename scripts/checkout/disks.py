"""The disks of the cache and of models/: what their distance costs, and how to end it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from scripts.catalogue.params import TREE
from scripts.console.errors import DiskError
from scripts.files.disk import existing

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.checkout.clone import Clone


def advice(clone: Clone) -> list[str]:
    """Return lines for the user if models/ cannot have cheap links to the cache, else none."""
    models, folder = existing(clone.root / TREE).resolve(), existing(clone.cache.folder).resolve()
    apart = models.stat().st_dev != folder.stat().st_dev
    kind = "copy"
    with suppress(DiskError):  # models/ is read-only: nobody links there
        kind = clone.cache.linking()
    if not apart and kind != "copy":
        return []
    cost = "every byte is stored twice" if kind == "copy" else f"its files are {kind}s to the cache"
    if not apart:
        types = "`./checkpoints dvc config --local cache.type hardlink,symlink`"
        return [f"cache.type allows no links to {TREE}/: {cost}.", f"Next: {types} allows them."]
    cache = clone.cache.folder.parents[1]
    there = _mount(models) / f"{clone.root.name}.cache"
    return [
        f"{TREE}/ is on another file system than the cache, {cache}: {cost}.",
        f"Next: `mv {cache} {there}` moves the cache there; then",
        f"`./checkpoints dvc cache dir --local {there}` and `./checkpoints dvc checkout --relink`.",
    ]


def _mount(path: Path) -> Path:
    """Return the root of the file system that holds a folder."""
    while not os.path.ismount(path):
        path = path.parent
    return path
