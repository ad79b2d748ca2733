"""Show what a publisher serves now against the pin; take it as the new pin only if told to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console.command import command, parser
from scripts.console.progress import say
from scripts.curation.repin import repin

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """Without --accept no file of the repository is changed; what was downloaded is kept in
.dvc/tmp/fetch, so that --accept need not download it again. With --accept the bytes take their
place under models/, and dvc.lock, models.dvc, sources/NAME.dvc and a sha256 in params.yaml say so.
To undo that before it is committed: git checkout . && dvc checkout"""


@command
def main(argv: Sequence[str] | None) -> None:
    """Compare one entry with its publisher, and say what was found or changed."""
    words = parser("repin", __doc__, epilog=_EPILOG)
    words.add_argument("name", metavar="NAME", help="a key of checkpoints: or archives:")
    words.add_argument("--accept", action="store_true", help="make it the new pin")
    words.add_argument(
        "--from", dest="own", metavar="FILE", type=Path, help="take this file, ask no publisher"
    )
    given = words.parse_args(argv)
    say(repin(Path.cwd(), given.name, given.own, accept=given.accept))


if __name__ == "__main__":
    sys.exit(main())
