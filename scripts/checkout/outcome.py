"""How a file was put in its place, and the lines a command prints about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console.progress import say

if TYPE_CHECKING:
    from scripts.catalogue.pins import Pin


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
    def how(self) -> str:
        """The origin in words, with its details."""
        return f"{self.origin.value} {self.details}".rstrip()


def report(outcome: Outcome) -> None:
    """Print how a file was put in its place, and what a user must know about it."""
    say(f"{outcome.path}  {outcome.how}")
    if outcome.first_use:
        pin = outcome.pin
        say(f"  first use: no pin yet, so these bytes are trusted and will be pinned:\n"
              f"  md5 {pin.md5}  sha256 {pin.sha256}  {pin.size:,} bytes")  # fmt: skip
    if outcome.aside:
        where = os.path.relpath(outcome.aside, Path.cwd())
        say(f"  a wrong file was in its place; it is now {where}")
