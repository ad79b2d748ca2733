"""The pickles of a zip: of torch's by their names, of numpy's by the first bytes of each member."""

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

PREFIXES = (b"PK\x03\x04", b"PK\x05\x06")  # numpy takes a file for a zip by either
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # torch and numpy write no other
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
           RuntimeError, OverflowError)  # fmt: skip
_END, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_OPEN = 0xFFFFFFFF  # what the end record says of a number that its 64-bit sister holds
_DIRECTORY = 4 << 20  # bytes; the largest here has some ten thousand


def read(path: Path, data: Data) -> Contents:
    """Return what a zip holds; `data` are its bytes."""
    contents = Contents("zip")
    try:
        _check_directory(data)
        with zipfile.ZipFile(path) as holder:
            names = [info.orig_filename.casefold() for info in holder.infolist()]
            if len(names) != len(set(names)):  # torch looks names up without their case
                contents.faults.append("a name stands twice in it")
            for info in holder.infolist():
                _member(contents, holder, info)
    except _BROKEN as error:
        contents.faults.append(f"a broken zip: {' '.join(str(error).split()).lower()}")
    return contents


def _check_directory(data: Data) -> None:
    """Raise ValueError unless one directory ends the file, and stands where it is said to.

    zipfile finds it by its end and its size, torch's reader by its offset alone.
    """
    end, size, offset = _ending(data)
    if offset + size != end:
        raise ValueError("its directory is not where it is said to be")
    if size > _DIRECTORY:
        raise ValueError(f"a directory of more than {_DIRECTORY:,} bytes")


def _ending(data: Data) -> tuple[int, int, int]:
    """Return where the directory ends, and its size and offset as its end record says."""
    end = len(data) - _END.size
    if end < 0 or data[end : end + 4] != b"PK\x05\x06":
        raise ValueError("it does not end with the end of its directory")
    *_, size, offset, _ = _END.unpack(data[end : end + _END.size])
    at = end - _LOCATOR.size
    if at < 0 or data[at : at + 4] != b"PK\x06\x07":
        return end, size, offset
    return _ending_64(data, at, size, offset)


def _ending_64(data: Data, at: int, *said: int) -> tuple[int, int, int]:
    """Return the same of a record of 64 bits, which lies before its locator at `at`."""
    start = at - _END_64.size
    _, _, told, _ = _LOCATOR.unpack(data[at : at + _LOCATOR.size])
    if told != start or data[start : start + 4] != b"PK\x06\x06":
        raise ValueError("the end of its directory is not where it is said to be")
    *_, size, offset = _END_64.unpack(data[start:at])
    if any(one not in (other, _OPEN) for one, other in zip(said, (size, offset), strict=True)):
        raise ValueError("it says twice where its directory is, and not the same")
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
        contents.faults.append(f"{name}: packed as no loader here packs")


def _follow(contents: Contents, name: str, file: IO[bytes]) -> None:
    """Read the pickles of a member; bytes that are numbers are left where they are."""
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
