"""Add a checkpoint to the catalogue: fetched from its publisher, pinned, sealed, ready to commit.

URL is what a browser shows or copies: the file itself, a share link of Google Drive or Dropbox,
a file's page on Hugging Face or GitHub. A branch on Hugging Face becomes the commit it is at.
Give --md5 or --sha256 where the publisher states one; without, the first bytes are trusted. In
either case they are refused if loading them would run more than imports.yaml allows.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import re
import sys
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from scripts import addresses, catalogue, changes, documents, entries, obtain, seal
from scripts.command import command, report
from scripts.entries import Entry
from scripts.errors import CatalogueError, CheckpointError, PickleError, SourceError, UsageError
from scripts.pins import Pin
from scripts.progress import note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scripts.catalogue import Published
    from scripts.clone import Clone
    from scripts.workspace import Outcome

_HEX = {"md5": 32, "sha256": 64}  # digits


def import_url(clone: Clone, entry: Entry, md5: str | None) -> list[Outcome]:
    """Bring an entry in, everywhere; raise CheckpointError, and leave all as it was.

    The files of the catalogue are written once its bytes are verified and in their place.
    """
    _refuse_taken(clone, entry)
    changes.refuse_dirty(clone.root)
    seal.render(clone.root)  # for the faults it finds in the files that will change
    entry = dataclasses.replace(entry, url=_address(entry.url))
    texts = entries.texts(clone.root, entry)
    after = _with(clone, entry, texts["params.yaml"], md5)
    source = f"sources/{entry.name}.dvc"
    try:
        with changes.restored(clone.root, [source]):
            changes.write(clone.root, {source: texts[source]})
            outcomes = _bring(after, after.catalogue.published[entry.name])
            _enter(clone, entry, texts)
    except BaseException:
        with suppress(OSError):  # the reason is on its way to the user
            (clone.root / entry.path).unlink(missing_ok=True)
        changes.prune(clone.root, entry.path)
        raise
    return outcomes


def _enter(clone: Clone, entry: Entry, planned: Mapping[str, str]) -> None:
    """Write the entry into the files as they are by now: a download takes long, and people edit."""
    seal.render(clone.root)
    texts = entries.texts(clone.root, entry)
    with changes.restored(clone.root, (*texts, "dvc.lock", seal.SEAL)):
        changes.write(clone.root, texts)
        changes.dvc(clone.root, "commit", "--quiet", "--force", entry.stage)
        changes.reseal(clone.root, clone.cache)
    if edited := [name for name, text in texts.items() if text != planned[name]]:
        note(f"{', '.join(edited)}: edited during the download; so the diff holds that, too")


def _refuse_taken(clone: Clone, entry: Entry) -> None:
    """Raise UsageError if the name or the place belongs to something else already."""
    taken = clone.catalogue.published.get(entry.name)
    held = clone.catalogue.files.get(entry.path)
    if taken:
        other = ", ".join(file.path for file in taken.files)
        raise _refusal(
            f"the name {entry.name} is taken: {other}", "Next: give another with --name."
        )
    if held:
        raise _refusal(f"{entry.path} is in the catalogue already", "Next: give another path.")
    artifacts = documents.load(clone.root / "dvc.yaml").get("artifacts", {})
    if entry.artifact in artifacts:
        what = f"the name {entry.artifact} is taken: {artifacts[entry.artifact]['path']}"
        raise _refusal(what, "Next: give another with --name.")
    if os.path.lexists(clone.root / entry.path):
        what = f"{entry.path} is there already, and in no catalogue"
        raise _refusal(what, "Next: move it out of models/; its bytes would be taken unseen.")


def _address(url: str) -> str:
    try:
        return addresses.of_file(url)
    except SourceError as error:
        again = "Next: look at the address, and run again."
        raise CheckpointError(error.what, *error.details, "Nothing was changed.", again) from error


def _with(clone: Clone, entry: Entry, params: str, md5: str | None) -> Clone:
    """Return the clone as it will be; raise UsageError for what the catalogue refuses."""
    draft = f".dvc/tmp/import.{os.getpid()}.yaml"
    try:
        changes.write(clone.root, {draft: params})
        holds = catalogue.read(clone.root / draft)
    except CatalogueError as error:
        # Lines of a draft that nobody sees.
        faults = [re.sub(r"^line \d+: |, line \d+| in line \d+", "", x) for x in error.faults]
        raise _refusal(f"{entry.name} cannot be added", *faults) from error
    finally:
        (clone.root / draft).unlink(missing_ok=True)
    # A sha256 alone is a pin, too: Clone.pin adds it from the catalogue.
    pins = {entry.path: Pin(md5)} if md5 or entry.sha256 else {}
    # A hash says which bytes they are, not that they are harmless: that is a pin's to say.
    known = md5 in {pin.md5 for pin in clone.pins.values()}
    stated = frozenset() if known else frozenset(pins)
    return dataclasses.replace(clone, catalogue=holds, pins=clone.pins | pins, stated=stated)


def _bring(clone: Clone, published: Published) -> list[Outcome]:
    try:
        return obtain.bring(clone, published)
    except PickleError:
        raise  # what it advises holds here, too
    except CheckpointError as error:
        # What fetch advises is for a file of the catalogue.
        kept = itertools.takewhile(lambda line: not line.startswith("Next: "), error.details)
        raise CheckpointError(error.what, *kept, "The catalogue is as it was.", _AGAIN) from error


_AGAIN = "Next: look at the address and the hashes, and run again: it goes on where it stopped."
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_ARCHIVE = re.compile(r"\.(?:zip|tgz|tar(?:\.\w+)?)$")


def _refusal(what: str, *details: str) -> UsageError:
    return UsageError(what, *details, "Nothing was changed.")


def _entry(given: argparse.Namespace) -> Entry:
    """Return what the words of the command mean, or raise UsageError."""
    path = _path(given.path)
    suffix = _ARCHIVE.search(given.url.partition("?")[0])
    if suffix and not given.member and not str(path).endswith(suffix[0]):
        raise _refusal(
            f"the address is that of a {suffix[0]}, and {path} is none",
            "Next: say with --member which of its files is meant.",
        )
    name = _name(given.name or re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_"))
    folder = path.parent.parts[1:2] or (name,)
    family = folder[0].removesuffix("_ckpts").lower().replace("_", "-")
    words = (given.member, given.sha256, given.desc, given.license)
    return Entry(given.url, str(path), name, given.family or family, *words)


def _path(text: str) -> PurePosixPath:
    if not re.fullmatch(rf"(?:\./)?{catalogue.TREE}(?:/{_PART})+", text):
        raise _refusal(
            f"{text!r} is no place for a file: {catalogue.TREE}/FOLDER/FILE",
            "in letters, digits and . _ + -, each part starting with a letter, a digit or _",
        )
    return PurePosixPath(text)


def _name(text: str) -> str:
    if not re.fullmatch("[a-z0-9][a-z0-9_]*", text) or documents.data(text) != text:
        raise _refusal(
            f"{text!r} is no name",
            "lower-case letters, digits and _, and no word or number that yaml knows",
            "Next: give one with --name.",
        )
    return text


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
    parser = argparse.ArgumentParser(
        prog="python -m scripts.import_url",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="https://..., in quotes")
    add("path", metavar="models/PATH", help="where the file shall lie")
    add("--name", metavar="N", type=_words, help="its key in params.yaml; default: from PATH")
    add("--family", metavar="F", type=_words, help="its label; default: the folder below models/")
    inner = "URL is a tar or zip: the file in it, as `tar -t` names it"
    add("--member", metavar="M", type=_words, help=inner)
    add("--md5", type=_digest("md5"), help="what the file (not its archive) must be")
    add("--sha256", type=_digest("sha256"), help="the same; it is kept in params.yaml")
    add("--desc", metavar="TEXT", type=_words, help="what it is, in a few words")
    add("--license", metavar="SPDX", type=_words, help="default: its family's, or else NOASSERTION")
    return parser


@command
def main(argv: Sequence[str] | None) -> None:
    """Import one file into the current folder's catalogue and print the diff."""
    given = _parser().parse_args(argv)
    entry = _entry(given)
    with changes.alone(Path.cwd()) as clone:
        for outcome in import_url(clone, entry, given.md5):
            report(outcome)
            if not outcome.how.startswith("fetched"):
                note("  its address was not asked: these bytes were here")
        changes.show(clone.root, f"Add {entry.name}", added=entry.path)


if __name__ == "__main__":
    sys.exit(main())
