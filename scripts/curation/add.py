"""Add a checkpoint to the catalogue: downloaded, pinned, sealed, ready to commit; or nothing."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.catalogue import documents, lock, params
from scripts.catalogue.pins import Pin
from scripts.checkout import obtain
from scripts.console.errors import (
    CatalogueError,
    CheckpointError,
    PickleError,
    SourceError,
    UsageError,
)
from scripts.console.progress import note
from scripts.curation import changes, entries
from scripts.curation.entries import Entry
from scripts.download import addresses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.catalogue.params import Published
    from scripts.checkout.clone import Clone
    from scripts.checkout.outcome import Outcome


def import_url(clone: Clone, entry: Entry, md5: str | None) -> list[Outcome]:
    """Bring an entry in, everywhere; raise CheckpointError, and leave all as it was.

    The files of the catalogue are written once its bytes are verified and in their place.
    """
    _refuse_taken(clone, entry)
    changes.refuse_dirty(clone.root)
    lock.render(clone.root)  # for the faults it finds in the files that will change
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
    lock.render(clone.root)
    texts = entries.texts(clone.root, entry)
    with changes.restored(clone.root, (*texts, "dvc.lock", lock.SEAL)):
        changes.write(clone.root, texts)
        changes.dvc(clone.root, "commit", "--quiet", "--force", entry.stage)
        lock.write(clone.root)
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


def _with(clone: Clone, entry: Entry, text: str, md5: str | None) -> Clone:
    """Return the clone as it will be; raise UsageError for what the catalogue refuses."""
    draft = f".dvc/tmp/import.{os.getpid()}.yaml"
    try:
        changes.write(clone.root, {draft: text})
        holds = params.read(clone.root / draft)
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
        return obtain.obtain(clone, published)
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


def described(
    url: str, place: str, *, name: str | None, family: str | None, **words: str | None
) -> Entry:
    """Return the entry that the words of a user describe; raise UsageError.

    `words` are fields of Entry: member, sha256, desc, license. A name that is not given is made
    from the file's, a family from its folder.
    """
    path = _path(place)
    suffix = _ARCHIVE.search(url.partition("?")[0])
    if suffix and not words.get("member") and not str(path).endswith(suffix[0]):
        raise _refusal(
            f"the address is that of a {suffix[0]}, and {path} is none",
            "Next: say with --member which of its files is meant.",
        )
    name = _name(name or re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_"))
    folder = path.parent.parts[1:2] or (name,)
    family = family or folder[0].removesuffix("_ckpts").lower().replace("_", "-")
    return Entry(url, str(path), name, family, **words)


def _path(text: str) -> PurePosixPath:
    if not re.fullmatch(rf"(?:\./)?{params.TREE}(?:/{_PART})+", text):
        raise _refusal(
            f"{text!r} is no place for a file: {params.TREE}/FOLDER/FILE",
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
