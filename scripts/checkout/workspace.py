"""The tree under models/: put verified files in their places, and wrong ones in quarantine."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from scripts.catalogue.pins import Pin
from scripts.checkout.outcome import Origin, Outcome
from scripts.console.errors import DiskError
from scripts.files.disk import disk_errors
from scripts.storage.cache import move

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint
    from scripts.checkout.clone import Clone
    from scripts.files.digests import Digest


def place(clone: Clone, file: Checkpoint, pin: Pin, origin: Origin, details: str = "") -> Outcome:
    """Link the cached object of `pin` to the file's path; move what was there to quarantine.

    If the link fails or the user stops the command, the old file is restored. Raises DiskError.
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
    """Move a file from quarantine back to its path, or remove `path`; raise DiskError."""
    with disk_errors(path):
        if aside:
            move(aside, path)
        else:
            path.unlink(missing_ok=True)


def quarantine(root: Path, path: Path, name: str) -> Path:
    """Move a file to quarantine/TIME/NAME of the clone; return its new path. Raises DiskError."""
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = root / "quarantine" / now / name
    with disk_errors(aside):
        aside.parent.mkdir(parents=True)
        move(path, aside)
    return aside


def as_pin(digest: Digest) -> Pin:
    """Return the pin of bytes with this digest."""
    return Pin(digest.md5, digest.size, digest.sha256)
