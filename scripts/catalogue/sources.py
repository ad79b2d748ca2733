"""Where each file comes from: the import-url files of sources/, the only place of an address."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.catalogue.documents import dumped, editable, load
from scripts.catalogue.urls import is_safe
from scripts.console.errors import CatalogueError
from scripts.files.disk import replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Mirror:
    """An address that a public hash proves identical: of what is published, or of one member."""

    url: str
    member: str | None = None


@dataclass(frozen=True)
class Source:
    """One publisher's address, what it last said of the file there (size in bytes), its mirrors."""

    name: str
    url: str
    etag: str | None = None
    size: int | None = None
    mirrors: tuple[Mirror, ...] = ()


def read(folder: Path, name: str) -> Source:
    """Return what sources/NAME.dvc says, or raise CatalogueError."""
    where = f"{folder.name}/{name}.dvc"
    document = load(folder / f"{name}.dvc", where)
    deps = document.get("deps") if isinstance(document, dict) else None
    if not isinstance(deps, list) or len(deps) != 1 or not isinstance(deps[0], dict):
        raise CatalogueError(where, ["not an import-url file: it has not exactly one dep"])
    url, size = deps[0].get("path"), deps[0].get("size")
    faults = []
    if not isinstance(url, str) or not is_safe(url):
        faults.append(f"deps: {url!r} is not an https address")
    if size is not None and (type(size) is not int or size < 0):
        faults.append(f"deps: size is {size!r}, not a number of bytes")
    mirrors = tuple(_mirrors(document.get("meta"), faults))
    if faults:
        raise CatalogueError(where, faults)
    etag = deps[0].get("checksum")
    return Source(name, str(url), None if etag is None else str(etag), size, mirrors)


def _mirrors(meta: object, faults: list[str]) -> Iterator[Mirror]:
    rows = meta.get("mirrors", []) if isinstance(meta, dict) else []
    if not isinstance(rows, list):
        faults.append("meta.mirrors: not a list")
        return
    for row in rows:
        told = row if isinstance(row, dict) else {"url": row}
        url, member = told.get("url"), told.get("member")
        if not isinstance(url, str) or not is_safe(url):
            faults.append(f"meta.mirrors: {url!r} is not an https address")
        elif member is not None and not isinstance(member, str):
            faults.append(f"meta.mirrors: {member!r} is not the name of a member")
        else:
            yield Mirror(url, member)


# What DVC leaves out of the md5 by which it knows a .dvc file.
_ASIDE = {"desc", "frozen", "isexec", "labels", "locked", "md5", "meta", "metric", "nfiles",
          "persist", "size", "type"}  # fmt: skip


def record(folder: Path, name: str, *, etag: str | None, size: int | None) -> bool:
    """Remember what the publisher says; tell whether that was news. Raise DiskError."""
    path = folder / f"{name}.dvc"
    document = editable(path)
    dep, seen = document["deps"][0], {"checksum": etag, "size": size}
    if all(dep.get(key) == value for key, value in seen.items()):
        return False
    for key, value in seen.items():
        dep.pop(key, None) if value is None else dep.update({key: value})
    for key in ("md5", "size", "nfiles"):
        document["outs"][0].pop(key, None)  # what was downloaded once is of another version
    document["md5"] = _md5(document)
    replace(path, dumped(document).encode())
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
