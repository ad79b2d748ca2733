"""Small file systems, to be filled: they take the right to mount."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20


class NoRightError(Exception):
    """This user, or this kernel, may not mount."""


@contextmanager
def small(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of `size` bytes in memory over a folder; raise NoRightError."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoRightError(str(error)) from error
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        for size in (MIB, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
