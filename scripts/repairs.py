"""Put right what an inspection found wrong: aside with it, then the pinned bytes to its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts import obtain
from scripts.errors import CheckpointError
from scripts.inspection import MISSING, WRONG, look, shown
from scripts.progress import note
from scripts.workspace import quarantine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.catalogue import Published
    from scripts.clone import Clone
    from scripts.inspection import Finding


def repair(clone: Clone, found: Sequence[Finding], required: set[str]) -> list[Finding]:
    """Move what is wrong to quarantine and bring it anew; return what then lies at the places.

    Of the `required` files, those that are missing are brought, too.
    """
    damaged = {f.place.path: f.place for f in found if f.state == WRONG}
    for path, place in damaged.items():
        md5 = path.parent.name + path.name
        aside = quarantine(clone.root, path, f"cache/{md5}" if place.cached else place.file)
        note(f"{shown(clone, path)}: moved to {shown(clone, aside)}")
    absent = [
        f.place
        for f in found
        if f.state == MISSING and not f.place.cached and f.place.file in required
    ]
    wanted = {place.entry.name: place.entry for place in (*damaged.values(), *absent)}
    for entry in wanted.values():
        _bring(clone, entry)
    fresh = {f.place: f for f in look(clone, wanted.values())}
    return [fresh.get(finding.place, finding) for finding in found]


def _bring(clone: Clone, entry: Published) -> None:
    try:
        outcomes = obtain.bring(clone, entry)
    except CheckpointError as error:
        note(f"error: {error}")  # the next entry may be luckier
        return
    for outcome in outcomes:
        note(f"{outcome.path}  {outcome.how}")
