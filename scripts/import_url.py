"""Add checkpoints to the catalogue: download, pin and seal them, print the diff.

URL is the file's own address, a share link of Google Drive or Dropbox, or the page of a file on
Hugging Face or GitHub. A branch on Hugging Face is replaced by its current commit. Give --md5 or
--sha256 if the publisher states one; without a hash the first download is trusted. In either case
the file is refused if loading it would run more than imports.yaml allows.

With --from, all files of a list are added in one step. The list is checked whole before the first
request. Without --keep-going all of its files are added, or nothing is changed.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.catalogue.params import TREE
from scripts.catalogue.witnesses import some
from scripts.checkout.workspace import Origin, report
from scripts.console.command import command, parser, path
from scripts.console.errors import UsageError
from scripts.console.progress import note, say
from scripts.curation import git, lists, transaction
from scripts.curation.add import Added, add, failure
from scripts.curation.lists import CHECKS, Faults, Row
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_EXAMPLES = {
    "https://host/file.pth models/new_ckpts/file.pth": "trust the first download",
    "URL.zip models/new_ckpts/file.pth --member a/file.pth": "take a file out of an archive",
    "--from list.csv": "add all files of a list",
}
_EPILOG = """LIST is one of these, which its content tells; a line that starts with # is a comment:
  a csv, or a tsv    with a header: url, and any of path name family member md5 sha256 license
                     desc set. Rows of one url with different members are one archive; rows of one
                     path are mirrors; set is one or several sets of params.yaml
  an aria2c list     URLs with tabs between them are mirrors; out=, dir= and checksum= below them
                     are read, other options are not
  a wget list        one URL a line
Without a path a file goes to the folder --to, under the name that its URL has. Without a name it
has that of its file, or of its path where another has that. A mirror is asked if the publisher
fails, and only for a file with a hash."""
_EXITS = {0: "all files are added", 1: "a file failed; the message says what is added"}


@command
def main(argv: Sequence[str] | None) -> None:
    """Import files into the current folder's catalogue and print the diff."""
    words = _parser()
    given = words.parse_args(argv)
    _check_form(words, given)
    rows, faults = _listed(given) if given.list else (_single(given), Faults())
    with transaction.alone(Path.cwd()) as change:
        added = add(change, rows, faults, keep_going=given.keep_going)
        _show(change.clone.root, added)
    if added.failures:
        raise failure(added.failures, faults.where, len(added.outcomes))


def _show(root: Path, added: Added) -> None:
    """Print what was added, and how to keep or undo it; raise OutputError."""
    try:
        for outcome in added.outcomes:
            report(outcome)
            if outcome.origin is not Origin.DOWNLOADED and not outcome.first_use:
                note("  URL was not requested: the file was available locally")
        say(git.diff(root))
    finally:
        title = f"Add {some(entry.name for entry in added.entries)}"
        note(git.keep_or_undo(root, title, added=[each.path for each in added.outcomes]))


def _single(given: argparse.Namespace) -> list[Row]:
    words = {key: getattr(given, key) for key in CHECKS if getattr(given, key, None) is not None}
    return [Row(0, (given.url,), {"path": given.path, **words})]


def _listed(given: argparse.Namespace) -> tuple[list[Row], Faults]:
    """Return the files of a list and its faults so far; raise UsageError or DiskError."""
    faults, sums = Faults(given.list), _text(given.sums) if given.sums else ""
    return lists.read(_text(given.list), faults, folder=given.to, sums=sums), faults


def _text(name: str) -> str:
    place = path(name)
    with disk_errors(place):
        data = sys.stdin.buffer.read() if name == "-" else place.read_bytes()
    with suppress(UnicodeDecodeError):
        return data.decode()
    raise UsageError(f"{name} is not a text in UTF-8", "Nothing was changed.")


def _check_form(words: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """End with a usage error if words of both forms are given, or of none."""
    if given.list is None:
        alone = {"--to": given.to, "--sums": given.sums, "--keep-going": given.keep_going}
        if given.url is None or given.path is None:
            words.error("give URL and models/PATH, or --from LIST")
        if others := [name for name, value in alone.items() if value]:
            words.error(f"{others[0]} goes with --from LIST")
    elif given.url or (others := [f"--{key}" for key in CHECKS if getattr(given, key, None)]):
        words.error(f"{'URL' if given.url else others[0]} does not go with --from: put it in LIST")


def _as(key: str) -> Callable[[str], str]:
    """Return the check of a word for argparse."""

    def checked(text: str) -> str:
        try:
            return CHECKS[key](text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(error.what) from error

    return checked


def _parser() -> argparse.ArgumentParser:
    words = parser("import_url", __doc__, examples=_EXAMPLES, exits=_EXITS, epilog=_EPILOG)

    def option(name: str, help: str, **more: Any) -> None:  # noqa: A002, ANN401 - as argparse has it
        words.add_argument(name, help=help, **more)

    option("url", "https://..., in quotes", metavar="URL", nargs="?")
    option("path", "the path of the file in this repository", metavar="models/PATH", nargs="?")
    inner = "URL is a tar or zip archive: the file in it, as `tar -t` prints it"
    unstated = "default: that of its family, else NOASSERTION"
    for key, metavar, text in (
        ("name", "N", "its key in params.yaml; default: from PATH"),
        ("family", "F", "its label; default: its folder's name"),
        ("member", "M", inner),
        ("md5", "MD5", "the md5 of the file (not of its archive)"),
        ("sha256", "SHA256", "the sha256; params.yaml keeps it"),
        ("desc", "TEXT", "a short description"),
        ("license", "SPDX", unstated),
    ):
        option(f"--{key}", text, metavar=metavar, type=_as(key))
    option("--from", "a list of files; - reads stdin", dest="list", metavar="LIST")
    option("--to", f"where files without a path go; default: {TREE}", metavar="models/FOLDER")
    option("--sums", "an md5sum or sha256sum file: by path, or file name", metavar="FILE")
    option("--keep-going", "add the others if a file fails", action="store_true")
    return words


if __name__ == "__main__":
    sys.exit(main())
