"""Download checkpoints to their places under models/, each verified against its pin.

A file that is in place is checked and kept. Otherwise DVC's cache, the team's remote, mirrors and
the publisher are tried, in this order. Several files are downloaded in parallel.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.catalogue import artifacts
from scripts.catalogue.params import EMPTY
from scripts.catalogue.selection import select
from scripts.checkout import parallel
from scripts.checkout.clone import Clone
from scripts.checkout.workspace import closing
from scripts.console.command import command, parser
from scripts.console.errors import UsageError
from scripts.console.progress import note, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from scripts.catalogue.params import Published
    from scripts.checkout.workspace import Outcome

_UNCHANGED = "Nothing was fetched or changed."
_EPILOG = """SELECT is one of:
  a name in params.yaml          sam_vit_b
  a file name                    raft-small.pth
  a family (a folder)            sam
  a glob, in quotes              'raft-*'
  a set of params.yaml           minimal
  everything                     complete

A size with ~ is an estimate: nobody has confirmed it. With --quiet only errors and notices of
licences are printed."""
_EXAMPLES = {
    "": "the set minimal",
    "complete --dry-run": "show sizes, sources and room; download nothing",
    "--for vis_eval_root": "what this configuration of params.yaml loads",
}
_EXITS = {0: "all files are in place", 1: "some are not"}


@command
def main(argv: Sequence[str] | None) -> None:
    """Fetch the selected entries; fail if one of them was not downloaded."""
    given = _parser().parse_args(argv)
    first_use: list[str] = given.trust_first_use
    clone = Clone.checked(Path.cwd(), first_use=first_use)
    _refuse_trust(clone, first_use)
    names = [*given.names, *first_use] or ([] if given.configs else [clone.catalogue.start])
    entries = select(clone.catalogue, names, given.configs).entries
    if not entries:
        note(EMPTY)
    if given.dry_run:
        _show(clone, entries, as_json=given.json)
        return
    notices = artifacts.notices(clone.root, [file.path for e in entries for file in e.files])
    began = time.monotonic()
    silent = given.quiet or given.json
    outcomes = parallel.fetch_all(clone, entries, silent=silent) if entries else []
    told = note if silent else say
    for line in notices:
        told(line)
    if given.json:
        say(json.dumps([_as_json(outcome) for outcome in outcomes], indent=2))
    elif len(outcomes) > 1 and not given.quiet:
        say(closing(clone.root, outcomes, time.monotonic() - began))
    if first_use:
        stages = " ".join(entry.stage for entry in clone.catalogue.find(first_use))
        note(f"Next: `./checkpoints dvc commit --force {stages}` pins what was trusted, then")
        note("`./checkpoints seal`.")


def _parser() -> argparse.ArgumentParser:
    words = parser("fetch", __doc__, examples=_EXAMPLES, exits=_EXITS, epilog=_EPILOG)
    option = words.add_argument
    default = "what to fetch; default: minimal if params.yaml has that set, else complete"
    option("names", metavar="SELECT", nargs="*", help=default)
    config = "what this configuration of params.yaml loads; may be repeated"
    option("--for", metavar="CONFIG", dest="configs", action="append", default=[], help=config)
    option("--dry-run", action="store_true", help="show the plan; download and write nothing")
    option("--json", action="store_true", help="print the plan, or the result, as JSON")
    trust = "fetch NAME, which has no pin, and trust its publisher this once"
    option("--trust-first-use", metavar="NAME", action="append", default=[], help=trust)
    return words


def _show(clone: Clone, entries: Sequence[Published], *, as_json: bool) -> None:
    """Print a plan; raise RoomError if it does not fit on the disk."""
    from scripts.checkout import plan  # noqa: PLC0415 - a stage, of one entry, needs none

    planned = plan.make(clone, entries)
    say(json.dumps(planned.as_json(), indent=2) if as_json else "\n".join(planned.lines()))
    planned.check_room()


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "path": outcome.path,
        "origin": outcome.origin.name.lower(),
        "how": outcome.how,
        "size": outcome.pin.size,
        "md5": outcome.pin.md5,
        "quarantined": str(outcome.aside) if outcome.aside else None,
    }


def _refuse_trust(clone: Clone, names: Sequence[str]) -> None:
    """Raise UsageError for a file that has a pin, and in a stage: DVC would pin anything."""
    if names and os.environ.get("DVC_STAGE"):
        raise UsageError("--trust-first-use is not for a stage of dvc.yaml", _UNCHANGED)
    for entry in clone.catalogue.find(names):
        if all(map(clone.pin, entry.files)):
            what = f"{entry.name} has a pin: there is nothing to trust"
            raise UsageError(what, _UNCHANGED, f"Next: ./checkpoints fetch {entry.name}")


if __name__ == "__main__":
    sys.exit(main())
