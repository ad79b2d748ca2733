"""Extract members of a tar or a zip that may be hostile."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.console.errors import ArchiveError
from scripts.files import digests
from scripts.files.disk import check_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from scripts.files.digests import Digest

_CHUNK = 1 << 20  # bytes
_LARGEST = 8 << 30  # bytes; limits what members without a pinned size can fill
_MOST = 1000  # members; the largest archive of the catalogue has six
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError,
           ValueError, NotImplementedError, RuntimeError, OverflowError)  # fmt: skip
_WHOLE = {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
          tarfile.SOLARIS_XHDTYPE}  # fmt: skip # tarfile reads these into memory whole
_COMPRESSIONS = {b"\x1f\x8b": "gz", b"BZ": "bz2", b"\xfd7": "xz"}  # of a tar, by its first bytes


@dataclass(frozen=True)
class _Member:
    """A member as the archive declares it: its size in bytes, and its kind if it is no file."""

    name: str
    size: int
    other: str | None
    open: Callable[[], Any]  # the content of a file


def extract(
    path: Path, targets: Mapping[str, Path], sizes: Mapping[str, int | None]
) -> Iterator[tuple[str, Digest]]:
    """Write members of an archive to their targets; yield the name and the digest of each.

    `sizes` maps a member's name to its pinned size in bytes, if that is known. The archive and
    the room on the disk are checked before the first write. Raises ArchiveError, RoomError or
    DiskError.
    """
    check_room(path, check(path, {name: sizes.get(name) for name in targets}), what=path.stem)
    with _members(path) as members:
        for member in members:
            if member.other is None and member.name in targets:
                with member.open() as file:
                    chunks = iter(partial(file.read, _CHUNK), b"")
                    yield member.name, digests.write(chunks, targets[member.name], sha256=True)


def check(path: Path, wanted: Mapping[str, int | None]) -> int:
    """Raise ArchiveError unless every wanted member can be extracted; return their total bytes.

    `wanted` maps a member's name to its pinned size in bytes, or None. The whole archive is
    checked: it is refused for one link, device, duplicate name or name that leaves the folder.
    """
    faults: list[str] = []
    sizes: dict[str, int] = {}
    total = 0
    with _members(path) as members:
        for number, member in enumerate(members, 1):
            total += member.size
            if number > _MOST or total > _LARGEST:
                raise ArchiveError(f"refusing {member.name!r:.99}: the archive is too large")
            if why := _refusal(member, sizes, wanted.get(member.name)):
                faults.append(f"refusing {member.name!r:.99}: {why}")
            if member.other != "a folder":
                sizes[member.name] = member.size
    faults += [f"it has no {name!r}" for name in wanted if name not in sizes]
    if faults:
        raise ArchiveError(f"{path.name} is refused; nothing was extracted", *faults[:10])
    return sum(sizes[name] for name in wanted)


@contextmanager
def _members(path: Path) -> Iterator[Iterator[_Member]]:
    """Open an archive; turn what the libraries raise for a broken one into ArchiveError."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(0)
            if head == b"PK\x03\x04":
                with zipfile.ZipFile(file) as archive:
                    yield _in_zip(archive)
            else:
                mode: Any = f"r:{_COMPRESSIONS.get(head[:2], '')}"
                with tarfile.open(fileobj=file, mode=mode, tarinfo=_Header) as tar:
                    yield _in_tar(tar)
    except _BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ArchiveError(f"{path.name} is broken: {reason.lower()}") from error


class _Header(tarfile.TarInfo):
    """A header of a tar, checked before tarfile reads its content into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if info.size < 0 or (info.type in _WHOLE and info.size > _CHUNK):
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


def _in_tar(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        opened = partial(archive.extractfile, info)
        yield _Member(info.name, info.size, _other_in_tar(info), opened)


def _in_zip(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for entry in archive.infolist():
        name, opened = entry.filename.rstrip("/"), partial(archive.open, entry)
        yield _Member(name, entry.file_size, _other_in_zip(entry), opened)


def _other_in_tar(info: tarfile.TarInfo) -> str | None:
    if info.size < 0:  # tarfile would read the same header again and again
        return "of a size below zero"
    if info.isdir():
        return "a folder"
    if info.islnk() or info.issym():
        return f"a link to {info.linkname!r}"
    return None if info.isreg() and not info.issparse() else "neither a plain file nor a folder"


def _other_in_zip(entry: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.is_dir():
        return "a folder"
    if kind == stat.S_IFLNK:
        return "a link"
    if kind not in (0, stat.S_IFREG):
        return "neither a plain file nor a folder"
    return "encrypted" if entry.flag_bits & 1 else None


def _refusal(member: _Member, seen: Mapping[str, int], pinned: int | None) -> str | None:
    """Return why the archive is refused for this member, or None."""
    name = member.name
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        return "an absolute name"
    if ".." in name.replace("\\", "/").split("/"):
        return "the name leaves the folder"
    if member.other not in (None, "a folder"):
        return f"it is {member.other}"
    if name in seen and member.other is None:
        return "a duplicate name"
    if pinned is not None and member.size != pinned:
        return f"it has {member.size:,} bytes, its pin {pinned:,}"
    return None
