"""Take a checkpoint or an archive out of the catalogue, the lock, the seal and models/.

DVC's cache keeps the bytes, so that `git checkout` and `dvc checkout` bring it all back.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console.command import command, parser
from scripts.curation import changes
from scripts.curation.remove import remove

if TYPE_CHECKING:
    from collections.abc import Sequence


@command
def main(argv: Sequence[str] | None) -> None:
    """Remove one entry of the current folder's catalogue and print the diff."""
    words = parser("remove", __doc__)
    words.add_argument("name", metavar="NAME", help="a name in params.yaml; an archive goes whole")
    name = words.parse_args(argv).name
    with changes.alone(Path.cwd()) as clone:
        (entry,) = clone.catalogue.find([name])
        remove(clone, entry)
        changes.show(clone.root, f"Remove {name}")


if __name__ == "__main__":
    sys.exit(main())
