"""Replace the machinery by another clone's; the catalogue and all that is the paper's own stay."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scripts.catalogue import history
from scripts.console.errors import UsageError
from scripts.curation import git
from scripts.curation.machinery import LIST, blocks, is_machinery, patterns
from scripts.files.disk import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_THEIRS = "FETCH_HEAD"
STAGES = "scripts/curation/template/dvc.yaml"
_UNCHANGED = "Nothing was changed."


def update(root: Path, source: str, revision: str) -> tuple[str, list[str]]:
    """Put the machinery of `source` (a folder, an address) in its place; nothing is committed.

    What the other machinery no longer has goes. Returns its commit, and the stages of dvc.yaml that
    are to be changed by hand. Raises UsageError or DiskError.
    """
    _refuse_dirty(root)
    git.run(root, "fetch", "-q", "--no-tags", "--", source, revision)
    if history.read(root, _THEIRS, LIST) is None:
        what = f"{source} at {revision} is no repository of this kind: it has no {LIST}"
        raise UsageError(what, _UNCHANGED)
    old, new = (_blocks(root, each) for each in ("HEAD", _THEIRS))
    git.run(root, "read-tree", "-m", "-u", "HEAD", _merged(root))
    commit = git.run(root, "rev-parse", _THEIRS).strip()
    return commit, _change_stages(root, old, new)


def _refuse_dirty(root: Path) -> None:
    if history.git(root, "rev-parse", "--show-prefix").strip():
        raise UsageError("this clone is a part of another git repository", _UNCHANGED)
    words = ("status", "--porcelain", "--untracked-files=no")
    if dirty := history.git(root, *words).decode(errors="replace").splitlines():
        raise UsageError(
            "this checkout has uncommitted changes",
            *dirty,
            _UNCHANGED,
            "Next: commit them, or put them aside with `git stash`.",
        )


def _merged(root: Path) -> str:
    """Return the tree of the other machinery and of what is the paper's own here."""
    known = [*_patterns(root, "HEAD"), *_patterns(root, _THEIRS)]
    rows = [*_rows(root, _THEIRS, known, machinery=True), *_rows(root, "HEAD", known)]
    index = root / ".dvc" / "tmp" / f"index.{os.getpid()}"
    index.parent.mkdir(parents=True, exist_ok=True)
    try:
        fed, env = b"\0".join([*rows, b""]), {"GIT_INDEX_FILE": str(index)}
        history.git(root, "update-index", "-z", "--index-info", fed=fed, env=env)
        return history.git(root, "write-tree", env=env).decode().strip()
    finally:
        index.unlink(missing_ok=True)


def _patterns(root: Path, revision: str) -> list[str]:
    """Return what a revision calls its machinery; none if it has no list."""
    return patterns((history.read(root, revision, LIST) or b"").decode())


def _rows(
    root: Path, revision: str, known: Sequence[str], *, machinery: bool = False
) -> Iterator[bytes]:
    """Yield the rows of a revision's tree that are the machinery's, or all others."""
    for row in filter(None, history.git(root, "ls-tree", "-rz", revision).split(b"\0")):
        if is_machinery(os.fsdecode(row.partition(b"\t")[2]), known) == machinery:
            yield row


def _blocks(root: Path, revision: str) -> dict[str, str]:
    return blocks((history.read(root, revision, STAGES) or b"").decode())


def _change_stages(root: Path, old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Bring the stages of every catalogue in dvc.yaml up to date; return those that cannot be."""
    path = root / "dvc.yaml"
    text, left = path.read_bytes().decode(), []
    for name, block in new.items():
        if block not in text and old.get(name, "\0") in text:
            text = text.replace(old[name], block, 1)
        elif block not in text:
            left.append(name)
    if text.encode() != path.read_bytes():
        replace(path, text.encode())
    return left
