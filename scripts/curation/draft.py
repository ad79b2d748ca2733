"""The catalogue as it would be with new entries, and what speaks against it."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.catalogue import documents, params
from scripts.console.errors import CatalogueError
from scripts.curation import transaction
from scripts.curation.entry import refusal
from scripts.curation.render import artifacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.checkout.clone import Clone
    from scripts.curation.entry import Entry, File
    from scripts.curation.lists import Faults

_OTHER_NAME = "Next: give another one with --name."


def free(clone: Clone, entries: Sequence[Entry], faults: Faults) -> list[Entry]:
    """Return the entries without fault; add those whose name or path is taken to the faults."""
    known = documents.load(clone.root / "dvc.yaml").get("artifacts") or {}
    seen: dict[str, File] = {}
    for name, file, entry in artifacts(known, entries):
        with faults.at(file.line):
            _refuse_taken(clone, entry, file)
            if name in known:
                raise refusal(f"the name {name} is taken: {known[name]['path']}", _OTHER_NAME)
            if name in seen:
                raise refusal(f"the name {name} is taken: {seen[name].path}", _OTHER_NAME)
        seen.setdefault(name, file)
    wrong = faults.lines
    return [each for each in entries if wrong.isdisjoint(file.line for file in each.files)]


def _refuse_taken(clone: Clone, entry: Entry, file: File) -> None:
    """Raise UsageError if the catalogue has the name or the path, or a file is at the path."""
    if taken := clone.catalogue.published.get(entry.name):
        paths = ", ".join(file.path for file in taken.files)
        raise refusal(f"the name {entry.name} is taken: {paths}", _OTHER_NAME)
    if file.path in clone.catalogue.files:
        raise refusal(f"{file.path} is in the catalogue already", "Next: give another path.")
    if os.path.lexists(clone.root / file.path):
        what = f"{file.path} exists already, and is not in the catalogue"
        raise refusal(what, "Next: move it out of models/; it would become the pin.")


def made(clone: Clone, entries: Sequence[Entry], text: str, faults: Faults) -> Clone:
    """Return the clone with the entries; add what the catalogue refuses to the faults."""
    name = f".dvc/tmp/import.{os.getpid()}.yaml"
    try:
        transaction.write(clone.root, {name: text})
        return dataclasses.replace(clone, catalogue=params.read(clone.root / name))
    except CatalogueError as error:
        _blame(entries, error.faults, faults)
        return clone
    finally:
        (clone.root / name).unlink(missing_ok=True)


def _blame(entries: Sequence[Entry], found: Sequence[str], faults: Faults) -> None:
    """Add faults of a draft of params.yaml to the lines of the entries that they are about."""
    texts = [text.partition(": ")[2] for text in found]  # without the line in the draft
    blamed = {entry: [t for t in texts if _is_about(t, entry)] for entry in entries}
    if not any(blamed.values()):
        blamed = {entries[0]: texts}
    for entry in (entry for entry in entries if blamed.get(entry)):
        what = f"{entry.name} cannot be added: params.yaml would not be valid"
        faults.found.append((entry.line, refusal(what, *blamed[entry])))


def _is_about(fault: str, entry: Entry) -> bool:
    """Tell whether a fault names the entry, a path of its files, or a folder above one."""
    named = {word.casefold() for word in re.findall(rf"{params.TREE}/\S+", fault)}
    paths = (PurePosixPath(file.path.casefold()) for file in entry.files)
    own = {str(place) for path in paths for place in (path, *path.parents)}
    return bool(re.match(rf"\W?{entry.name}\b", fault)) or not named.isdisjoint(own)
