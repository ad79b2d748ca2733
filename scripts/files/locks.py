"""Locks between processes and threads: a file for each, which goes with its last holder."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from scripts.console.progress import note
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def held(path: Path, busy: str, *, wait: bool) -> Iterator[bool]:
    """Hold the lock file `path`, or yield False if another holds it and there is no `wait`.

    `busy` says what another is doing: the user reads it before this waits. The system releases
    the lock when the process ends, even if it is killed. Raises DiskError.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = _acquire(path, busy, wait=wait)
    try:
        yield fd is not None
    finally:
        if fd is not None:
            _release(fd, path)


def is_held(path: Path) -> bool:
    """Tell whether a process holds the lock file `path`; nothing is written."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try(fd)
    finally:
        os.close(fd)


def _release(fd: int, path: Path) -> None:
    try:
        with suppress(OSError):
            if _is_at(fd, path):
                path.unlink()  # before the release: no process can hold a file that goes
    finally:
        os.close(fd)


def _acquire(path: Path, busy: str, *, wait: bool) -> int | None:
    told = False
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            free = _try(fd)
            if not free and wait:
                if not told:
                    note(f"{busy}; waiting")
                told = True
                fcntl.flock(fd, fcntl.LOCK_EX)
            if (free or wait) and _is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # another holds it, or has removed the file
        if not free and not wait:
            return None


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
