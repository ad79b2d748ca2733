"""The pickles of a zip: torch's by the members' names, NumPy's by their first bytes."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from scripts.pickles import npy
from scripts.pickles.contents import LARGEST, Contents

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from scripts.pickles.unpickler import Data

PREFIXES = (b"PK\x03\x04", b"PK\x05\x06")  # NumPy accepts either
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # torch and numpy write no other
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
           RuntimeError, OverflowError)  # fmt: skip
_END, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_OPEN = 0xFFFFFFFF  # in the end record: see the 64-bit record
_DIRECTORY = 4 << 20  # bytes; the largest here has some ten thousand


def read(path: Path, data: Data) -> Contents:
    """Return what a zip holds; `data` are its bytes."""
    contents = Contents("zip")
    try:
        _check_directory(data)
        with zipfile.ZipFile(path) as holder:
            names = [info.orig_filename.casefold() for info in holder.infolist()]
            if len(names) != len(set(names)):  # torch ignores the case of names
                contents.faults.append("two members have the same name")
            for info in holder.infolist():
                _member(contents, holder, info)
    except _BROKEN as error:
        contents.faults.append(f"a broken zip: {' '.join(str(error).split()).lower()}")
    return contents


def _check_directory(data: Data) -> None:
    """Raise ValueError unless the file ends with one directory, at the recorded offset.

    zipfile finds it by its end and its size, torch's reader by its offset.
    """
    end = len(data) - _END.size
    if end < 0 or data[end : end + 4] != b"PK\x05\x06":
        raise ValueError("it does not end with the end record of its directory")
    *_, size, offset, _ = _END.unpack(data[end : end + _END.size])
    at = end - _LOCATOR.size
    if at >= 0 and data[at : at + 4] == b"PK\x06\x07":
        end, size, offset = _ending_64(data, at, size, offset)
    if offset + size != end:
        raise ValueError("its directory is not at the recorded offset")
    if size > _DIRECTORY:
        raise ValueError(f"a directory of more than {_DIRECTORY:,} bytes")


def _ending_64(data: Data, at: int, *stated: int) -> tuple[int, int, int]:
    """Return end, size and offset of the directory by the 64-bit record before the locator."""
    start = at - _END_64.size
    _, _, located, _ = _LOCATOR.unpack(data[at : at + _LOCATOR.size])
    if located != start or data[start : start + 4] != b"PK\x06\x06":
        raise ValueError("its 64-bit end record is not at the recorded offset")
    *_, size, offset = _END_64.unpack(data[start:at])
    if any(one not in (other, _OPEN) for one, other in zip(stated, (size, offset), strict=True)):
        raise ValueError("its two end records are inconsistent")
    return start, size, offset


def _member(contents: Contents, holder: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    if name != info.filename:
        contents.faults.append(f"{name}: also named {info.filename}")
    if name.casefold().endswith("data.pkl"):
        contents.kind = "torch zip"
    if name.casefold().endswith("constants.pkl"):
        contents.imports["torch.jit.load"] = None  # what torch.load calls for such a file
    if info.compress_type in _METHODS:
        with holder.open(info) as file:
            _follow(contents, name, file)
    else:
        contents.faults.append(f"{name}: unsupported compression")


def _follow(contents: Contents, name: str, file: IO[bytes]) -> None:
    """Add the pickles of a member; arrays of numbers are not read."""
    starts = {name: 0} if name.casefold().endswith(".pkl") else {}
    head = file.read(npy.HEAD)
    if head.startswith(npy.MAGIC):
        file.seek(0)
        start = npy.pickle_in(contents, f"{name}: ", file.read(npy.header(head)[1]))
        starts |= {} if start is None else {f"{name}: array": start}
    if not starts:
        return
    file.seek(0)
    data = file.read(contents.room + 1)
    contents.room -= len(data)
    if contents.room < 0:
        raise ValueError(f"more than {LARGEST:,} bytes of pickles")
    for where, start in starts.items():
        contents.add(where, contents.follow(data, start))
