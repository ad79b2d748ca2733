"""Replace what an inspection found wrong by the pinned bytes; wrong files go to quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.checkout.inspection import DANGLING, MISSING, WRONG, inspect, shown
from scripts.checkout.leftovers import drop_links
from scripts.checkout.obtain import obtain
from scripts.checkout.workspace import put_back, quarantine
from scripts.console.errors import CheckpointError
from scripts.console.progress import note

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.catalogue.params import Published
    from scripts.checkout.clone import Clone
    from scripts.checkout.inspection import Finding, Place


def repair(clone: Clone, found: Sequence[Finding], required: set[str]) -> list[Finding]:
    """Obtain the entries of wrong files again; return the findings after that.

    A wrong object goes to quarantine at once, so that no process links it; a wrong file when the
    correct one replaces it. Missing files, and those behind a dangling link, are obtained if they
    are `required`.
    """
    damaged = [f for f in found if f.state == WRONG]
    gone = [f for f in found if f.state in (MISSING, DANGLING) and not f.place.cached]
    absent = [f for f in gone if f.place.file in required]
    entries = {f.place.entry.name: f.place.entry for f in (*damaged, *absent)}
    drop_links(clone, entries.values())
    # Moved first: a cached object, or a file that cannot be read.
    blocking = [f.place for f in damaged if f.place.cached or f.digest is None]
    asides = {place: _set_aside(clone, place) for place in blocking}
    try:
        for entry in entries.values():
            _obtain(clone, entry)
    finally:
        for place, aside in asides.items():
            _restore(clone, place, aside)
    fresh = {f.place: f for f in inspect(clone, entries.values())}
    return [fresh.get(finding.place, finding) for finding in found]


def _set_aside(clone: Clone, place: Place) -> Path:
    md5 = place.path.parent.name + place.path.name
    aside = quarantine(clone.root, place.path, f"cache/{md5}" if place.cached else place.file)
    note(f"{shown(clone, place.path)}: moved to {shown(clone, aside)}")
    return aside


def _restore(clone: Clone, place: Place, aside: Path) -> None:
    """Restore what was set aside if models/ would lose a file, or the target of its link."""
    path = clone.root / place.file
    if not path.exists() and (path.is_symlink() or not place.cached):
        put_back(place.path, aside)
        note(f"{shown(clone, place.path)}: restored: no correct copy found")


def _obtain(clone: Clone, entry: Published) -> None:
    try:
        for outcome in obtain(clone, entry):
            if outcome.aside:
                note(f"{outcome.path}: moved to {shown(clone, outcome.aside)}")
            note(f"{outcome.path}  {outcome.how}")
    except CheckpointError as error:
        note(f"error: {error}")  # the other entries are still tried
