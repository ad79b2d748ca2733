"""The journal of a change of the catalogue: a change that was cut short is undone, or reported.

.dvc/tmp/change.json is there from before the first write until the command has shown its diff. It
holds each file as it was, and a hash of each text that the change has written: a file that a user
has edited since is left alone. Whoever holds the lock beside it is the living process of a change.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.console.errors import DiskError, UsageError
from scripts.console.progress import note
from scripts.files import locks
from scripts.files.disk import disk_errors, is_file, replace, unfinished
from scripts.storage.cache import Cache, move

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

JOURNAL, LOCK = ".dvc/tmp/change.json", ".dvc/tmp/change.lock"
BEGUN, DONE = "begun", "done"
_ONLY_NEW = "sources/"  # a download writes its new source alone; no command waits for it


@dataclass
class Journal:
    """One change: its command, the files it has written, and the files under models/ it touches."""

    command: str
    # path -> md5 of the pin of a file that is there, "" if it has none; None: no file is there
    tree: dict[str, str | None]
    state: str = BEGUN
    pid: int = field(default_factory=os.getpid)
    since: str = field(default_factory=lambda: f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S.%fZ}")
    before: dict[str, str | None] = field(default_factory=dict)  # name -> text, None: no file
    written: dict[str, list[str | None]] = field(default_factory=dict)  # name -> hashes of texts

    def save(self, root: Path) -> None:
        """Write the journal, and wait until the disk has it; raise DiskError."""
        path = root / JOURNAL
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, json.dumps(asdict(self)).encode())
        _sync(path, path.parent)

    def write(self, root: Path, texts: Mapping[str, str | None]) -> None:
        """Replace or remove (None) files, each in one step; raise DiskError."""
        texts = {name: text for name, text in texts.items() if read(root / name) != text}
        for name, text in texts.items():
            self.before.setdefault(name, read(root / name))
            self.written.setdefault(name, []).append(_hash(text))
        self.save(root)
        for name, text in texts.items():
            _put(root / name, text)

    def done(self, root: Path) -> None:
        """Record that the change is complete, once the disk has all of it; raise DiskError."""
        _sync(*(root / name for name in self.before if is_file(root / name)))
        Journal(self.command, {}, DONE).save(root)  # of itself nothing is lost if that fails

    def undo(self, root: Path) -> None:
        """Restore every file as it was, then remove the journal; raise DiskError.

        If a file cannot be restored the others are, and the journal stays for the next command.
        """
        failures = []
        steps = [partial(self._restore_text, root, name) for name in self.before]
        if self.tree:
            restore = partial(self._restore, Cache(root))
            steps += [partial(restore, path) for path in self.tree]
        for step in steps:
            try:
                step()
            except DiskError as error:  # noqa: PERF203 - each is tried
                failures.append(error)
        if failures:
            raise failures[0]
        remove(root)

    def _restore_text(self, root: Path, name: str) -> None:
        with disk_errors(root / name):
            unfinished(root / name, self.pid).unlink(missing_ok=True)
        now, before = read(root / name), self.before[name]
        if now != before and _hash(now) not in self.written[name]:
            note(f"{name} was edited since, and is left as it is; see `git diff`")
        elif now != before or (root / name).is_symlink():
            _put(root / name, before)

    def _restore(self, cache: Cache, path: str) -> None:
        """Restore a file under models/: from quarantine, from the cache, or remove it."""
        root, md5 = cache.root, self.tree[path]
        here = root / path
        now, aside = cache.md5(here) if is_file(here) else None, self._aside(root, path)
        with disk_errors(here):
            if now and not cache.object(now).exists():
                return  # the user's own
            if aside:
                here.parent.mkdir(parents=True, exist_ok=True)
                move(aside, here)
            elif md5 and md5 != now and cache.object(md5).exists():
                cache.link(md5, here)
            elif md5 is None:
                here.unlink(missing_ok=True)
                prune(root, path)

    def _aside(self, root: Path, path: str) -> Path | None:
        """Return the file that the change has moved to quarantine/TIME/PATH."""
        times = sorted(folder.name for folder in (root / "quarantine").glob("*"))
        moved = (root / "quarantine" / time / path for time in times if time >= self.since)
        return next(filter(is_file, moved), None)


def recover(root: Path) -> None:
    """Undo a change that was cut short, and say so; wait while a living process writes one.

    Every command calls it before it reads the catalogue. Raises UsageError or DiskError.
    """
    if is_file(root / JOURNAL):
        kept = _read(root)
        downloading = kept and all(name.startswith(_ONLY_NEW) for name in kept.before)
        with locked(root, wait=not downloading) as ours:
            if ours:
                settle(root)


def cut_short(root: Path) -> str | None:
    """Return the command of a change that the next command will undo, or None; nothing is undone.

    Raises UsageError if its journal cannot be read.
    """
    kept = None if locks.is_held(root / LOCK) else _read(root)
    return kept.command if kept and kept.state != DONE else None


def settle(root: Path) -> None:
    """Undo or report the change of a process that has ended; the caller holds the lock."""
    if not (found := _read(root)):
        return
    if found.state == DONE:
        note(f"{found.command} was stopped after its change was complete: see `git diff`")
        remove(root)
        return
    try:
        found.undo(root)
    except DiskError as error:
        what = f"{found.command} was cut short, and its change cannot be undone: {error.what}"
        raise DiskError(what, *error.details) from error
    note(f"{found.command} was cut short; its change is undone, the catalogue is as it was before")


def remove(root: Path) -> None:
    """Remove the journal; raise DiskError."""
    with disk_errors(root / JOURNAL):
        (root / JOURNAL).unlink(missing_ok=True)


def locked(root: Path, *, wait: bool = True) -> AbstractContextManager[bool]:
    """Hold the lock of the catalogue; yield False if another process has it, and `wait` is not."""
    return locks.held(root / LOCK, "another command is changing the catalogue", wait=wait)


def read(path: Path) -> str | None:
    """Return a file's text with its own line ends, None if there is none; raise DiskError."""
    with disk_errors(path):
        return path.read_bytes().decode(errors="surrogateescape") if path.is_file() else None


def prune(root: Path, path: str) -> None:
    """Remove empty folders above a path below models/."""
    for folder in PurePosixPath(path).parents[:-2]:  # models/ itself stays
        with suppress(OSError):  # it is not empty, or missing
            (root / folder).rmdir()


def _put(path: Path, text: str | None) -> None:
    """Replace a file (a link, not what it leads to) in one step, or remove it."""
    if text is None:
        with disk_errors(path):
            path.unlink(missing_ok=True)
    else:
        replace(path, text.encode(errors="surrogateescape"))


def _read(root: Path) -> Journal | None:
    text = read(root / JOURNAL)
    try:
        return None if text is None else Journal(**json.loads(text))
    except (ValueError, TypeError) as error:
        what = f"{JOURNAL} cannot be read: a change of the catalogue was cut short"
        step = f"Next: `git status` shows what it wrote; restore that, then remove {JOURNAL}."
        raise UsageError(what, "Nothing was changed.", step) from error


def _hash(text: str | None) -> str | None:
    data = None if text is None else text.encode(errors="surrogateescape")
    return None if data is None else hashlib.sha256(data).hexdigest()


def _sync(*paths: Path) -> None:
    """Wait until the disk has the content of files and folders; raise DiskError."""
    for path in paths:
        with disk_errors(path):
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
