"""Bring archives and place their pinned members under models/, each verified."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import obtain
from scripts.clone import Clone
from scripts.command import command, report

if TYPE_CHECKING:
    from collections.abc import Sequence


@command
def main(argv: Sequence[str] | None) -> None:
    """Parse names, and bring each archive of which a file is missing; it is dropped afterwards."""
    parser = argparse.ArgumentParser(prog="python -m scripts.unpack", description=__doc__)
    parser.add_argument(
        "names", metavar="NAME", nargs="+", help="a key of archives: in params.yaml"
    )
    names = parser.parse_args(argv).names
    clone = Clone.at(Path.cwd())
    for entry in clone.catalogue.find(names, archive=True):
        for outcome in obtain.bring(clone, entry):
            report(outcome)


if __name__ == "__main__":
    sys.exit(main())
