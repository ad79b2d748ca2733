"""Errors of the disk in plain words, free space, and atomic replacement."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from scripts.console.errors import DiskError, RoomError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError about `path` into DiskError."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


def disk_error(path: Path, error: OSError) -> DiskError:
    """Return the DiskError that explains an OSError to a user."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    where = error.filename or path
    if error.errno in _FULL:
        free = f"{shutil.disk_usage(existing(path)).free:,} bytes are free"
        return DiskError(f"no room to write {where}: {reason.lower()}; {free}", *_ROOM)
    if error.errno in _DENIED:
        return DiskError(f"may not write {where}: {reason.lower()}", _RIGHTS)
    return DiskError(f"{where}: {reason.lower()}", "Next: check that path, then run again.")


def replace(path: Path, data: bytes) -> None:
    """Write a file in one step; raise DiskError and leave it unchanged if that fails."""
    fresh = unfinished(path, os.getpid())
    with disk_errors(path):
        try:
            fresh.write_bytes(data)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def unfinished(path: Path, pid: int) -> Path:
    """Return the file that a process writes before it replaces `path`; a kill leaves it behind."""
    return path.with_name(f".{path.name}.{pid}.tmp")


def write_at(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at an offset; a nearly full disk may accept it in pieces."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


_ROOM = (
    "Nothing was lost: what was downloaded is kept in .dvc/tmp/fetch.",
    "Next: make room, or raise the quota, and run again; the download resumes.",
)
_RIGHTS = "Next: get write permission there (or remount it writable), and run again."


def check_room(path: Path, needed: int, *, what: str) -> None:
    """Raise RoomError unless `needed` more bytes fit on the file system that holds `path`."""
    free = shutil.disk_usage(existing(path)).free
    if needed > free:
        raise RoomError(
            f"{what}: not enough room in {path.parent}",
            f"needed {needed:>17,} bytes",
            f"free   {free:>17,} bytes",
            "models/ and the cache are as they were, and nothing was downloaded in this run.",
            "Next: make room and run again; earlier downloads are kept.",
        )


def is_file(path: Path) -> bool:
    """Tell whether a file exists; False for a name that is too long for the disk."""
    with suppress(OSError):
        return path.is_file()
    return False


def existing(path: Path) -> Path:
    """Return the nearest folder above `path` that exists."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
