"""What the page says of the repository itself: its address and commits."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from scripts.catalogue import history
from scripts.catalogue.urls import is_private, is_safe, secret_in
from scripts.console.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.views.rows import Row

_ADDRESS = "ADDRESS"  # in a command, where no public address of the repository is known
_COMMIT = "--format=%H %cI %s"


def address(root: Path) -> str | None:
    """Return the public address of the repository: that of its origin, if anybody may read it."""
    url = _git(root, "remote", "get-url", "origin").strip()
    return url if is_safe(url) and not is_private(url) and not secret_in(url) else None


def commits(root: Path, *paths: str, most: int = 1) -> list[dict[str, str]]:
    """Return the last commits, or those that changed some paths; none without git."""
    lines = _git(root, "log", f"-{most}", _COMMIT, "--", *paths).splitlines()
    parts = (line.split(" ", 2) for line in lines)
    return [{"id": name, "time": time, "subject": subject} for name, time, subject in parts]


def is_changed(root: Path) -> bool:
    """Tell whether what git tracks differs from the last commit."""
    return bool(_git(root, "status", "--porcelain", "--untracked-files=no").strip())


def commands(row: Row, where: str | None) -> dict[str, str]:
    """Return the commands that get a file, by what they are called; none for a stray file."""
    if not row.entry:
        return {}
    path, name, url = shlex.quote(row.path), shlex.quote(row.name), where or _ADDRESS
    files = f"DVCFileSystem({url!r})"
    return {
        "In this clone": f"./checkpoints fetch {row.entry}",
        "Copy it, with DVC": f"dvc get {url} {path} -o {name}",
        "Track it, with DVC": f"dvc import {url} {path}",
        "Python": "from dvc.api import DVCFileSystem\n\n"
        f"{files}.get_file({row.path!r}, {row.name!r})",
    }


def _git(root: Path, *words: str) -> str:
    """Return what git prints; nothing if it cannot tell."""
    try:
        return history.git(root, *words).decode(errors="replace")
    except UsageError:
        return ""
