"""Where each file comes from: the import-url files of sources/, the only place of an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.catalogue.documents import load
from scripts.catalogue.urls import is_safe
from scripts.console.errors import CatalogueError

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
    size: int | None = None
    mirrors: tuple[Mirror, ...] = ()
    alternative: str | None = None  # another way to the same file, as a text for users


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
    alternative = _alternative(document.get("meta"), faults)
    if faults:
        raise CatalogueError(where, faults)
    return Source(name, str(url), size, mirrors, alternative)


def _alternative(meta: object, faults: list[str]) -> str | None:
    text = meta.get("alternative") if isinstance(meta, dict) else None
    if text is None or isinstance(text, str):
        return text
    faults.append(f"meta.alternative: {text!r} is not a text")
    return None


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
