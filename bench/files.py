"""The files that are served: random bytes, made once, with their md5."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
_CHUNK = 4 * MIB


@dataclass(frozen=True)
class File:
    """A file on the server: name, size in bytes, md5 in hex."""

    name: str
    path: Path
    size: int
    md5: str


def make(path: Path, size: int) -> File:
    """Write `size` random bytes and describe the file."""
    digest = hashlib.md5(usedforsecurity=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for start in range(0, size, _CHUNK):
            chunk = os.urandom(min(_CHUNK, size - start))
            digest.update(chunk)
            file.write(chunk)
    return File(path.name, path, size, digest.hexdigest())


def md5(path: Path) -> str:
    """Return the md5 of a file on disk."""
    return _hashed(path, "md5")


def sha256(path: Path) -> str:
    """Return the sha256 of a file on disk."""
    return _hashed(path, "sha256")


def _hashed(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    buffer = memoryview(bytearray(MIB))
    with path.open("rb", buffering=0) as file:
        while got := file.readinto(buffer):
            digest.update(buffer[:got])
    return digest.hexdigest()


def bare_md5(path: Path) -> float:
    """Return the seconds that the md5 of a file takes: no process, no network, no writing."""
    began = time.perf_counter()
    md5(path)
    return time.perf_counter() - began
