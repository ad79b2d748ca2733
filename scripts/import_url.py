"""Add a checkpoint to the catalogue: fetched from its publisher, pinned, sealed, ready to commit.

URL is what a browser shows or copies: the file itself, a share link of Google Drive or Dropbox,
a file's page on Hugging Face or GitHub. A branch on Hugging Face becomes the commit it is at.
Give --md5 or --sha256 where the publisher states one; without, the first bytes are trusted. In
either case they are refused if loading them would run more than imports.yaml allows.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.checkout.outcome import Origin, report
from scripts.console.command import command, parser
from scripts.console.progress import note
from scripts.curation import add, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HEX = {"md5": 32, "sha256": 64}  # digits


@command
def main(argv: Sequence[str] | None) -> None:
    """Import one file into the current folder's catalogue and print the diff."""
    given = vars(_parser().parse_args(argv))
    md5 = given.pop("md5")
    entry = add.described(given.pop("url"), given.pop("path"), **given)
    with changes.alone(Path.cwd()) as clone:
        for outcome in add.import_url(clone, entry, md5):
            report(outcome)
            if outcome.origin is not Origin.DOWNLOADED:
                note("  its address was not asked: these bytes were here")
        changes.show(clone.root, f"Add {entry.name}", added=entry.path)


def _digest(kind: str) -> Callable[[str], str]:
    def digest(text: str) -> str:
        if not re.fullmatch(f"[0-9a-f]{{{_HEX[kind]}}}", text.lower()):
            raise argparse.ArgumentTypeError(f"{text!r} is not {_HEX[kind]} hex digits")
        return text.lower()

    return digest


def _words(text: str) -> str:
    """Return words that yaml and DVC take as they stand; raise ArgumentTypeError."""
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is not one line of printable words")
    if "${" in text:
        raise argparse.ArgumentTypeError(f"{text!r}: DVC takes ${{ for a variable's beginning")
    return text


def _parser() -> argparse.ArgumentParser:
    words = parser("import_url", __doc__)
    option = words.add_argument
    option("url", metavar="URL", help="https://..., in quotes")
    option("path", metavar="models/PATH", help="where the file shall lie")
    option("--name", metavar="N", type=_words, help="its key in params.yaml; default: from PATH")
    option(
        "--family", metavar="F", type=_words, help="its label; default: the folder below models/"
    )
    inner = "URL is a tar or zip: the file in it, as `tar -t` names it"
    option("--member", metavar="M", type=_words, help=inner)
    option("--md5", type=_digest("md5"), help="what the file (not its archive) must be")
    option("--sha256", type=_digest("sha256"), help="the same; it is kept in params.yaml")
    option("--desc", metavar="TEXT", type=_words, help="what it is, in a few words")
    option(
        "--license", metavar="SPDX", type=_words, help="default: its family's, or else NOASSERTION"
    )
    return words


if __name__ == "__main__":
    sys.exit(main())
