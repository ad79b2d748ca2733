"""What each file must be: the hashes that dvc.lock records, and whether some bytes are them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scripts.catalogue.documents import load
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.files.digests import Digest

_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Pin:
    """The recorded identity of a file: md5, size in bytes, sha256; one hash at least is known."""

    md5: str | None
    size: int | None = None
    sha256: str | None = None

    def sized(self, other: Pin | None) -> Pin:
        """Return this pin with the size that another one of the same md5 knows."""
        if other is None or other.md5 != self.md5 or self.size is not None:
            return self
        return replace(self, size=other.size)

    def allows_size(self, size: int) -> bool:
        """Tell whether a file of `size` bytes may be the pinned one."""
        return self.size is None or self.size == size

    def matches(self, digest: Digest) -> bool:
        """Tell whether the hashed bytes are the pinned ones."""
        return (
            self.md5 in (None, digest.md5)
            and self.allows_size(digest.size)
            and self.sha256 in (None, digest.sha256)
        )


def read(lock: Path) -> dict[str, Pin]:
    """Return path -> pin for every file that dvc.lock records as an out, whatever its stage.

    Looked up by path, a pin survives the renaming of its catalogue entry. A missing dvc.lock
    holds no pins. Raises CatalogueError with all faults if it cannot be read.
    """
    return of(document(lock), lock.name)


def document(lock: Path) -> Any:  # noqa: ANN401 - a yaml document is any data
    """Return dvc.lock as plain data, without a stage if it is missing; raise CatalogueError."""
    return load(lock, ended=True) if lock.exists() else {"stages": {}}


def of(document: object, where: str) -> dict[str, Pin]:
    """Return the pins of a lock's document, which a message calls `where`; as `read` does."""
    faults: list[str] = []
    pins: dict[str, Pin] = {}
    for stage, out in _outs(document, faults):
        path, md5, size = out.get("path"), out.get("md5"), out.get("size")
        if not isinstance(path, str):
            faults.append(f"{stage}: an out has no path")
        elif not isinstance(md5, str) or not _MD5.fullmatch(md5.removesuffix(".dir")):
            faults.append(f"{stage}: {path}: md5 is {md5!r}, not 32 hex digits in quotes")
        elif size is not None and (type(size) is not int or size < 0):
            faults.append(f"{stage}: {path}: size is {size!r}, not a number of bytes")
        elif (known := pins.setdefault(path, Pin(md5, size))).md5 != md5:
            faults.append(f"{stage}: {path}: md5 is {md5}, and {known.md5} in an earlier stage")
        elif known.size is None:
            pins[path] = Pin(md5, size)
    if faults:
        raise CatalogueError(where, faults)
    return pins


def _outs(document: object, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    stages = document.get("stages") if isinstance(document, dict) else None
    if not isinstance(stages, dict):
        faults.append("no map of stages")
        return
    for name, stage in stages.items():
        outs = stage.get("outs", []) if isinstance(stage, dict) else None
        if not isinstance(outs, list) or not all(isinstance(out, dict) for out in outs):
            faults.append(f"{name}: outs is not a list of maps")
        else:
            yield from ((str(name), out) for out in outs)
