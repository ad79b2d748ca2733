"""What is of no use any more: begun downloads of a file that is in place, links to a lost cache."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from scripts.console.errors import DiskError
from scripts.console.progress import note
from scripts.files.disk import dangles
from scripts.storage.cache import is_left

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.checkout.clone import Clone

# Of a transfer, with its journal; of a stream; of gdown; of an archive; of clean_tapnet.
_BEGUN = r"\.(part|blocks|new|whole|drive|drive.{8}\.part|\d+\.member|rebuilt)"
_ANY = re.compile(f"(.+?){_BEGUN}")
_OBJECT = re.compile(r"(^|/)[0-9a-f]{2}/[0-9a-f]{30}$")  # a path in a cache of DVC's


def key(clone: Clone, entry: Published, file: Checkpoint | None = None) -> str:
    """Name the partial file and the lock: entries with the same bytes share them."""
    pin = clone.pin(file) if file else clone.published_pin(entry)
    return pin.md5 if pin and pin.md5 else entry.name


def drop_begun(clone: Clone, entry: Published, *held: str, more: Iterable[str] = ()) -> None:
    """Remove what was begun to download for an entry whose files are in place, or not wanted.

    The caller has the locks of the keys `held`; those of the entry, and `more`, are tried. What
    another process is at work on stays.
    """
    files = (key(clone, entry, file) for file in entry.files)
    others = {entry.name, *files, *more}.difference(held)
    for name in held:
        _discard(_begun(clone, name))
    for name in others:
        if _begun(clone, name):
            with suppress(DiskError), clone.alone(name, wait=False) as mine:
                _discard(_begun(clone, name) if mine else ())


def begun(clone: Clone) -> dict[str, list[Path]]:
    """Return everything that was begun to download, by key, with links that a kill left half."""
    found: dict[str, list[Path]] = {}
    for path in sorted(clone.cache.temporary.glob("*")):
        # The shortest name that leaves a known ending.
        if (match := _ANY.fullmatch(path.name)) or is_left(path):
            found.setdefault(match[1] if match else path.name, []).append(path)
    return found


def _begun(clone: Clone, name: str) -> list[Path]:
    found = clone.cache.temporary.glob(f"{name}.*")
    return [path for path in found if re.fullmatch(_BEGUN, path.name.removeprefix(name))]


def _discard(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # it only takes room
            path.unlink()


def _is_lost(path: Path) -> bool:
    """Tell whether a path is a link to an object that is gone from DVC's cache; raise OSError."""
    return dangles(path) and bool(_OBJECT.search(path.readlink().as_posix()))


def drop_links(clone: Clone, obtained: Iterable[Published] = ()) -> None:
    """Remove every link to an object that is gone, and tell the user.

    DVC can neither replace nor hash such a link: `dvc repro` and `dvc status` fail. The link
    itself holds nothing that the pin does not say. The entries `obtained` come next anyway, and
    a link that cannot be followed or removed is theirs to report.
    """
    lost = {
        entry.name: None
        for entry in clone.catalogue.published.values()
        for file in entry.files
        if _drop_link(clone, entry, file)
    }
    if names := [name for name in lost if name not in {entry.name for entry in obtained}]:
        note(f"Next: `./checkpoints dvc pull`, or `./checkpoints fetch {' '.join(names)}`")


def _drop_link(clone: Clone, entry: Published, file: Checkpoint) -> bool:
    path = clone.root / file.path
    with suppress(OSError, DiskError):
        if not _is_lost(path):
            return False
        with clone.alone(key(clone, entry), wait=False) as mine:
            if mine and _is_lost(path):  # else another process is at work on it
                target = path.readlink()
                path.unlink()
                note(f"{file.path}: removed a link to {target}, which is gone from the cache")
                return True
    return False
