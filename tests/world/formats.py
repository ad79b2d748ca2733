"""The file formats of the checkpoints, written by hand: torch zip, npy, tar.gz, zip."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip: equal inputs give equal archives
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def noise(seed: str, size: int) -> bytes:
    """Return `size` incompressible bytes, always the same for a seed."""
    return hashlib.shake_128(seed.encode()).digest(size)


def torch_zip(seed: str, size: int) -> bytes:
    """Return a state dict of one tensor as torch.save writes it, of about `size` bytes."""
    numel = max(size // 4, 1)
    members = {
        "archive/data.pkl": _state_dict(numel),
        "archive/byteorder": b"little",
        "archive/data/0": noise(seed, 4 * numel),
        "archive/version": b"3\n",
    }
    return zip_of(members, zipfile.ZIP_STORED)


def npy(seed: str, size: int, *, optimiser: bool) -> bytes:
    """Return a dict in a 0-d object array as numpy.save writes it, of about `size` bytes."""
    content: dict[str, object] = {"params": noise(seed, size), "state": {}}
    if optimiser:
        content |= {"opt_state": [], "global_step": 1}
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header = header.ljust(128 - 10 - 1) + b"\n"
    magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
    return magic + header + pickle.dumps(content, protocol=3)


def zip_of(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of the members; a name that ends in a slash is a directory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = method
            archive.writestr(info, content, compresslevel=1)
    return buffer.getvalue()


def tar_gz_of(members: Mapping[str, bytes]) -> bytes:
    """Return a tar.gz of the members; a name that ends in a slash is a directory.

    Noise does not compress: level 0 writes what any level would, without the time to find out.
    """
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=0, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, content in members.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.size = len(content)
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _state_dict(numel: int) -> bytes:
    """Return the pickle of OrderedDict(weight=<float tensor of numel elements>)."""
    count = b"J" + struct.pack("<i", numel)
    storage = (
        b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu") + count
    )
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + (storage + b"tQ")  # the storage, by persistent id
        + (b"K\x00" + count + b"\x85" + b"K\x01\x85")  # offset, size, stride
        + (b"\x89" + ORDERED_DICT)  # requires_grad, hooks
        + b"tR"
    )
    return b"\x80\x02" + ORDERED_DICT + _text("weight") + tensor + b"s."


def _text(value: str) -> bytes:
    """Return the pickle opcode of a string."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()
