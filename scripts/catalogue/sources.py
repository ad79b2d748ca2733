"""Where each file comes from: the import-url files of sources/, the only place of a URL.

What they record of the publisher (ETag, size) has the form of `dvc update --no-download`. Where a
URL is that of a page (Dropbox, Drive), DVC records the page; here the file behind it is recorded.
Sizes that nobody has confirmed stand under `meta`: they are shown before a download, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.catalogue.documents import dumped, editable, load
from scripts.catalogue.urls import is_safe, masked, secret_in
from scripts.console.errors import CatalogueError
from scripts.files.disk import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# What DVC leaves out of the md5 of a .dvc file.
_NOT_HASHED = {"desc", "frozen", "isexec", "labels", "locked", "md5", "meta", "metric", "nfiles",
               "persist", "size", "type"}  # fmt: skip


@dataclass(frozen=True)
class Mirror:
    """A copy of what is published, or of one member: likely the same, and the pin decides."""

    url: str
    member: str | None = None


@dataclass(frozen=True)
class Source:
    """A publisher's URL, the ETag (as sent) and size in bytes last recorded there, its mirrors.

    `alternative` says how else to get the same file, for a person to read. `estimate` is a size
    in bytes that nobody has confirmed; so are `estimates`, of an archive's files by their paths.
    """

    name: str
    url: str
    etag: str | None = None
    size: int | None = None
    mirrors: tuple[Mirror, ...] = ()
    alternative: str = ""
    estimate: int | None = None
    estimates: Mapping[str, int] = field(default_factory=dict)


def read(folder: Path, name: str) -> Source:
    """Return the content of sources/NAME.dvc, or raise CatalogueError with every fault."""
    where = f"{folder.name}/{name}.dvc"
    document = load(folder / f"{name}.dvc", where)
    deps = document.get("deps") if isinstance(document, dict) else None
    if not isinstance(deps, list) or len(deps) != 1 or not isinstance(deps[0], dict):
        raise CatalogueError(where, ["not an import-url file: it has not exactly one dep"])
    meta = document["meta"] if isinstance(document.get("meta"), dict) else {}
    url, etag, size = (deps[0].get(key) for key in ("path", "checksum", "size"))
    alternative, faults = meta.get("alternative", ""), []
    if fault := _unfit(url):
        faults.append(f"deps: {fault}")
    if size is not None and not _is_size(size):
        faults.append(f"deps: size is {size!r}, not a number of bytes")
    if not isinstance(alternative, str):
        faults.append("meta.alternative: not a text")
    mirrors = tuple(_mirrors(meta.get("mirrors", []), faults))
    estimates = _estimates(meta, faults)
    if faults:
        raise CatalogueError(where, faults)
    seen = None if etag is None else str(etag)
    other = " ".join(alternative.split())
    return Source(name, str(url), seen, size, mirrors, other, *estimates)


def record(folder: Path, name: str, *, etag: str | None, size: int | None) -> bool:
    """Write the publisher's ETag and size to sources/NAME.dvc; tell whether they are new.

    Raises CatalogueError or DiskError.
    """
    seen = read(folder, name)
    if (seen.etag, seen.size) == (etag, size):
        return False
    document = editable(folder / f"{name}.dvc")
    dep = document["deps"][0]
    for key, value in (("checksum", etag), ("size", size)):
        dep.pop(key, None) if value is None else dep.update({key: value})
    for key in ("md5", "size", "nfiles"):
        document["outs"][0].pop(key, None)  # what DVC downloaded once is another version
    document["md5"] = _md5(document)
    replace(folder / f"{name}.dvc", dumped(document).encode())
    return True


def _mirrors(rows: object, faults: list[str]) -> Iterator[Mirror]:
    if not isinstance(rows, list):
        faults.append("meta.mirrors: not a list")
        return
    for row in rows:
        fields = row if isinstance(row, dict) else {"url": row}
        url, member = fields.get("url"), fields.get("member")
        if fault := _unfit(url):
            faults.append(f"meta.mirrors: {fault}")
        elif member is not None and not isinstance(member, str):
            faults.append(f"meta.mirrors: {member!r} is not the name of a member")
        else:
            yield Mirror(str(url), member)


def _estimates(meta: dict[str, Any], faults: list[str]) -> tuple[int | None, dict[str, int]]:
    """Return the size that `meta` states of what the URL serves, and those of its files."""
    size, sizes = meta.get("size"), meta.get("sizes", {})
    if size is not None and not _is_size(size):
        faults.append(f"meta.size: {size!r} is not a number of bytes")
    if not isinstance(sizes, dict) or not all(map(_is_size, sizes.values())):
        faults.append("meta.sizes: not a map of paths to numbers of bytes")
        sizes = {}
    return size, {str(path): each for path, each in sizes.items()}


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


def _unfit(url: object) -> str | None:
    """Return why an address may not stand in sources/, or None."""
    if not isinstance(url, str) or not is_safe(url):
        return f"{masked(repr(url))} is not an https address"
    secret = secret_in(url)
    return secret and f"{masked(url)}: contains {secret}, and sources/ is public"


def _md5(document: dict[str, Any]) -> str:
    """Return the hash by which DVC recognises a .dvc file."""
    from dvc.utils import dict_md5  # noqa: PLC0415 - only where a source is recorded

    fields = {key: value for key, value in document.items() if (key, value) != ("wdir", ".")}
    return str(dict_md5(fields, exclude=_NOT_HASHED))
