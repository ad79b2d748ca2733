"""Where each file comes from: the import-url files of sources/, the only place of an address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts.documents import load
from scripts.errors import CatalogueError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One publisher's address, and what it last said of the file there (size in bytes)."""

    name: str
    url: str
    size: int | None = None


def read(folder: Path, name: str) -> Source:
    """Return what sources/NAME.dvc says, or raise CatalogueError."""
    path = folder / f"{name}.dvc"
    where = f"{folder.name}/{path.name}"
    document = load(path)
    deps = document.get("deps") if isinstance(document, dict) else None
    if not isinstance(deps, list) or len(deps) != 1 or not isinstance(deps[0], dict):
        raise CatalogueError(where, ["not an import-url file: it has not exactly one dep"])
    url, size = deps[0].get("path"), deps[0].get("size")
    if not isinstance(url, str) or not is_safe(url):
        raise CatalogueError(where, [f"deps: {url!r} is not an https address"])
    return Source(name, url, size if isinstance(size, int) else None)


def is_safe(url: str) -> bool:
    """Tell whether an address may be opened: https, or plain http to this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    # Addresses alone: a name such as localhost is whatever a resolver says it is.
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
