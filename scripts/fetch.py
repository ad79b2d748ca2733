"""Download checkpoints to their places under models/, each verified against its pin.

A file that is in place is checked and kept. Otherwise DVC's cache, the team's remote, mirrors and
the publisher are tried, in this order. Several names are downloaded in parallel.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue import artifacts
from scripts.catalogue.selection import select
from scripts.checkout import parallel
from scripts.checkout.clone import Clone
from scripts.console.command import command, parser
from scripts.console.errors import UsageError
from scripts.console.progress import note, say

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNCHANGED = "Nothing was fetched or changed."


_EXAMPLES = {
    "": "what to start with",
    "sam 'raft-*'": "a family, and what is called so",
    "--for vis_eval_root": "what a configuration loads",
}


@command
def main(argv: Sequence[str] | None) -> None:
    """Fetch the selected entries; fail if one of them was not downloaded."""
    words = parser("fetch", __doc__, examples=_EXAMPLES)
    which = "a name, file name, family, glob or set; `complete` is everything (default: minimal)"
    words.add_argument("names", metavar="SELECT", nargs="*", help=which)
    loads = "what this configuration loads; repeatable"
    words.add_argument(
        "--for", metavar="CONFIG", dest="configs", action="append", default=[], help=loads
    )
    trust = "fetch NAME, which has no pin, and trust its publisher this once"
    words.add_argument("--trust-first-use", metavar="NAME", action="append", default=[], help=trust)
    given = words.parse_args(argv)
    first_use: list[str] = given.trust_first_use
    clone = Clone.checked(Path.cwd(), first_use=first_use)
    _refuse_trust(clone, first_use)
    names = [*given.names, *first_use] or ([] if given.configs else ["minimal"])
    entries = select(clone.catalogue, names, given.configs).entries
    notices = artifacts.notices(clone.root, [file.path for e in entries for file in e.files])
    parallel.fetch_all(clone, entries)
    for line in notices:
        say(line)
    if len(entries) > 1:
        say(f"{len(entries)} of {len(entries)} are in place")
    if first_use:
        stages = " ".join(entry.stage for entry in clone.catalogue.find(first_use))
        note(f"Next: `dvc commit --force {stages}` pins what was trusted, then")
        note("`python -m scripts.seal`.")


def _refuse_trust(clone: Clone, names: Sequence[str]) -> None:
    """Raise UsageError for a file that has a pin, and in a stage: DVC would pin anything."""
    if names and os.environ.get("DVC_STAGE"):
        raise UsageError("--trust-first-use is not for a stage of dvc.yaml", _UNCHANGED)
    for entry in clone.catalogue.find(names):
        if all(map(clone.pin, entry.files)):
            what = f"{entry.name} has a pin: there is nothing to trust"
            raise UsageError(what, _UNCHANGED, f"Next: python -m scripts.fetch {entry.name}")


if __name__ == "__main__":
    sys.exit(main())
