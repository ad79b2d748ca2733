"""What this disk has already: a file in its place or in the cache, checked before it is reused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scripts.checkout.workspace import Origin, Outcome, as_pin, place, quarantine
from scripts.console.errors import DiskError
from scripts.console.progress import note
from scripts.files import digests
from scripts.files.disk import disk_errors, special

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint
    from scripts.catalogue.pins import Pin
    from scripts.checkout.clone import Clone
    from scripts.storage.cache import Cache


def reuse_local(clone: Clone, file: Checkpoint) -> Outcome | None:
    """Reuse a file from its place or from the cache; return None if it must be downloaded.

    A file in place is read first, unless DVC has hashed it and it has not changed since. A wrong
    file stays in its place until the correct one replaces it. Raises PickleError or DiskError.
    """
    path, pin = clone.root / file.path, clone.pin(file)
    with disk_errors(path):
        _refuse_obstacles(clone.root, path)
    if found := adopt(clone, file, path):
        return Outcome(file.path, Origin.IN_PLACE, found, first_use=pin is None)
    if pin and pin.md5 and _in_cache(clone, path, pin):
        screen(clone, file, clone.cache.object(str(pin.md5)))
        return place(clone, file, pin, Origin.CACHE)
    return None


def adopt(clone: Clone, file: Checkpoint, path: Path) -> Pin | None:
    """Add what is at `path`, in the tree or not, to the cache; return its identity.

    None if it is not the file of the catalogue, or if nothing is there. Raises PickleError or
    DiskError.
    """
    with disk_errors(path):
        before = path.stat() if path.exists() else None
    found = identify(clone.cache, path, clone.pin(file)) if before else None
    if before and found:
        screen(clone, file, path)
        with disk_errors(path):
            _ensure_cached(clone, path, found, before)
    return found


def screen(clone: Clone, file: Checkpoint, path: Path) -> None:
    """Raise PickleError if a file without a pin of the repository would run unexpected code."""
    if clone.is_pinned(file):
        return
    from scripts.pickles import screening  # noqa: PLC0415 - on first use only

    screening.judge(clone.root, file.path, path)


def _refuse_obstacles(root: Path, path: Path) -> None:
    """Raise DiskError if a folder or a device is in a file's place, or a file in a folder's."""
    if other := special(path):
        what = f"{path.relative_to(root)} is {other}, but must be a file"
        raise DiskError(what, "Next: move it away.")
    for folder in path.relative_to(root).parents:
        above = root / folder
        if os.path.lexists(above) and not above.is_dir():
            raise DiskError(f"{folder} is not a folder, but must be one", "Next: move it away.")


def identify(cache: Cache, path: Path, pin: Pin | None) -> Pin | None:
    """Return the identity of a file that matches the pin or has none; raise DiskError."""
    with disk_errors(path):
        if pin and not pin.allows_size(path.stat().st_size):
            return None
        if pin and pin.md5 and pin.md5 == cache.known(path):
            return pin
        digest = digests.of_file(path, sha256=pin is None or pin.sha256 is not None)
    if pin and not pin.matches(digest):
        return None
    return pin if pin and pin.md5 else as_pin(digest)


def _ensure_cached(clone: Clone, path: Path, pin: Pin, before: os.stat_result) -> None:
    """Add a verified file to the cache, and tell DVC its hash.

    `before` is the state of the file before it was read; raises DiskError if it changed since.
    """
    cache, md5 = clone.cache, str(pin.md5)
    cached = cache.object(md5)
    ours = cached.exists() and cached.samefile(path)
    if ours:
        cache.mark_verified(md5)
    elif not _in_cache(clone, path, pin):
        cache.adopt(path, md5)
        ours = True
    now = path.stat()
    if (now.st_mtime_ns, now.st_size) != (before.st_mtime_ns, before.st_size):
        if ours:
            cached.unlink()
        raise DiskError(
            f"{os.path.relpath(path, clone.root)} was written to while it was checked",
            "It is left in its place, and was not added to the cache.",
            "Next: wait until the other process has finished, then run again.",
        )
    if path.is_symlink() and not path.resolve().is_relative_to(cache.folder.resolve()):
        cache.link(md5, path)  # the target of a foreign symlink may disappear
    cache.remember(path, md5)


def _in_cache(clone: Clone, target: Path, pin: Pin) -> bool:
    """Tell whether the cache has the bytes of `target`; move a corrupt object to quarantine."""
    path = clone.cache.object(str(pin.md5))
    with disk_errors(path):
        if not path.exists():
            return False
    if identify(clone.cache, path, pin):
        clone.cache.mark_verified(str(pin.md5))
        return True
    aside = quarantine(clone.root, path, f"cache/{pin.md5}")
    name, now = (each.relative_to(clone.root) for each in (target, aside))
    note(f"{name}: its object in the cache was corrupt; it is now {now}")
    return False
