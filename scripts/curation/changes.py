"""A change of the catalogue: all of its files or none, sealed again, shown as a diff."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.catalogue import inventory, lock
from scripts.catalogue.params import TREE
from scripts.checkout.clone import Clone
from scripts.console.errors import CheckpointError, UsageError
from scripts.console.progress import note, say
from scripts.files.disk import disk_errors, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


FILES = ("params.yaml", "dvc.yaml", "dvc.lock", lock.SEAL, inventory.INVENTORY)
IGNORED = "sources/.gitignore"
_TRACKED = (*FILES, "sources")
_COMMIT = f"git add {' '.join(_TRACKED)} && git commit -m"


def read(root: Path, name: str) -> str:
    """Return a file's text with its own line ends; raise DiskError."""
    with disk_errors(root / name):
        return (root / name).read_bytes().decode(errors="surrogateescape")


def write(root: Path, texts: Mapping[str, str]) -> None:
    """Replace files in one step each; raise DiskError."""
    for name, text in texts.items():
        replace(root / name, text.encode(errors="surrogateescape"))


def refuse_dirty(root: Path) -> None:
    """Raise UsageError unless git has every file of the catalogue as it stands."""
    dirty = git(root, "status", "--porcelain", "--", *_TRACKED).splitlines()
    if dirty:
        raise UsageError(
            "what this would change has changes already that are in no commit",
            *dirty,
            "Nothing was changed.",
            "Next: commit them, or put them aside with `git stash`.",
        )


@contextmanager
def alone(root: Path) -> Iterator[Clone]:
    """Yield the clone as it is once no other command changes its catalogue."""
    with Clone.at(root).alone("params.yaml"):
        yield Clone.at(root)


@contextmanager
def restored(root: Path, names: Sequence[str]) -> Iterator[None]:
    """If the block raises, whatever it raises, put these files back as they were."""
    paths = [root / name for name in (*names, inventory.INVENTORY)]
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, data in before.items():
            with suppress(OSError):  # the reason is on its way to the user
                if data is None:
                    path.unlink(missing_ok=True)
                elif not path.is_file() or path.read_bytes() != data:
                    path.unlink(missing_ok=True)  # never through a link into the cache
                    path.write_bytes(data)
        raise


def dvc(root: Path, *words: str) -> None:
    """Run DVC; raise CheckpointError with what it said."""
    done = subprocess.run(  # noqa: S603 - no shell
        [sys.executable, "-m", "dvc", *words], cwd=root, text=True, capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise CheckpointError(f"dvc {' '.join(words)} failed", *said)


def git(root: Path, *words: str, **env: str) -> str:
    """Run git and return what it printed; raise UsageError with what it said."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            ["git", *words],  # noqa: S607 - the user's git
            cwd=root, env={**os.environ, **env}, capture_output=True, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UsageError("git is not installed", "Nothing was changed.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(f"git {words[0]} failed", *said, "Nothing was changed.")
    return done.stdout.decode(errors="replace")


def show(root: Path, title: str, *, added: str = "") -> None:
    """Print what has changed as `git apply` reads it, and how to keep it or to undo it.

    `added` is the path of a new file: neither git nor DVC takes back all that came with it.
    """
    undo = [f"git checkout -- {' '.join(_TRACKED)}", "dvc checkout --allow-missing"]
    if added:
        undo.insert(1, "git clean -fq -- sources")
    if added and len(list((root / added).parent.iterdir())) == 1:
        undo.append(f"find {TREE} -type d -empty -delete")
    say(diff(root).rstrip("\n"))
    note(f"to keep it:  {_COMMIT} {title!r}\nto undo it:  {' && '.join(undo)}")


def diff(root: Path) -> str:
    """Return what has changed since the last commit, new files included.

    Told through an index of its own: the user's stays as it is.
    """
    index = root / ".dvc" / "tmp" / f"index.{os.getpid()}"
    try:
        git(root, "read-tree", "HEAD", GIT_INDEX_FILE=str(index))
        git(root, "add", "--all", "--", *_TRACKED, GIT_INDEX_FILE=str(index))
        words = ("diff", "--cached", "--no-ext-diff", "--no-color", "--relative", "HEAD")
        return git(root, *words, "--", *_TRACKED, GIT_INDEX_FILE=str(index))
    finally:
        index.unlink(missing_ok=True)


def prune(root: Path, path: str) -> None:
    """Remove the folders above a path of the tree that hold nothing any more."""
    for folder in PurePosixPath(path).parents[:-2]:  # models/ itself stays
        with suppress(OSError):  # it holds something, or is not there
            (root / folder).rmdir()
