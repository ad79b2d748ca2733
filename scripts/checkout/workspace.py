"""The tree under models/: put verified files in place, wrong ones in quarantine, and report it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING

from scripts.catalogue.pins import Pin
from scripts.console.errors import DiskError
from scripts.console.progress import counted, duration, human, say
from scripts.files.disk import disk_errors
from scripts.storage.cache import move

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint
    from scripts.checkout.clone import Clone
    from scripts.files.digests import Digest


class Origin(Enum):
    """Where the bytes of a file came from, in the words that a user reads."""

    IN_PLACE = "kept: already in place"
    CACHE = "linked from the cache"
    DOWNLOADED = "downloaded from"
    REBUILT = "rebuilt"
    REPINNED = "repinned"


@dataclass(frozen=True)
class Outcome:
    """How a file was put in its place."""

    path: str
    origin: Origin
    pin: Pin
    details: str = ""  # of a download: the source, and how long it took
    aside: Path | None = None  # the new path of the wrong file that was in its place
    first_use: bool = False

    @property
    def is_news(self) -> bool:
        """Whether anything was done, or must be known, about the file."""
        return self.origin is not Origin.IN_PLACE or self.first_use

    @property
    def how(self) -> str:
        """The origin in words, with its details."""
        return f"{self.origin.value} {self.details}".rstrip()


def place(clone: Clone, file: Checkpoint, pin: Pin, origin: Origin, details: str = "") -> Outcome:
    """Link the cached object of `pin` to the file's path; move what was there to quarantine.

    If the link fails or the user stops the command, the old file is restored. Raises DiskError.
    """
    path, known = clone.root / file.path, clone.pin(file)
    with clone.placing:
        aside = _install(clone, path, file.path, str(pin.md5))
    return Outcome(file.path, origin, pin, details, aside, first_use=known is None)


def _install(clone: Clone, path: Path, name: str, md5: str) -> Path | None:
    """Link an object to a path; return where the file that was there is now, if there was one."""
    occupied = path.exists() or path.is_symlink()
    aside = quarantine(clone.root, path, name) if occupied else None
    try:
        clone.cache.link(md5, path)
    except (DiskError, KeyboardInterrupt):
        if aside:
            put_back(path, aside)
        raise
    return aside


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


def closing(root: Path, outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return one line about all files of a run that took some seconds: how many, how big, how.

    Raises DiskError if a file has gone since.
    """
    sizes = {outcome.path: _size(root / outcome.path) for outcome in outcomes}
    of = {origin: [each.path for each in outcomes if each.origin is origin] for origin in Origin}
    parts = []
    if new := of[Origin.DOWNLOADED]:
        size = sum(sizes[path] for path in new)
        rate = human(size / max(seconds, 0.001))
        parts += [f"{len(new)} downloaded ({human(size)} in {duration(seconds)}, {rate}/s)"]
    if cached := of[Origin.CACHE]:
        parts += [f"{len(cached)} linked from the cache"]
    if kept := of[Origin.IN_PLACE]:
        parts += [f"{len(kept)} {'was' if len(kept) == 1 else 'were'} there"]
    return f"{counted(len(outcomes))}, {human(sum(sizes.values()))} in place: {', '.join(parts)}"


def _size(path: Path) -> int:
    with disk_errors(path):
        return path.stat().st_size


def report(outcome: Outcome) -> None:
    """Print how a file was put in its place, and what a user must know about it."""
    say(f"{outcome.path}  {outcome.how}")
    if outcome.first_use:
        pin = outcome.pin
        say(f"  first use: no pin yet, so these bytes are trusted and will be pinned:\n"
              f"  md5 {pin.md5}  sha256 {pin.sha256}  {pin.size:,} bytes")  # fmt: skip
    if outcome.aside:
        say(f"  a wrong file was in its place; it is now {os.path.relpath(outcome.aside)}")
