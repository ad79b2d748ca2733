"""What git's commits say of the catalogue: read from its objects, nothing is checked out."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from scripts.catalogue import documents, inventory, pins
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scripts.catalogue.pins import Pin

# The last commit, what is being merged or picked into it, and what it has merged itself.
_PARENTS = ("HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", "HEAD^2")
_TORN = (
    "Next: `git checkout dvc.lock`, unless you edited it: DVC may have been killed as it wrote it.",
)
_LOST = ("Next: `git log dvc.lock` lists earlier ones: the last commit has no readable dvc.lock.",)


def read(root: Path, revision: str, name: str) -> bytes | None:
    """Return a file as a revision has it; None without such a file, such a revision, or git."""
    words = ["git", "show", f"{revision}:./{name}"]
    try:
        done = subprocess.run(words, cwd=root, capture_output=True, check=False)  # noqa: S603 - no shell
    except FileNotFoundError:
        return None
    return None if done.returncode else done.stdout


def pinned(root: Path) -> tuple[Any, dict[str, Pin]]:
    """Return the document of dvc.lock and its pins.

    Raises CatalogueError, which advises git only where the lock of the last commit can be read.
    """
    lock = root / "dvc.lock"
    try:
        return (document := pins.document(lock)), pins.of(document, lock.name)
    except CatalogueError as error:
        if error.where != lock.name or error.steps:
            raise
        steps = _TORN if locked(root, "HEAD") else _LOST
        raise CatalogueError(error.where, error.faults, *steps) from error


def locked(root: Path, revision: str) -> dict[str, Pin]:
    """Return the pins of the dvc.lock of a revision; none if it cannot be read."""
    text = (read(root, revision, "dvc.lock") or b"").decode(errors="replace")
    try:
        return pins.of(documents.parsed(text, "dvc.lock"), "dvc.lock")
    except CatalogueError:
        return {}


def sealed(root: Path) -> Iterator[Mapping[str, Pin]]:
    """Yield what the models.json of HEAD and of each merge parent lists, with sizes of its lock."""
    for revision in _PARENTS:
        text = read(root, revision, inventory.INVENTORY)
        if text is None or not (listed := inventory.parse(text.decode(errors="replace"))):
            continue
        known = locked(root, revision)
        yield {path: pin.sized(known.get(path)) for path, pin in listed.items()}
