"""Put right what an inspection found wrong: the pinned bytes take its place, it goes aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.checkout import obtain
from scripts.checkout.inspection import MISSING, WRONG, look, shown
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
    """Bring what is wrong anew; return what then lies at the places.

    A wrong object goes to quarantine at once, so that nobody links it; a wrong file as soon as
    the right one takes its place. Of the `required` files, those that are missing come, too.
    """
    damaged = [f for f in found if f.state == WRONG]
    asides = {f.place: _set_aside(clone, f.place) for f in damaged if _in_the_way(f)}
    absent = [
        f for f in found if f.state == MISSING and not f.place.cached and f.place.file in required
    ]
    wanted = {f.place.entry.name: f.place.entry for f in (*damaged, *absent)}
    try:
        for entry in wanted.values():
            _bring(clone, entry)
    finally:
        for place, aside in asides.items():
            _keep(clone, place, aside)
    fresh = {f.place: f for f in look(clone, wanted.values())}
    return [fresh.get(finding.place, finding) for finding in found]


def _in_the_way(finding: Finding) -> bool:
    """Tell whether the right bytes cannot come while this is there: the disk has lost its own."""
    return finding.place.cached or finding.digest is None


def _set_aside(clone: Clone, place: Place) -> Path:
    md5 = place.path.parent.name + place.path.name
    aside = quarantine(clone.root, place.path, f"cache/{md5}" if place.cached else place.file)
    note(f"{shown(clone, place.path)}: moved to {shown(clone, aside)}")
    return aside


def _keep(clone: Clone, place: Place, aside: Path) -> None:
    """Let no file vanish from models/ for want of the right one, be it a link into the cache."""
    path = clone.root / place.file
    if not path.exists() and (path.is_symlink() or not place.cached):
        put_back(place.path, aside)
        note(f"{shown(clone, place.path)}: put back, for want of the right one")


def _bring(clone: Clone, entry: Published) -> None:
    try:
        outcomes = obtain.bring(clone, entry)
    except CheckpointError as error:
        note(f"error: {error}")  # the next entry may be luckier
        return
    for outcome in outcomes:
        if outcome.aside:
            note(f"{outcome.path}: moved to {shown(clone, outcome.aside)}")
        note(f"{outcome.path}  {outcome.how}")
