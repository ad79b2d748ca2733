"""Find the pickles of a checkpoint: those that torch.load and numpy.load would unpickle.

The kind of a file is determined as its loaders do it, by its first bytes and never by its name.
Where two loaders would see two kinds, both are read. Nothing is loaded, extracted or written.
"""

from __future__ import annotations

import mmap
import pickle
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.console.errors import ArchiveError, PickleError
from scripts.files import archive
from scripts.files.disk import disk_errors, open_file
from scripts.pickles import npy, tars, zips
from scripts.pickles.contents import Contents
from scripts.pickles.unpickler import UNKNOWN, follow

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.pickles.unpickler import Data

MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
_LEGACY = 5  # pickles in a torch stream: magic, version, system, the object, keys of storages
_MOST = 64  # pickles in a row in a file of no known kind
_PROTOCOLS = tuple(bytes([0x80, number]) for number in range(pickle.HIGHEST_PROTOCOL + 1))


def read(path: Path) -> Contents:
    """Return the imports and faults of a checkpoint; raise only DiskError, if it cannot be read."""
    with disk_errors(path), open_file(path) as file:
        if not path.stat().st_size:
            return Contents("no pickle")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:4] in zips.PREFIXES:
                return zips.read(path, data)
            contents = _npy(data) if data[:6] == npy.MAGIC else _stream(data)
            return _tar(path, data, contents)


def _npy(data: Data) -> Contents:
    contents = Contents("npy")
    start = npy.pickle_in(contents, "", data)
    if start is not None:
        contents.add("array", contents.follow(data, start))
    return contents


def _stream(data: Data) -> Contents:
    if follow(data).value == MAGIC:
        return _torch_stream(data)
    contents, at = Contents("no pickle"), 0
    for number, found in enumerate(contents.following(data)):
        if number == _MOST:
            contents.imports[UNKNOWN] = None
            contents.faults.append(f"more than {_MOST} pickles")
            break
        if found.imports or not found.fault or data[at : at + 2] in _PROTOCOLS:
            contents.kind = "pickle"
            contents.add(f"pickle {number}", found)
        at = found.end
    return contents


def _torch_stream(data: Data) -> Contents:
    contents, number = Contents("torch stream"), 0
    for number, found in zip(range(1, _LEGACY + 1), contents.following(data), strict=False):
        contents.add(f"pickle {number - 1}", found)
    if number < _LEGACY and not contents.faults:
        contents.faults.append(f"it ends after {number} of {_LEGACY} pickles")
    return contents


def _tar(path: Path, data: Data, contents: Contents) -> Contents:
    """Return the contents, with the pickles of the members added if the file is a legacy tar."""
    held = replace(contents, kind="torch tar")
    try:
        tarfile.TarInfo.frombuf(data[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
        archive.check(path, {})
        with tarfile.open(path, "r:") as holder:
            if tars.MEMBERS[0] not in holder.getnames():
                return contents  # torch.load reads it first and stops
            for name in tars.MEMBERS:
                tars.follow_all(held, data, holder.getmember(name))
    except tarfile.HeaderError:
        return contents
    except (ArchiveError, PickleError) as error:
        held.faults.append(error.what)
    except KeyError as error:
        held.faults.append(str(error.args[0]))
    return held
