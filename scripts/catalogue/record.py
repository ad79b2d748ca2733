"""What sources/NAME.dvc remembers of the publisher: ETag and size, in DVC's own form.

The form is that of `dvc update --no-download`, held against it by a test. Where an address is
that of a page (Dropbox, Drive), DVC remembers the page; here the file behind it is remembered.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.catalogue import documents, sources
from scripts.catalogue.documents import load
from scripts.files.disk import replace

if TYPE_CHECKING:
    from pathlib import Path


# What DVC leaves out of the md5 by which it knows a .dvc file.
_ASIDE = {"desc", "frozen", "isexec", "labels", "locked", "md5", "meta", "metric", "nfiles",
          "persist", "size", "type"}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """An address, and what was last seen there: ETag as sent, size in bytes."""

    url: str
    etag: str | None = None
    size: int | None = None


def read(folder: Path, name: str) -> Record:
    """Return what sources/NAME.dvc says, or raise CatalogueError."""
    source = sources.read(folder, name)
    etag = load(folder / f"{name}.dvc")["deps"][0].get("checksum")
    return Record(source.url, str(etag) if etag is not None else None, source.size)


def write(folder: Path, name: str, *, etag: str | None, size: int | None) -> bool:
    """Remember what the publisher says; tell whether that was news. Raise DiskError."""
    path = folder / f"{name}.dvc"
    document = documents.editable(path)
    dep, seen = document["deps"][0], {"checksum": etag, "size": size}
    if all(dep.get(key) == value for key, value in seen.items()):
        return False
    for key, value in seen.items():
        dep.pop(key, None) if value is None else dep.update({key: value})
    for key in ("md5", "size", "nfiles"):
        document["outs"][0].pop(key, None)  # what was downloaded once is of another version
    document["md5"] = _md5(document)
    replace(path, documents.dumped(document).encode())
    return True


def _md5(document: dict[str, Any]) -> str:
    known = {key: value for key, value in document.items() if (key, value) != ("wdir", ".")}
    text = json.dumps(_without(known), sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _without(value: Any) -> Any:  # noqa: ANN401 - any value a yaml file can hold
    if isinstance(value, list):
        return [_without(each) for each in value]
    if isinstance(value, dict):
        return {key: _without(each) for key, each in value.items() if key not in _ASIDE}
    return value
