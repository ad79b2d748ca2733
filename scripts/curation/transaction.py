"""A change of the catalogue: one command at a time, and all files or none."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.catalogue import inventory, lock
from scripts.checkout.clone import Clone
from scripts.files.disk import disk_errors, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SEALED = (lock.LOCK, lock.SEAL, inventory.INVENTORY)  # what lock.write writes


def read(root: Path, name: str) -> str:
    """Return a file's text with its own line ends; raise DiskError."""
    with disk_errors(root / name):
        return (root / name).read_bytes().decode(errors="surrogateescape")


def write(root: Path, texts: Mapping[str, str]) -> None:
    """Replace files, each in one step; raise DiskError."""
    for name, text in texts.items():
        replace(root / name, text.encode(errors="surrogateescape"))


@contextmanager
def alone(root: Path) -> Iterator[Clone]:
    """Wait until no other command changes the catalogue, then yield the clone as it is."""
    with Clone.at(root).alone("params.yaml"):
        yield Clone.checked(root)


@contextmanager
def restored(root: Path, *names: str) -> Iterator[None]:
    """Restore these files if the block raises anything, Ctrl-C included."""
    paths = [root / name for name in names]
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, data in before.items():
            with suppress(OSError):  # the user gets the first error
                if data is None:
                    path.unlink(missing_ok=True)
                elif not path.is_file() or path.read_bytes() != data:
                    path.unlink(missing_ok=True)  # never write through a link
                    path.write_bytes(data)
        raise


def prune(root: Path, path: str) -> None:
    """Remove empty folders above a path below models/."""
    for folder in PurePosixPath(path).parents[:-2]:  # models/ itself stays
        with suppress(OSError):  # it is not empty, or missing
            (root / folder).rmdir()
