"""Start another repository of this kind: this machinery, its tests, and an empty catalogue.

DIR is a new folder, or an empty one. It becomes a git repository with one commit. With --from the
files of a list are imported, too, as `import-url --from` does in the new repository.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from shlex import quote
from subprocess import run
from typing import TYPE_CHECKING

from scripts.catalogue import history
from scripts.console.command import command, parser, path
from scripts.console.errors import CheckpointError, StoppedError
from scripts.console.progress import say
from scripts.curation.start import start

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = {
    "../my-paper": "an empty catalogue, to which import-url adds files",
    '../my-paper --title "My paper" --from files.csv': "with the files of a list",
}


@command
def main(argv: Sequence[str] | None) -> None:
    """Make the repository, and fill its catalogue if a list is given."""
    words = parser("new", __doc__, examples=_EXAMPLES)
    option = words.add_argument
    option("folder", metavar="DIR", type=path, help="the folder to make")
    heading = "the heading of its README; default: from DIR"
    option("--title", metavar="T", type=_line, help=heading)
    listed = "a list of files to import, as for import-url --from; - is stdin"
    option("--from", metavar="LIST", dest="listed", help=listed)
    given = words.parse_args(argv)
    folder = given.folder.resolve()
    title = given.title or re.sub("[-_]+", " ", folder.name).strip().capitalize()
    commit = start(Path.cwd(), folder, title)
    say(f"{folder}: a new repository, commit {commit[:12]}")
    if given.listed:
        _import(folder, given.listed)
        say("the files of the list are in that commit, too: there is nothing left to keep")
    say(f"Next: cd {quote(str(folder))} && ./checkpoints")


def _line(text: str) -> str:
    """Return the text of a heading; raise ArgumentTypeError."""
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is not one line of printable characters")
    return text.strip()


def _import(folder: Path, listed: str) -> None:
    """Import a list by the new repository's own command, and add the result to its only commit."""
    source = listed if listed == "-" else str(path(listed).absolute())
    words = [sys.executable, "-m", "scripts", "import-url", "--from", source]
    again = f"cd {quote(str(folder))} && ./checkpoints import-url --from {quote(source)}"
    there = ("The new repository is there, with an empty catalogue.", f"Next: {again}")
    try:
        failed = run(words, cwd=folder, check=False).returncode  # noqa: S603 - no shell
    except KeyboardInterrupt:
        raise StoppedError("stopped while the list was imported", *there) from None
    if failed:
        raise CheckpointError("the list was not imported", *there)
    history.git(folder, "add", "-A")
    history.git(folder, "commit", "-q", "--amend", "--no-edit", failed="the commit failed")


if __name__ == "__main__":
    sys.exit(main())
