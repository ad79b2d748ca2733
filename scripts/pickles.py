"""Find the pickles of a checkpoint: those that torch.load and numpy.load would unpickle.

The kind of a file is told as its loaders tell it, by the first bytes and never by the name; where
two loaders would see two kinds, both are read. Nothing is loaded, extracted or written.
"""

from __future__ import annotations

import ast
import mmap
import re
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts import archive, legacy
from scripts.disk import refusals
from scripts.errors import ArchiveError, PickleError
from scripts.machine import UNKNOWN, follow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.machine import Pickle
    from scripts.opcodes import Data

MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
_LEGACY = 5  # pickles in a torch stream: magic, version, system, the object, keys of storages
_MOST = 64  # pickles in a row in a file of no known kind
_LARGEST = 64 << 20  # bytes of a pickle in a zip; the largest here has some hundred thousand
_HEADER = 64 << 10  # bytes of an npy header
_PLAIN = re.compile(r"[<>|=]?[?biufcmMSUV]\d*(\[\w+\])?")  # a dtype without Python objects
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
           RuntimeError, OverflowError)  # fmt: skip


@dataclass
class Contents:
    """What a file is, its pickles by where they are, and what is wrong with it."""

    kind: str
    pickles: dict[str, Pickle] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)  # what loading runs that no pickle names

    @property
    def imports(self) -> list[str]:
        """Every import of every pickle, once and in their order."""
        found = (name for pickle in self.pickles.values() for name in pickle.imports)
        return list(dict.fromkeys([*found, *self.extra]))

    def add(self, where: str, pickle: Pickle) -> None:
        """Take a pickle in, and its fault."""
        self.pickles[where] = pickle
        if pickle.fault:
            self.faults.append(f"{where}: {pickle.fault}")


def read(path: Path) -> Contents:
    """Return what a checkpoint holds; raise DiskError if it cannot be read, and nothing else."""
    with refusals(path), path.open("rb") as file:
        if not path.stat().st_size:
            return Contents("no pickle")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:4] == b"PK\x03\x04":
                return _zip(path)
            contents = _npy(data) if data[:6] == b"\x93NUMPY" else _stream(data)
            return _tar(path, data, contents) if _is_tar(data) else contents


def _zip(path: Path) -> Contents:
    contents = Contents("zip")
    try:
        with zipfile.ZipFile(path) as holder:
            names = [info.filename.casefold() for info in holder.infolist()]
            if len(names) != len(set(names)):  # torch looks names up without their case
                contents.faults.append("a name stands twice in it")
            for info, name in zip(holder.infolist(), names, strict=True):
                _member(contents, holder, info, name)
    except _BROKEN as error:
        contents.faults.append(f"a broken zip: {' '.join(str(error).split()).lower()}")
    return contents


def _member(contents: Contents, holder: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> None:
    if name.endswith("data.pkl"):
        contents.kind = "torch zip"
    if name.endswith("constants.pkl"):
        contents.extra.append("torch.jit.load")  # what torch.load calls for such a file
    if not name.endswith((".pkl", ".npy")):
        return
    with holder.open(info) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        contents.faults.append(f"{info.filename}: larger than {_LARGEST:,} bytes")
    elif name.endswith(".pkl"):
        contents.add(info.filename, follow(data))
    else:
        inner = _npy(data)
        contents.faults += [f"{info.filename}: {fault}" for fault in inner.faults]
        contents.pickles |= {info.filename: held for held in inner.pickles.values()}  # noqa: B035 - one at most


def _npy(data: Data) -> Contents:
    contents = Contents("npy")
    wide = data[6:7] != b"\x01"
    start = 12 if wide else 10
    size = int.from_bytes(data[8:start], "little")
    try:
        if size > _HEADER or len(data) < start + size:
            raise ValueError("of a size that no header has")  # noqa: TRY301 - told as the others
        header = ast.literal_eval(data[start : start + size].decode("utf-8" if wide else "latin-1"))
        plain = _is_plain(header["descr"])
    except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError) as error:
        contents.faults.append(f"a broken header: {' '.join(str(error).split()):.99}")
        plain = False
    if not plain:
        contents.add("array", follow(data, start + size))
    return contents


def _is_plain(descr: object) -> bool:
    """Tell whether a dtype holds numbers and texts alone: their bytes are no pickle."""
    if isinstance(descr, list):
        return all(isinstance(row, tuple) and len(row) > 1 and _is_plain(row[1]) for row in descr)
    return isinstance(descr, str) and _PLAIN.fullmatch(descr) is not None


def _stream(data: Data) -> Contents:
    first = follow(data)
    if first.value == MAGIC:
        return _torch_stream(data)
    contents = Contents("pickle" if first.imports or not first.fault else "no pickle")
    for number, pickle in enumerate(_following(data, 0)):
        if number == _MOST:
            contents.extra.append(UNKNOWN)
            contents.faults.append(f"more than {_MOST} pickles")
            break
        if pickle.imports or not pickle.fault:
            contents.add(f"pickle {number}", pickle)
    return contents


def _torch_stream(data: Data) -> Contents:
    contents = Contents("torch stream")
    for number, pickle in zip(range(_LEGACY), _following(data, 0), strict=False):
        contents.add(f"pickle {number}", pickle)
    if len(contents.pickles) < _LEGACY and not contents.faults:
        contents.faults.append(f"it ends after {len(contents.pickles)} of {_LEGACY} pickles")
    return contents


def _following(data: Data, start: int) -> Iterator[Pickle]:
    """Yield one pickle after another until the bytes end, or are none."""
    while start < len(data):
        pickle = follow(data, start)
        yield pickle
        if pickle.fault:
            return
        start = pickle.end


def _is_tar(data: Data) -> bool:
    try:
        tarfile.TarInfo.frombuf(data[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _tar(path: Path, data: Data, contents: Contents) -> Contents:
    """Return the pickles of a legacy tar, beside those that the same bytes hold otherwise."""
    held = Contents("torch tar", contents.pickles, contents.faults, contents.extra)
    try:
        archive.check(path, {})
        with tarfile.open(path, "r:") as holder:
            if legacy.MEMBERS[0] not in holder.getnames():
                return contents  # torch.load reads that one first, and stops
            for name in legacy.MEMBERS:
                info = holder.getmember(name)
                end = info.offset_data + info.size
                found = legacy.follow_all(data, name, info.offset_data, end)
                for number, pickle in enumerate(found):
                    held.add(f"{name} {number}", pickle)
    except (ArchiveError, PickleError) as error:
        held.faults.append(error.what)
    except KeyError as error:
        held.faults.append(str(error.args[0]))
    return held
