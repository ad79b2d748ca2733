"""Check that models/ holds exactly the catalogue's files, and write the inventory models.json."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.catalogue import inventory, params, pins, witnesses
from scripts.console.command import command, parser
from scripts.console.progress import note, say


@command
def main(argv: list[str] | None) -> None:
    """Check the tree of the current folder, then write its inventory."""
    parser("tree", __doc__).parse_args(argv)
    root = Path.cwd()
    holds, pinned = params.read(root / "params.yaml"), pins.read(root / "dvc.lock")
    # Now, as DVC seals whatever is there after this command.
    witnesses.check(root, holds, pinned)
    witnesses.check_sealed(root, holds)
    inventory.check(root, holds)
    if fault := inventory.write(root):
        note(f"wrote {inventory.INVENTORY}: it was {fault}")
    say(f"{params.TREE}/ is complete: inventory in {inventory.INVENTORY}")


if __name__ == "__main__":
    sys.exit(main())
