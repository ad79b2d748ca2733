"""The tree under models/: what lies there already, and how a verified file takes its place."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from scripts.catalogue.pins import Pin
from scripts.checkout.outcome import Origin, Outcome
from scripts.console.errors import DiskError
from scripts.console.progress import note
from scripts.files import digests
from scripts.files.disk import disk_errors
from scripts.storage.cache import move

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint
    from scripts.checkout.clone import Clone
    from scripts.files.digests import Digest
    from scripts.storage.cache import Cache


def reuse_local(clone: Clone, file: Checkpoint) -> Outcome | None:
    """Serve a file from its place or from the cache; return None if it must be brought.

    What is in place is read before it is believed, unless DVC read it and it has not changed
    since. A wrong file stays where it is until the right one is there to replace it.
    """
    path, pin = clone.root / file.path, clone.pin(file)
    with disk_errors(path):
        _refuse_obstacles(clone.root, path)
        before = path.stat() if path.exists() else None
    if before and (held := _identify(clone.cache, path, pin)):
        screen(clone, file, path)
        with disk_errors(path):
            _ensure_cached(clone, path, held, before)
        return Outcome(file.path, Origin.IN_PLACE, held, first_use=pin is None)
    if pin and _in_cache(clone, pin):
        screen(clone, file, clone.cache.object(str(pin.md5)))
        return place(clone, file, pin, Origin.CACHE)
    return None


def screen(clone: Clone, file: Checkpoint, path: Path) -> None:
    """Raise PickleError if bytes that no lock has pinned would run more than weights need."""
    if clone.is_pinned(file):
        return
    from scripts.pickles import screening  # noqa: PLC0415 - on first use only

    screening.judge(clone.root, file.path, path)


def place(clone: Clone, file: Checkpoint, pin: Pin, origin: Origin, details: str = "") -> Outcome:
    """Link the cached object of `pin` to its path; what was there goes to quarantine.

    If the link cannot be made, or is not waited for, what was there is there again.
    """
    path, known = clone.root / file.path, clone.pin(file)
    occupied = path.exists() or path.is_symlink()
    aside = quarantine(clone.root, path, file.path) if occupied else None
    try:
        clone.cache.link(str(pin.md5), path)
    except (DiskError, KeyboardInterrupt):
        if aside:
            put_back(path, aside)
        raise
    return Outcome(file.path, origin, pin, details, aside, first_use=known is None)


def put_back(path: Path, aside: Path | None) -> None:
    """Let what was put aside stand at its path again, or nothing; raise DiskError."""
    with disk_errors(path):
        if aside:
            move(aside, path)
        else:
            path.unlink(missing_ok=True)


def quarantine(root: Path, path: Path, name: str) -> Path:
    """Move a file out of the way, to quarantine/TIME/NAME of the clone; return where it is now."""
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = root / "quarantine" / now / name
    with disk_errors(aside):
        aside.parent.mkdir(parents=True)
        move(path, aside)
    return aside


def _refuse_obstacles(root: Path, path: Path) -> None:
    """Raise DiskError where a folder stands in a file's place, or a file in a folder's."""
    if path.is_dir():
        what = f"{path.relative_to(root)} is a folder, and a file is wanted there"
        raise DiskError(what, "Next: move it away.")
    for folder in path.relative_to(root).parents:
        above = root / folder
        if os.path.lexists(above) and not above.is_dir():
            raise DiskError(
                f"{folder} is no folder, and one is wanted there", "Next: move it away."
            )


def _identify(cache: Cache, path: Path, pin: Pin | None) -> Pin | None:
    """Return what a file is, if that is what it must be."""
    with disk_errors(path):
        if pin and not pin.allows_size(path.stat().st_size):
            return None
        if pin and pin.md5 == cache.known(path):
            return pin
        digest = digests.of_file(path, sha256=pin is None or pin.sha256 is not None)
    if pin is None:
        return as_pin(digest)
    return pin if pin.matches(digest) else None


def as_pin(digest: Digest) -> Pin:
    """Return the pin that these bytes will have."""
    return Pin(digest.md5, digest.size, digest.sha256)


def _ensure_cached(clone: Clone, path: Path, pin: Pin, before: os.stat_result) -> None:
    """See to it that the cache holds a verified file of the workspace, and that DVC knows it.

    `before` is what the file was before it was read; raises DiskError if it was written to since.
    """
    cache, md5 = clone.cache, str(pin.md5)
    held = cache.object(md5)
    ours = held.exists() and held.samefile(path)
    if ours:
        cache.mark_verified(md5)
    elif not _in_cache(clone, pin):
        cache.adopt(path, md5)
        ours = True
    now = path.stat()
    if (now.st_mtime_ns, now.st_size) != (before.st_mtime_ns, before.st_size):
        if ours:
            held.unlink()
        raise _changing(file=str(path.relative_to(clone.root)))
    if path.is_symlink() and not path.resolve().is_relative_to(cache.folder.resolve()):
        cache.link(md5, path)  # a link to somebody's disk is not ours to depend on
    cache.remember(path, md5)


def _changing(file: str) -> DiskError:
    return DiskError(
        f"{file} was written to while it was checked",
        "It is left in its place, and was not taken into the cache.",
        "Next: wait until whoever writes it has finished, then run again.",
    )


def _in_cache(clone: Clone, pin: Pin) -> bool:
    """Tell whether the cache holds the pinned bytes; a broken object goes to quarantine."""
    path = clone.cache.object(str(pin.md5))
    with disk_errors(path):
        if not path.exists():
            return False
    if _identify(clone.cache, path, pin):
        clone.cache.mark_verified(str(pin.md5))
        return True
    aside = quarantine(clone.root, path, f"cache/{pin.md5}")
    note(f"the cache held wrong bytes as {pin.md5}; they are now {aside.relative_to(clone.root)}")
    return False
