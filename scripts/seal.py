"""Bring lock, seal and inventory in line with catalogue, pins and code; no checkpoint is needed.

`dvc repro models.dvc` does the same with the whole tree present. This takes what DVC would have
found from the pins alone, so that a change of words or code needs no gigabyte.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue import lock
from scripts.console.command import command, parser
from scripts.console.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence


@command
def main(argv: Sequence[str] | None) -> None:
    """Rewrite what differs in the current folder and name it."""
    parser("seal", __doc__).parse_args(argv)
    changed = lock.write(Path.cwd())
    say(f"wrote {', '.join(changed)}" if changed else "lock and seal are in line")


if __name__ == "__main__":
    sys.exit(main())
