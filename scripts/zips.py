"""The pickles of a zip: of torch's by their names, of numpy's by the first bytes of each member."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING

from scripts import npy
from scripts.contents import LARGEST, Contents

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

PREFIXES = (b"PK\x03\x04", b"PK\x05\x06")  # numpy takes a file for a zip by either
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # torch and numpy write no other
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
           RuntimeError, OverflowError)  # fmt: skip


def read(path: Path) -> Contents:
    """Return what a zip holds."""
    contents = Contents("zip")
    try:
        with zipfile.ZipFile(path) as holder:
            names = [info.orig_filename.casefold() for info in holder.infolist()]
            if len(names) != len(set(names)):  # torch looks names up without their case
                contents.faults.append("a name stands twice in it")
            for info in holder.infolist():
                _member(contents, holder, info)
    except _BROKEN as error:
        contents.faults.append(f"a broken zip: {' '.join(str(error).split()).lower()}")
    return contents


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
