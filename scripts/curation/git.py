"""Run git: refuse uncommitted changes, show a change, say how to keep or undo it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scripts.catalogue import history, inventory, lock
from scripts.catalogue.params import TREE
from scripts.console.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_CATALOGUE = ("params.yaml", "dvc.yaml", lock.LOCK, lock.SEAL, inventory.INVENTORY, "sources")


def run(root: Path, *words: str, **env: str) -> str:
    """Run git and return its output; raise UsageError with its message."""
    try:
        printed = history.git(root, *words, failed=f"git {words[0]} failed", env=env)
    except UsageError as error:
        raise UsageError(error.what, *error.details, "Nothing was changed.") from error
    return printed.decode(errors="replace")


def refuse_dirty(root: Path) -> None:
    """Raise UsageError if a file of the catalogue differs from the last commit."""
    if dirty := run(root, "status", "--porcelain", "--", *_CATALOGUE).splitlines():
        raise UsageError(
            "the files to change have uncommitted changes",
            *dirty,
            "Nothing was changed.",
            "Next: commit them, or put them aside with `git stash`.",
        )


def diff(root: Path) -> str:
    """Return what differs from the last commit, new files included, as `git apply` reads it.

    The diff uses an index of its own; the user's index does not change.
    """
    index = root / ".dvc" / "tmp" / f"index.{os.getpid()}"
    try:
        run(root, "read-tree", "HEAD", GIT_INDEX_FILE=str(index))
        run(root, "add", "--all", "--", *_CATALOGUE, GIT_INDEX_FILE=str(index))
        words = ("diff", "--cached", "--no-ext-diff", "--no-color", "--relative", "HEAD")
        return run(root, *words, "--", *_CATALOGUE, GIT_INDEX_FILE=str(index)).rstrip("\n")
    finally:
        index.unlink(missing_ok=True)


def keep_or_undo(root: Path, title: str, *, added: Collection[str] = ()) -> str:
    """Return the shell lines that commit a change with this title, or undo it.

    `added` are the paths of new files: git and DVC leave new sources and empty folders behind.
    """
    names = " ".join(_CATALOGUE)
    undo = [f"git checkout -- {names}", "./checkpoints dvc checkout --allow-missing"]
    if added:
        undo.insert(1, "git clean -fq -- sources")
    new = {root / path for path in added}
    if any(set(folder.iterdir()) <= new for folder in {path.parent for path in new}):
        undo.append(f"find {TREE} -type d -empty -delete")
    keep = f"git add {names} && git commit -m {title!r}"
    return f"to keep it:  {keep}\nto undo it:  {' && '.join(undo)}"
