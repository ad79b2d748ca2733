"""Start another repository of this kind: a copy of the machinery, and a catalogue without entries.

The machinery is copied, not depended on: it works for ever, without a network, and the stages of
dvc.yaml run `python -m scripts`. Later versions come by `update-machinery`.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from string import Template

from scripts.catalogue import history, lock
from scripts.catalogue.params import TREE
from scripts.console.errors import UsageError
from scripts.curation.machinery import is_machinery, patterns
from scripts.files.disk import disk_errors

TEMPLATE = Path(__file__).with_name("template")
_FILLED_IN = {"README.md": "README.md", "dvc-config": ".dvc/config"}  # and where they belong
_UNCHANGED = "Nothing was made."


def start(machinery: Path, target: Path, title: str) -> str:
    """Make a repository of one commit at `target`, which may be an empty folder; return the commit.

    `machinery` is a clone: what git tracks there is copied as it is on disk. The repository is made
    beside `target` and renamed at the end. Raises UsageError or DiskError, and leaves nothing.
    """
    _refuse(machinery, target)
    made = target.with_name(f".{target.name}.new")
    with disk_errors(target):
        _take(made)
        try:
            _copy(machinery, made)
            fill(made, target.name, title)
            commit = _commit(machinery, made, title)
            os.replace(made, target)  # noqa: PTH105 - it takes the place of an empty folder
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return commit


def _take(made: Path) -> None:
    """Make the folder in which the repository is made, for this process alone."""
    made.parent.mkdir(parents=True, exist_ok=True)
    try:
        made.mkdir()
    except FileExistsError:
        what = f"{made} is there: another `new` makes this repository, or one was killed"
        raise UsageError(what, _UNCHANGED, f"Next: remove {made} if none is at work.") from None


def fill(root: Path, name: str, title: str) -> None:
    """Write an empty catalogue, its seal and a README into a folder that has the machinery.

    `name` is that of the folder that the repository will have.
    """
    for path in (path for path in TEMPLATE.rglob("*") if path.suffix != ".pyc" and path.is_file()):
        text, place = path.read_text(encoding="utf-8"), path.relative_to(TEMPLATE).as_posix()
        if place in _FILLED_IN:
            text = Template(text).substitute(name=_plain(name), title=title)
        (root / _FILLED_IN.get(place, place)).parent.mkdir(parents=True, exist_ok=True)
        (root / _FILLED_IN.get(place, place)).write_text(text, encoding="utf-8")
    (root / TREE).mkdir(exist_ok=True)
    lock.write(root, {})


def _plain(name: str) -> str:
    """Return the name of a folder as DVC's configuration and a shell take it literally."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-") or "checkpoints"


def _refuse(machinery: Path, target: Path) -> None:
    if target.is_relative_to(machinery.resolve()):
        what = f"{target} is inside this repository"
        raise UsageError(what, _UNCHANGED, "Next: name a folder beside it.")
    with disk_errors(target):
        if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
            what = f"{target} exists already, and is not an empty folder"
            raise UsageError(what, _UNCHANGED, "Next: name another folder.")


def _copy(machinery: Path, made: Path) -> None:
    """Copy the files of the machinery, as they are on disk."""
    listed = history.git(machinery, "ls-files", "-z", failed="git cannot list the machinery")
    known = patterns()
    for name in map(os.fsdecode, filter(None, listed.split(b"\0"))):
        if is_machinery(name, known) and (machinery / name).is_file():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(machinery / name, made / name)


def _commit(machinery: Path, made: Path, title: str) -> str:
    """Make a git repository of a folder; return its only commit."""
    words = ("describe", "--always", "--dirty", "--abbrev=12")
    version = history.git(machinery, *words).decode().strip()
    message = f"Start {title}\n\nThe machinery is that of {version}; the catalogue is empty."
    failed = "the first commit of the new repository failed"
    history.git(made, "init", "-q", "-b", "main", failed=failed)
    history.git(made, "add", "-A", failed=failed)
    history.git(made, "commit", "-q", "-m", message, failed=failed)
    return history.git(made, "rev-parse", "HEAD").decode().strip()
