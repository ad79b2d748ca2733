"""Read every byte of models/ and of its objects in DVC's cache again, against dvc.lock.

`dvc status` trusts a file whose time and size have not changed, and an object that is read-only.
This reads them all, on every core: md5 against dvc.lock, sha256 against params.yaml. It finds
the bit that flipped in place, and DVC stops vouching for what was found to be wrong.

What was never fetched is no fault: a clone with two of the files is told so, and exits with 0.
A file named on the command line is expected to be there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.checkout.clone import Clone
from scripts.checkout.inspection import GRAVEST, MISSING, UNREADABLE, WRONG, inspect, shown, states
from scripts.checkout.repairs import repair
from scripts.console.command import command
from scripts.console.errors import CheckpointError
from scripts.console.progress import say
from scripts.download.request import mismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.checkout.inspection import Finding

_EXIT = "exit code: 0 all that is here is right, 1 something is wrong (or still is), 2 usage"
_REPAIR = "bring what is wrong from cache, team or publisher, and move it to quarantine/"


def _tell(clone: Clone, found: Sequence[Finding]) -> None:
    for finding in found:
        place, digest = finding.place, finding.digest
        if finding.reason:
            say(f"{shown(clone, place.path)}: cannot be read: {finding.reason}")
        elif finding.state == WRONG and place.pin and digest:
            say(str(mismatch(shown(clone, place.path), place.pin, digest)))
    counts = Counter(states(found).values())
    say(", ".join(f"{counts[state]} {state}" for state in GRAVEST[::-1] if counts[state]))
    if counts[MISSING]:
        say("What is missing comes by `dvc pull` or `dvc repro`.")


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


def _check(found: Sequence[Finding], required: set[str], *, repaired: bool) -> None:
    """Raise CheckpointError if a file is not what it must be; missing is a fault if required."""
    told = states(found)
    bad = {path: state for path, state in told.items() if state in (WRONG, UNREADABLE)}
    bad |= {path: MISSING for path in required if told[path] == MISSING}
    if not bad:
        return
    names = dict.fromkeys(f.place.entry.name for f in found if f.place.file in bad)
    raise CheckpointError(
        f"{len(bad)} of {len(told)} files {'still ' if repaired else ''}not what they must be",
        *(f"{state:<10}  {path}" for path, state in sorted(bad.items())),
        _AFTER if repaired else _BEFORE,
        f"Next: {_AGAIN if repaired else ''}python -m scripts.verify --repair {' '.join(names)}",
    )


_BEFORE = "Every file is where it was, and DVC no longer vouches for a wrong one."
_AFTER = "What was replaced is in quarantine/, a file that was not is where it was."
_AGAIN = "see the errors above; then again "


@command
def main(argv: Sequence[str] | None) -> None:
    """Parse names, read, repair where it is asked for, and say what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.verify",
        description=__doc__,
        epilog=_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="a key of params.yaml (default: all)"
    )
    parser.add_argument("--repair", action="store_true", help=_REPAIR)
    parser.add_argument("--json", action="store_true", help="every place, for a program")
    given = parser.parse_args(argv)
    clone = Clone.at(Path.cwd())
    names = dict.fromkeys(given.names or clone.catalogue.published)
    found = inspect(clone, clone.catalogue.find(list(names)))
    required = {f.place.file for f in found if given.names or f.state == WRONG}
    if given.repair:
        found = repair(clone, found, required)
    if given.json:
        say(json.dumps({"places": _rows(clone, found)}, indent=2))
    else:
        _tell(clone, found)
    _check(found, required, repaired=given.repair)


if __name__ == "__main__":
    sys.exit(main())
