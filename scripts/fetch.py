"""Download checkpoints to their places under models/, each verified against its pin.

A file that is in place is checked and kept. Otherwise DVC's cache, the team's remote, mirrors and
the publisher are tried, in this order. Several names are downloaded in parallel.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue import artifacts
from scripts.checkout import parallel
from scripts.checkout.clone import Clone
from scripts.console.command import command, parser
from scripts.console.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence


@command
def main(argv: Sequence[str] | None) -> None:
    """Fetch the selected entries; fail if one of them was not downloaded."""
    words = parser("fetch", __doc__)
    names = "what SAM-PT loads by default (the default), everything, or a name in params.yaml"
    kinds = "minimal|complete|NAME"
    words.add_argument("names", metavar=kinds, nargs="*", default=["minimal"], help=names)
    clone = Clone.at(Path.cwd())
    entries = parallel.select(clone, words.parse_args(argv).names)
    notices = artifacts.notices(clone.root, [file.path for e in entries for file in e.files])
    parallel.fetch_all(clone, entries)
    for line in notices:
        say(line)
    if len(entries) > 1:
        say(f"{len(entries)} of {len(entries)} are in place")


if __name__ == "__main__":
    sys.exit(main())
