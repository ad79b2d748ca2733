"""Compare what a publisher serves now with the pin; with --accept, make it the new pin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console.command import command, parser, path
from scripts.console.progress import say
from scripts.curation.repin import repin

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = {
    "raft": "show the old file and the new one",
    "raft --accept": "make the new one the pin",
    "raft --from ~/Downloads/models.zip": "compare with a file that you have",
}
_EPILOG = """Without --accept no file of the repository is changed; the download is kept in
.dvc/tmp/fetch, so that --accept need not repeat it. With --accept the new files are installed
under models/, and dvc.lock, models.dvc, models.json, sources/NAME.dvc and a sha256 in params.yaml
are updated. To undo that before you commit: git checkout . && ./checkpoints dvc checkout"""


@command
def main(argv: Sequence[str] | None) -> None:
    """Compare one entry with its publisher, and print what was found or changed."""
    words = parser("repin", __doc__, examples=_EXAMPLES, epilog=_EPILOG)
    option = words.add_argument
    option("name", metavar="NAME", help="a key of checkpoints: or archives:")
    option("--accept", action="store_true", help="make it the new pin")
    source = "use this file, not the publisher's"
    option("--from", dest="own", metavar="FILE", type=path, help=source)
    given = words.parse_args(argv)
    for text in repin(Path.cwd(), given.name, given.own, accept=given.accept):
        say(text)


if __name__ == "__main__":
    sys.exit(main())
