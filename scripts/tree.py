"""Check that models/ holds exactly the catalogue's files, and write the inventory models.json."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.catalogue import inventory, params, witnesses
from scripts.console.command import command, parser
from scripts.console.progress import note, say


@command
def main(argv: list[str] | None) -> None:
    """Check the tree of the current folder, then write its inventory."""
    parser("tree", __doc__).parse_args(argv)
    root = Path.cwd()
    holds, _ = witnesses.read(root)  # now: DVC seals whatever is there after this command
    witnesses.check_sealed(root, holds)
    inventory.check(root, holds)
    if fault := inventory.write(root):
        note(f"wrote {inventory.INVENTORY}: it was {fault}")
    say(f"{params.TREE}/ is complete: inventory in {inventory.INVENTORY}")


if __name__ == "__main__":
    sys.exit(main())
