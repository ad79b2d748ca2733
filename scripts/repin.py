"""Compare what publishers serve now with the pins; with --accept, make it the new pins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console.command import command, parser, path
from scripts.console.progress import say
from scripts.curation.repin import repin, survey

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = {
    "--all": "ask every publisher, and show what has changed",
    "raft sam_vit_b --accept": "make the new ones the pins, in one change",
    "raft --from ~/Downloads/models.zip": "compare with a file that you have",
}
_EPILOG = """Without --accept no file of the repository is changed; the download is kept in
.dvc/tmp/fetch, so that --accept need not repeat it. With --accept the new files are installed
under models/, and dvc.lock, models.dvc, models.json, sources/NAME.dvc and a sha256 in params.yaml
are updated. To undo that before you commit: git checkout . && ./checkpoints dvc checkout"""


@command
def main(argv: Sequence[str] | None) -> None:
    """Compare entries with their publishers, and print what was found or changed."""
    words = parser("repin", __doc__, examples=_EXAMPLES, epilog=_EPILOG)
    option = words.add_argument
    which = "a name in params.yaml, a family or a glob, in quotes"
    option("names", metavar="NAME", nargs="*", help=which)
    every = "every entry: by the publisher's headers, and by the bytes where those have changed"
    option("--all", dest="every", action="store_true", help=every)
    option("--accept", action="store_true", help="make it the new pin")
    source = "use this file, not the publisher's"
    option("--from", dest="own", metavar="FILE", type=path, help=source)
    given = words.parse_args(argv)
    if given.every == bool(given.names):
        words.error("give NAME, or --all")
    if given.every and (given.accept or given.own):
        words.error("--all shows what has changed: accept it by its name")
    if given.own and len(given.names) > 1:
        words.error("--from goes with one NAME")
    root = Path.cwd()
    lines = (
        survey(root) if given.every else repin(root, given.names, given.own, accept=given.accept)
    )
    for text in lines:
        say(text)


if __name__ == "__main__":
    sys.exit(main())
