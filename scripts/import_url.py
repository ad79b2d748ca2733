"""Add a checkpoint to the catalogue: download it, pin it, seal the catalogue, print the diff.

URL is the file's own address, a share link of Google Drive or Dropbox, or the page of a file on
Hugging Face or GitHub. A branch on Hugging Face is replaced by its current commit. Give --md5 or
--sha256 if the publisher states one; without a hash the first download is trusted. In either case
the file is refused if loading it would run more than imports.yaml allows.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.checkout.workspace import Origin, report
from scripts.console.command import command, parser
from scripts.console.progress import note, say
from scripts.curation import git, transaction
from scripts.curation.add import add
from scripts.curation.entry import described

if TYPE_CHECKING:
    from collections.abc import Sequence


_EXAMPLES = {
    "https://host/file.pth models/new_ckpts/file.pth": "trust the first download",
    "URL models/new_ckpts/file.pth --license MIT": "state its licence, too",
    "URL.zip models/new_ckpts/file.pth --member a/file.pth": "take a file out of an archive",
}


@command
def main(argv: Sequence[str] | None) -> None:
    """Import one file into the current folder's catalogue and print the diff."""
    given = vars(_parser().parse_args(argv))
    del given["quiet"]  # the parser itself has heard it
    md5 = given.pop("md5")
    entry = described(given.pop("url"), given.pop("path"), **given)
    with transaction.alone(Path.cwd()) as change:
        outcomes, root = add(change, entry, md5), change.clone.root
        try:
            for outcome in outcomes:
                report(outcome)
                if outcome.origin is not Origin.DOWNLOADED:
                    note("  URL was not requested: the file was available locally")
            say(git.diff(root))
        finally:
            note(git.keep_or_undo(root, f"Add {entry.name}", added=entry.path))


def _hex(digits: int, text: str) -> str:
    if not re.fullmatch(f"[0-9a-f]{{{digits}}}", text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r} is not {digits} hex digits")
    return text.lower()


def _words(text: str) -> str:
    """Return text that yaml and DVC take literally; raise ArgumentTypeError."""
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is not one line of printable characters")
    if "${" in text:
        raise argparse.ArgumentTypeError(f"{text!r}: DVC reads ${{ as the start of a variable")
    return text


def _parser() -> argparse.ArgumentParser:
    words = parser("import_url", __doc__, examples=_EXAMPLES)
    option = words.add_argument
    option("url", metavar="URL", help="https://..., in quotes")
    option("path", metavar="models/PATH", help="the path of the file in this repository")
    option("--name", metavar="N", type=_words, help="its key in params.yaml; default: from PATH")
    option("--family", metavar="F", type=_words, help="its label; default: its folder's name")
    inner = "URL is a tar or zip archive: the file in it, as `tar -t` prints it"
    option("--member", metavar="M", type=_words, help=inner)
    option("--md5", type=partial(_hex, 32), help="the md5 of the file (not of its archive)")
    option("--sha256", type=partial(_hex, 64), help="the sha256; params.yaml keeps it")
    option("--desc", metavar="TEXT", type=_words, help="a short description")
    unstated = "default: that of its family, else NOASSERTION"
    option("--license", metavar="SPDX", type=_words, help=unstated)
    return words


if __name__ == "__main__":
    sys.exit(main())
