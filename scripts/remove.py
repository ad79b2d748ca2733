"""Remove a checkpoint or an archive from the catalogue, the lock, the seal and models/.

DVC's cache keeps the bytes. The command prints the diff, and the lines to keep or undo it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console.command import command, parser
from scripts.console.progress import note, say
from scripts.curation import git, transaction
from scripts.curation.remove import remove

if TYPE_CHECKING:
    from collections.abc import Sequence


_EXAMPLES = {"raft": "remove the archive and its files", "sam_vit_b": "remove one file"}


@command
def main(argv: Sequence[str] | None) -> None:
    """Remove one entry of the current folder's catalogue and print the diff."""
    words = parser("remove", __doc__, examples=_EXAMPLES)
    words.add_argument("name", metavar="NAME", help="a key of checkpoints: or archives:")
    name = words.parse_args(argv).name
    with transaction.alone(Path.cwd()) as change:
        (entry,), root = change.clone.catalogue.find([name]), change.clone.root
        remove(change, entry)
        try:
            say(git.diff(root))
        finally:
            note(git.keep_or_undo(root, f"Remove {name}"))


if __name__ == "__main__":
    sys.exit(main())
