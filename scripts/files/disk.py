"""Errors of the disk in plain words, what a path is, free space, and atomic replacement."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console.errors import DiskError, RoomError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NOTHING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError about `path` into DiskError."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


def disk_error(path: Path, error: OSError) -> DiskError:
    """Return the DiskError that explains an OSError to a user."""
    why, where = reason(error), Path(str(error.filename or path))
    if error.errno in _FULL:
        where = Path(str(error.filename2 or where))  # of a copy: what is written
        free = f"{shutil.disk_usage(existing(where)).free:,} bytes are free"
        return DiskError(f"no room to write {where}: {why}; {free}", *_ROOM)
    if error.errno in _DENIED:
        verb = "write" if error.errno == errno.EROFS or _may_read(where) else "read"
        return DiskError(f"may not {verb} {where}: {why}", _RIGHTS.format(verb))
    return DiskError(f"{where}: {why}", "Next: check that path, then run again.")


def reason(error: OSError) -> str:
    """Return why the system refused something, in lower case."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _may_read(path: Path) -> bool:
    at = path if os.path.exists(path) else existing(path)  # noqa: PTH110 - this never raises
    return os.access(at, os.R_OK | (os.X_OK if os.path.isdir(at) else 0))  # noqa: PTH112


def special(path: Path) -> str | None:
    """Return what a path, or the target of its link, is if not a plain file, such as "a FIFO".

    None stands for a plain file, and for nothing. Raises OSError.
    """
    mode = _mode(path)
    return None if mode is None else _KINDS.get(stat.S_IFMT(mode))


def open_file(path: Path) -> BinaryIO:
    """Open a plain file to read it; raise OSError, also for a FIFO or a device: it might block."""
    if other := special(path):
        raise OSError(f"{other}, not a file")
    # Even if it has become a FIFO since, this does not wait for a writer.
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def dangles(path: Path) -> bool:
    """Tell whether a path is a link to what does not exist; raise OSError if that is unknown."""
    return _mode(path) is None and path.is_symlink()


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except OSError as error:  # an unreadable folder may hold the file
        if error.errno in _NOTHING:
            return None
        raise


def write(path: Path, data: bytes) -> None:
    """Write a result where a user wants it; raise DiskError.

    A file is written in one step, through a link to one; a pipe or a device takes it as it can.
    """
    with disk_errors(path):
        if path.is_file() or not path.exists():
            replace(Path(os.path.realpath(path)), data)
        else:
            path.write_bytes(data)


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
    "Nothing was lost: what was downloaded is kept, in .dvc/tmp/fetch or in the cache.",
    "Next: make room, or raise the quota, and run again; the download resumes.",
)
_RIGHTS = "Next: get {} permission there (or remount it), and run again."


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
    while not os.path.isdir(path) and path != path.parent:  # noqa: PTH112 - this never raises
        path = path.parent
    return path
