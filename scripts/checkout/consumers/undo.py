"""Undo what `link` did in a consumer, and nothing else."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.checkout.consumers import changes
from scripts.console.errors import CheckpointError, UsageError
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.checkout.clone import Clone
    from scripts.checkout.consumers.changes import Record
    from scripts.checkout.consumers.consumer import Consumer

_UNCHANGED = "Nothing was changed."


@dataclass
class Undone:
    """What `undo` did, by path from the root of the consumer; `kept`: changed since."""

    removed: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def undo(clone: Clone, consumer: Consumer) -> Undone:
    """Remove the links and copies that `link` made, and restore what it replaced.

    The tree and the cache keep every file. Raises CheckpointError.
    """
    with clone.alone("link"):
        if not (record := changes.read(clone.root, consumer.root)):
            raise _nothing(consumer)
        sources = _sources(clone, record)
        done = Undone()
        done.removed += _remove_links(consumer, record)
        _remove_copies(clone, consumer, record, done)
        _restore_links(consumer, record, done)
        for name, source in sources.items():
            if _is_free(consumer, name, done):
                clone.cache.export(source, record.files[name], consumer.root / name)
                done.restored.append(name)
        changes.drop(clone.root, consumer.root)
        return done


def _nothing(consumer: Consumer) -> CheckpointError:
    what, lines = f"nothing to undo: this command has changed nothing in {consumer.root}", []
    if consumer.is_whole():
        lines = [f"{consumer.models} is a link to this tree that this command has not made."]
        lines += [f"Next: `rm {consumer.models}` removes it."]
    return UsageError(what, _UNCHANGED, *lines)


def _sources(clone: Clone, record: Record) -> dict[str, Path]:
    """Return where the bytes of each file to restore are; raise CheckpointError if gone."""
    found, gone = {}, []
    for name, md5 in record.files.items():
        for path in (clone.cache.object(md5), clone.root / name):
            if path.is_file() and clone.cache.md5(path) == md5:
                found[name] = path
                break
        else:
            gone.append(name)
    if gone:
        what = f"{', '.join(gone)}: this tree has not the bytes to restore"
        raise CheckpointError(what, _UNCHANGED, "Next: fetch them, then run this again.")
    return found


def _remove_links(consumer: Consumer, record: Record) -> Iterator[str]:
    for name, target in record.linked.items():
        path = consumer.root / name
        with disk_errors(path):
            if consumer.is_inside(name) and path.is_symlink() and str(path.readlink()) == target:
                path.unlink()
                yield name


def _remove_copies(clone: Clone, consumer: Consumer, record: Record, done: Undone) -> None:
    """Remove the copies that are as they were made, and the folders that are empty then."""
    for name, md5 in record.copied.items():
        path = consumer.root / name
        if not consumer.is_inside(name) or path.is_symlink() or not path.is_file():
            continue
        if clone.cache.md5(path) != md5:
            done.kept.append(name)
            continue
        with disk_errors(path):
            path.unlink()
        done.removed.append(name)
    for folder in sorted(record.made, reverse=True):
        with suppress(OSError):  # it is not empty, or missing
            if consumer.is_inside(folder):
                (consumer.root / folder).rmdir()


def _restore_links(consumer: Consumer, record: Record, done: Undone) -> None:
    for folder in sorted(record.folders):
        path = consumer.root / folder
        if consumer.is_inside(folder) and not os.path.lexists(path):
            with disk_errors(path):
                path.mkdir()
    for name, target in record.links.items():
        if _is_free(consumer, name, done):
            with disk_errors(consumer.root / name):
                (consumer.root / name).symlink_to(target)
            done.restored.append(name)


def _is_free(consumer: Consumer, name: str, done: Undone) -> bool:
    """Tell whether nothing stands at a path; what the user has put there since is kept."""
    path = consumer.root / name
    if os.path.lexists(path) or not consumer.is_inside(name):
        done.kept.append(name)
        return False
    return True
