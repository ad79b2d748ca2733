"""What a publisher stated of bytes that matched the pins, remembered in this clone alone.

A later answer with the same ETag and size is then known to be that of the pinned bytes.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from scripts.checkout.looks import Look, at
from scripts.console.errors import DiskError
from scripts.files.disk import disk_errors, replace

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.params import Published
    from scripts.checkout.clone import Clone


@dataclass(frozen=True)
class Served:
    """The size in bytes and the ETag, or the date, of what a URL served: path -> md5."""

    url: str
    size: int
    validator: str
    md5s: dict[str, str]


def remember(clone: Clone, name: str, served: Served) -> None:
    """Remember what the publisher of an entry served, once its bytes match the pins."""
    path = _path(clone, name)
    with suppress(DiskError), disk_errors(path):  # it only makes a later comparison possible
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, json.dumps(asdict(served)).encode())


def recall(clone: Clone, entry: Published, url: str) -> Served | None:
    """Return what this URL served, if that was every file of the entry, as it is pinned now."""
    pins = {file.path: clone.pin(file) for file in entry.files}
    md5s = {path: pin and pin.md5 for path, pin in pins.items()}
    with suppress(OSError, ValueError, TypeError):
        served = Served(**json.loads(_path(clone, entry.name).read_bytes()))
        if (served.url, served.md5s) == (url, md5s):
            return served
    return None


def look(clone: Clone, entry: Published, url: str) -> Look | None:
    """Return the download as a look at the publisher."""
    with suppress(OSError):
        if recall(clone, entry, url):
            time = _path(clone, entry.name).stat().st_mtime
            return Look("same", "downloaded here, with the pinned bytes", at(time))
    return None


def forget(clone: Clone, name: str) -> None:
    """Forget what the publisher of an entry served: the entry is gone."""
    with suppress(OSError):  # nothing is compared with it any more
        _path(clone, name).unlink()


def _path(clone: Clone, name: str) -> Path:
    return clone.root / ".dvc/tmp/served" / f"{name}.json"
