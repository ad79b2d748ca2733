"""Hash every file of models/ and its object in DVC's cache, and compare them with dvc.lock.

`dvc status` trusts a file whose time and size have not changed, and an object that is read-only.
This command reads all of them, on every core: md5 against dvc.lock, sha256 against params.yaml.
It finds a bit that flipped in place, and DVC no longer trusts a file that was found wrong.
A dangling link leads to an object that is gone from the cache.

A file that was never downloaded is no fault, unless it is named on the command line. Without
names, models.json is compared with catalogue and lock, too.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.catalogue import inventory
from scripts.catalogue.params import EMPTY
from scripts.checkout.clone import Clone
from scripts.checkout.inspection import (
    DANGLING,
    GRAVEST,
    MISSING,
    UNREADABLE,
    WRONG,
    inspect,
    shown,
    states,
)
from scripts.checkout.repairs import repair
from scripts.console.command import command, parser
from scripts.console.errors import CheckpointError
from scripts.console.progress import counted, note, say
from scripts.download.request import mismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.checkout.inspection import Finding

_EXAMPLES = {
    "": "read every file that is there",
    "raft sam_vit_b": "read the files of two entries",
    "--repair raft": "replace what is wrong",
}
_EXITS = {0: "every file that is there is right", 1: "a file is wrong (or still is)"}
_NAMES = "a key of params.yaml (default: all)"
_REPAIR = "replace wrong files from cache, team or publisher; they go to quarantine/"
_BEFORE = "Every file is where it was, and DVC no longer trusts a wrong one."
_AFTER = "Replaced files are in quarantine/, the others are where they were."


@command
def main(argv: Sequence[str] | None) -> None:
    """Hash files, repair them if asked to, and report what was found."""
    words = parser("verify", __doc__, examples=_EXAMPLES, exits=_EXITS)
    words.add_argument("names", metavar="NAME", nargs="*", help=_NAMES)
    words.add_argument("--repair", action="store_true", help=_REPAIR)
    words.add_argument("--json", action="store_true", help="print every place as JSON")
    given = words.parse_args(argv)
    clone = Clone.checked(Path.cwd())
    entries = clone.catalogue.find(list(dict.fromkeys(given.names or clone.catalogue.published)))
    listed = None if given.names else inventory.fault(clone.root)
    found = inspect(clone, entries)
    required = {f.place.file for f in found if given.names or f.state in (WRONG, DANGLING)}
    if given.repair:
        found = repair(clone, found, required)
    if given.json:
        report = {"places": _rows(clone, found), "inventory": listed or "right"}
        say(json.dumps(report, indent=2))
    else:
        _show(clone, found)
    bad = {
        path: state
        for path, state in states(found).items()
        if state in (WRONG, UNREADABLE, DANGLING) or (state == MISSING and path in required)
    }
    if bad or listed:
        raise _failure(found, bad, listed, repaired=given.repair)


def _show(clone: Clone, found: Sequence[Finding]) -> None:
    for finding in found:
        place, digest = finding.place, finding.digest
        if finding.reason:
            say(f"{shown(clone, place.path)}: cannot be read: {finding.reason}")
        elif finding.state == WRONG and place.pin and digest:
            say(str(mismatch(shown(clone, place.path), place.pin, digest)))
    if not found:
        note(EMPTY)
        return
    counts = Counter(states(found).values())
    say(", ".join(f"{counts[state]} {state}" for state in GRAVEST[::-1] if counts[state]))
    if counts[MISSING]:
        say("Missing files are downloaded by `./checkpoints fetch` or `./checkpoints dvc pull`.")


def _rows(clone: Clone, found: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "name": finding.place.entry.name,
            "file": finding.place.file,
            "place": "cache" if finding.place.cached else "models",
            "path": shown(clone, finding.place.path),
            "state": finding.state,
            "pinned": asdict(finding.place.pin) if finding.place.pin else None,
            "found": asdict(finding.digest) if finding.digest else None,
            "reason": finding.reason,
        }
        for finding in found
    ]


def _names(found: Sequence[Finding], bad: dict[str, str], states: set[str]) -> str:
    """Return the names of the entries that have a bad file in one of these states."""
    names = (f.place.entry.name for f in found if bad.get(f.place.file) in states)
    return " ".join(dict.fromkeys(names))


def _failure(
    found: Sequence[Finding], bad: dict[str, str], listed: str | None, *, repaired: bool
) -> CheckpointError:
    lines = [f"{state:<10}  {path}" for path, state in sorted(bad.items())]
    again = "see the errors above; then again " if repaired else ""
    only_missing = set(bad.values()) == {MISSING}
    if bad and not only_missing:
        lines.append(_AFTER if repaired else _BEFORE)
    if unreadable := _names(found, bad, {UNREADABLE}):  # a repair would not read them either
        lines.append("Next: get read permission for unreadable files, or move them away; then")
        lines.append(f"./checkpoints verify {unreadable}")
    if wrong := _names(found, bad, {WRONG, DANGLING}):
        lines.append(f"Next: {again}./checkpoints verify --repair {wrong}")
    if missing := _names(found, bad, {MISSING}):
        lines.append(f"Next: {again}./checkpoints fetch {missing}")
    if listed:
        lines.append(f"{listed:<10}  {inventory.INVENTORY}")
        lines.append(f"Next: {inventory.RESTORE}")
    still = "still " if repaired else ""
    fault = "not here" if only_missing else "not what they must be"
    what = f"{len(bad)} of {counted(len(states(found)))} {still}{fault}"
    return CheckpointError(what if bad else f"{inventory.INVENTORY} is {listed}", *lines)


if __name__ == "__main__":
    sys.exit(main())
