"""Bring published files to their places under models/, verified against their pins."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import artifacts, obtain
from scripts.clone import Clone
from scripts.command import command, report
from scripts.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence


@command
def main(argv: Sequence[str] | None) -> None:
    """Parse names, and bring each: what is in place, then the cache, then the publisher."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fetch", description=__doc__)
    parser.add_argument(
        "names", metavar="NAME", nargs="+", help="a key of checkpoints: in params.yaml"
    )
    names = parser.parse_args(argv).names
    clone = Clone.at(Path.cwd())
    for entry in clone.catalogue.find(names, archive=False):
        notices = artifacts.notices(clone.root, [file.path for file in entry.files])
        for outcome in obtain.bring(clone, entry):
            report(outcome)
        for line in notices:
            say(line)


if __name__ == "__main__":
    sys.exit(main())
