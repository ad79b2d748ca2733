"""Check that models/ holds exactly the catalogue's files, and write the inventory models.json."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.catalogue import inventory, params, witnesses
from scripts.checkout.clone import Clone
from scripts.checkout.leftovers import drop_links
from scripts.console.command import command, parser
from scripts.console.progress import note, say

_EXAMPLES = {
    "": "name stray and missing files",
    "&& ./checkpoints dvc status": "then compare the pins",
}


@command
def main(argv: list[str] | None) -> None:
    """Check the tree of the current folder, then write its inventory."""
    parser("tree", __doc__, examples=_EXAMPLES).parse_args(argv)
    root = Path.cwd()
    clone = Clone.checked(root)  # now: DVC seals whatever is there after this command
    witnesses.check_sealed(root, clone.catalogue)
    drop_links(clone)
    inventory.check(root, clone.catalogue)
    if fault := inventory.write(root):
        note(f"wrote {inventory.INVENTORY}: it was {fault}")
    say(f"{params.TREE}/ is complete: inventory in {inventory.INVENTORY}")


if __name__ == "__main__":
    sys.exit(main())
