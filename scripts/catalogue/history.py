"""What git's commits say of the catalogue: read from its objects, nothing is checked out."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from scripts.catalogue import documents, inventory, pins
from scripts.console.errors import CatalogueError, UsageError
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scripts.catalogue.pins import Pin

# The last commit, what is being merged or picked into it, and what it has merged itself.
_PARENTS = ("HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", "HEAD^2")
_TORN = (
    "Next: `git checkout dvc.lock`, unless you edited it: DVC may have been killed as it wrote it.",
)
# Both sides of a merge; whatever the user has configured.
_LOG = (
    "-c", "log.showRoot=true", "log", "--full-history", "-m", "-p", "--text", "--format=",
    "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames",
)  # fmt: skip
# In any folder: a clone may be part of another repository, and may have been moved there.
_RECORDS = tuple(f":(top,glob)**/{name}" for name in ("dvc.lock", "*.dvc", inventory.INVENTORY))
_HASH = re.compile(rb"\b[0-9a-f]{32}(?:\.dir)?\b")
_PIN = re.compile(r"^([ +])\s+(?:- )?(path|md5): ([^\n]+)", re.MULTILINE)  # of a diff of dvc.lock
_LOST = ("Next: `git log dvc.lock` lists earlier ones: the last commit has no readable dvc.lock.",)


def read(root: Path, revision: str, name: str) -> bytes | None:
    """Return a file as a revision has it; None without such a file, such a revision, or git."""
    with suppress(UsageError):
        return git(root, "show", f"{revision}:./{name}")
    return None


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


def hashes(root: Path) -> set[str]:
    """Return every md5 that a dvc.lock, .dvc file or models.json names, in any commit or on disk.

    They include all that DVC collects as used; to parse 200 commits it takes 40 s, and it stops at
    one that it cannot parse. Raises DiskError, and UsageError if the commits cannot all be read.
    """
    if git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        step = "Next: `git fetch --unshallow`, then run again."
        raise UsageError("this clone has a part of the commits only", step)
    # Of every branch, tag, stash and worktree.
    texts = [git(root, *_LOG, "--all", "-U0", "--", *_RECORDS)]
    listed = git(root, "ls-files", "-coz", "--exclude-standard", "--", *_RECORDS)
    for name in filter(None, listed.split(b"\0")):
        path = root / os.fsdecode(name)
        with disk_errors(path):
            texts += [path.read_bytes()] if path.exists() else []
    return {found.decode() for text in texts for found in _HASH.findall(text)}


def earlier(root: Path) -> set[tuple[str, str]]:
    """Return path and md5 of every pin in dvc.lock of the last commit and of those before it.

    None where git cannot tell, and those that git still has of a clone without all commits.
    """
    try:
        text = git(root, *_LOG, "-U3", "--", "dvc.lock").decode(errors="replace")
    except UsageError:
        return set()
    found, path = set(), ""
    for sign, key, value in _PIN.findall(text):
        if key == "path":
            path = value
        elif sign == "+":
            found.add((path, value))
    return found


def git(
    root: Path,
    *words: str,
    failed: str = "git cannot read this clone",
    fed: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run git, `fed` through its stdin and with more in its environment; return its output.

    Raises UsageError with its message, and what has `failed`.
    """
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            ["git", *words],  # noqa: S607 - the user's git
            cwd=root, env={**os.environ, **(env or {})}, input=fed,
            capture_output=True, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UsageError("git is not installed") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(failed, *lines)
    return done.stdout
