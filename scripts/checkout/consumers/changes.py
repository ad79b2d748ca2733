"""The changes of `link` in its consumers, each recorded first, so that they can be undone."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.catalogue.params import TREE
from scripts.console.errors import UsageError
from scripts.files.disk import disk_errors, is_file, replace, unfinished

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.checkout.clone import Clone
    from scripts.checkout.consumers.consumer import Consumer

RECORD = ".dvc/tmp/links.json"


@dataclass
class Record:
    """What `link` found in one consumer and what it made there, by path from its root."""

    files: dict[str, str] = field(default_factory=dict)  # files that a link replaced: their md5
    links: dict[str, str] = field(default_factory=dict)  # links that were removed: their targets
    folders: list[str] = field(default_factory=list)  # folders that were removed
    linked: dict[str, str] = field(default_factory=dict)  # links that were made: their targets
    copied: dict[str, str] = field(default_factory=dict)  # files that were made: their md5
    made: list[str] = field(default_factory=list)  # folders that were made


class Changes:
    """What may be changed in a consumer, by path from its root; all of it raises DiskError."""

    def __init__(self, clone: Clone, consumer: Consumer) -> None:
        """Go on with the record of the consumer; raise UsageError if that is malformed."""
        self._clone, self._consumer = clone, consumer
        self.record = read(clone.root, consumer.root) or Record()
        self.removed: list[str] = []  # links of the user's

    def link(self, name: str) -> None:
        """Put a link to the tree at a path in one step; what it replaces is recorded before."""
        path, models = self._consumer.root / name, self._consumer.models
        target = self._consumer.tree.parent / name
        self.record.linked[name] = str(target)
        self._save()
        # Not beside `path`: a loader may list its folder.
        fresh = unfinished(models if path == models else models / TREE, os.getpid())
        with disk_errors(path):
            try:
                fresh.unlink(missing_ok=True)
                fresh.symlink_to(target)
                fresh.replace(path)
            finally:
                fresh.unlink(missing_ok=True)

    def copy(self, name: str, md5: str) -> None:
        """Put a file of the tree at a path; a link there is replaced."""
        path = self._consumer.root / name
        if path.is_symlink():
            self._keep(name)
        self.record.copied[name] = md5
        self._save()
        self._clone.cache.export(self._clone.root / name, md5, path)

    def make_folders(self, name: str) -> None:
        """Make the folders above a path."""
        path = self._consumer.root / name
        new = [folder for folder in path.parents if not folder.exists()]
        names = [folder.relative_to(self._consumer.root).as_posix() for folder in new]
        self.record.made += [each for each in names if each not in self.record.made]
        self._save()
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)

    def remove_link(self, name: str) -> None:
        """Remove a link."""
        self._keep(name)
        self._save()
        with disk_errors(self._consumer.root / name):
            (self._consumer.root / name).unlink()

    def remove_folders(self, names: list[str]) -> None:
        """Remove empty folders, the deepest of which is the last."""
        new = {*names} - {*self.record.made, *self.record.folders}
        self.record.folders += sorted(new)
        self._save()
        for name in reversed(names):
            with disk_errors(self._consumer.root / name):
                (self._consumer.root / name).rmdir()

    def _keep(self, name: str) -> None:
        """Record a link that goes, unless this command has made it."""
        target = str((self._consumer.root / name).readlink())
        if self.record.linked.get(name) != target:
            self.record.links[name] = target
            self.removed.append(name)

    def _save(self) -> None:
        kept = _read(self._clone.root) | {str(self._consumer.root): asdict(self.record)}
        _write(self._clone.root, kept)


def read(root: Path, consumer: Path) -> Record | None:
    """Return the record of a consumer, None without one; raise UsageError or DiskError."""
    kept = _read(root).get(str(consumer))
    try:
        return None if kept is None else Record(**kept)
    except TypeError as error:
        raise _malformed() from error


def drop(root: Path, consumer: Path) -> None:
    """Forget a consumer; raise DiskError."""
    _write(root, {name: kept for name, kept in _read(root).items() if name != str(consumer)})


def _read(root: Path) -> dict[str, Any]:
    path = root / RECORD
    if not is_file(path):
        return {}
    try:
        with disk_errors(path):
            found = json.loads(path.read_bytes())
    except ValueError as error:
        raise _malformed() from error
    if not isinstance(found, dict):
        raise _malformed()
    return found


def _malformed() -> UsageError:
    step = f"Next: move {RECORD} away; then links can be made, and earlier ones not undone."
    return UsageError(f"{RECORD} cannot be read", "Nothing was linked or changed.", step)


def _write(root: Path, records: dict[str, Any]) -> None:
    path = root / RECORD
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, json.dumps(records, indent=1).encode())
