"""Remove checkpoints or archives from the catalogue, the lock, the seal and models/.

DVC's cache keeps the bytes. The command prints the diff, and the lines to keep or undo it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue.selection import whole
from scripts.catalogue.witnesses import some
from scripts.console.command import command, parser
from scripts.console.progress import note, say
from scripts.curation import git, transaction
from scripts.curation.remove import remove

if TYPE_CHECKING:
    from collections.abc import Sequence


_EXAMPLES = {
    "raft": "remove the archive and its files",
    "sam_vit_b sam_vit_l": "remove two files",
    "'sam_*'": "remove what a glob matches",
}
_WHICH = "a name in params.yaml, a file name, a family or a glob, in quotes"


@command
def main(argv: Sequence[str] | None) -> None:
    """Remove entries of the current folder's catalogue and print the diff."""
    words = parser("remove", __doc__, examples=_EXAMPLES)
    words.add_argument("names", metavar="NAME", nargs="+", help=_WHICH)
    names = words.parse_args(argv).names
    with transaction.alone(Path.cwd()) as change:
        entries, root = whole(change.clone.catalogue, names), change.clone.root
        remove(change, entries)
        try:
            say(git.diff(root))
        finally:
            title = f"Remove {some(entry.name for entry in entries)}"
            note(git.keep_or_undo(root, title))


if __name__ == "__main__":
    sys.exit(main())
