"""Add a checkpoint to the catalogue: download, pin and seal it, or change nothing."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from scripts.catalogue import documents, lock, params
from scripts.catalogue.pins import Pin
from scripts.checkout import obtain
from scripts.console.errors import (
    CatalogueError,
    CheckpointError,
    DiskError,
    PickleError,
    SourceError,
)
from scripts.console.progress import note
from scripts.curation import git, transaction
from scripts.curation.entry import refusal, render
from scripts.download import addresses
from scripts.storage import graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scripts.catalogue.params import Published
    from scripts.checkout.clone import Clone
    from scripts.checkout.workspace import Outcome
    from scripts.curation.entry import Entry
    from scripts.curation.transaction import Change, Write


def add(change: Change, entry: Entry, md5: str | None) -> list[Outcome]:
    """Add an entry to every file; or raise CheckpointError, and change nothing.

    The catalogue is written once the bytes are verified and in their place.
    """
    clone = change.clone
    _refuse_taken(clone, entry)
    git.refuse_dirty(clone.root)
    lock.render(clone.root)  # raises for faults in the files that will change
    entry = dataclasses.replace(entry, url=_file_url(entry.url))
    texts = render(clone.root, entry)
    after = _with(clone, entry, texts["params.yaml"], md5)
    graph.check(clone.root, texts)
    published = after.catalogue.published[entry.name]
    source = f"sources/{entry.name}.dvc"
    with change.recorded(f"import_url {entry.name}", published.files) as write:
        write({source: texts[source]})
        outcomes = _obtain(after, published)
        _write(clone.root, entry, texts, {o.path: o.pin for o in outcomes}, write)
    return outcomes


def _write(
    root: Path, entry: Entry, planned: Mapping[str, str], new: Mapping[str, Pin], write: Write
) -> None:
    """Add the entry to the files as they are now: the user may edit them during a download."""
    lock.render(root)
    texts = render(root, entry)
    write({**texts, lock.LOCK: transaction.pinned(root, new, stage=entry.stage)})
    write(lock.render(root))
    if edited := [name for name, text in texts.items() if text != planned[name]]:
        note(f"{', '.join(edited)}: edited during the download; the diff contains that edit")


def _refuse_taken(clone: Clone, entry: Entry) -> None:
    """Raise UsageError if the catalogue has the name or the path, or a file is at the path."""
    if taken := clone.catalogue.published.get(entry.name):
        paths = ", ".join(file.path for file in taken.files)
        raise refusal(f"the name {entry.name} is taken: {paths}", _OTHER_NAME)
    if entry.path in clone.catalogue.files:
        raise refusal(f"{entry.path} is in the catalogue already", "Next: give another path.")
    artifacts = documents.load(clone.root / "dvc.yaml").get("artifacts", {})
    if entry.artifact in artifacts:
        what = f"the name {entry.artifact} is taken: {artifacts[entry.artifact]['path']}"
        raise refusal(what, _OTHER_NAME)
    if os.path.lexists(clone.root / entry.path):
        what = f"{entry.path} exists already, and is not in the catalogue"
        raise refusal(what, "Next: move it out of models/; it would become the pin.")


def _file_url(url: str) -> str:
    try:
        return addresses.of_file(url)
    except SourceError as error:
        again = "Next: check the address, and run again."
        raise CheckpointError(error.what, *error.details, "Nothing was changed.", again) from error


def _with(clone: Clone, entry: Entry, text: str, md5: str | None) -> Clone:
    """Return the clone with the entry; raise UsageError for what the catalogue refuses."""
    draft = f".dvc/tmp/import.{os.getpid()}.yaml"
    try:
        transaction.write(clone.root, {draft: text})
        catalogue = params.read(clone.root / draft)
    except CatalogueError as error:
        what = f"{entry.name} cannot be added: params.yaml would not be valid"
        raise refusal(what, *error.faults) from error
    finally:
        (clone.root / draft).unlink(missing_ok=True)
    pins = {entry.path: Pin(md5)} if md5 else {}
    # A hash identifies the bytes, it does not make them harmless; a pin of the repository does.
    known = md5 in {pin.md5 for pin in clone.pins.values()}
    stated = frozenset() if known else frozenset(pins)
    return dataclasses.replace(clone, catalogue=catalogue, pins=clone.pins | pins, stated=stated)


def _obtain(clone: Clone, published: Published) -> list[Outcome]:
    try:
        return obtain.obtain(clone, published)
    except (DiskError, PickleError):
        raise  # their next step is right here, too
    except CheckpointError as error:
        # The next step of fetch is right only for a file of the catalogue.
        raise CheckpointError(error.what, *error.facts, _UNCHANGED, _AGAIN) from error


_OTHER_NAME = "Next: give another one with --name."
_UNCHANGED = "The catalogue is unchanged."
_AGAIN = "Next: check the address and the hashes, and run again; the download resumes."
