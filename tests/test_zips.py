"""scripts.zips: what any reader would find in a zip is told, or the zip is refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scripts import pickles
from tests import pickling
from tests.pickling import RUN, npy, state_dict, torch
from tests.world.formats import zip_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.contents import Contents

END = 22  # bytes of the end record of a zip without a comment
PLAIN = b"{'descr': '<f4', 'shape': (1,)}"


def read(path: Path, data: bytes) -> Contents:
    """Return what is found in these bytes."""
    path.write_bytes(data)
    return pickles.read(path)


def moved(data: bytes, by: int) -> bytes:
    """Return a zip whose offsets are larger, as if as many bytes stood before it."""
    size, offset = struct.unpack("<LL", data[-10:-2])
    rows = data[offset : offset + size].split(b"PK\x01\x02")[1:]
    places = (struct.unpack("<L", row[38:42])[0] for row in rows)
    pairs = zip(rows, places, strict=True)
    held = [b"PK\x01\x02" + r[:38] + struct.pack("<L", at + by) + r[42:] for r, at in pairs]
    end = data[-END:-6] + struct.pack("<L", offset + by) + b"\0\0"
    return data[:offset] + b"".join(held) + end


@pytest.mark.parametrize(
    "build",
    [
        lambda run: zip_of({"a": npy(run)}),
        lambda run: zip_of({"a.pkl": npy(run), "b": npy(b"", PLAIN)}),
        lambda run: b"PK\x05\x06" + moved(zip_of({"a.npy": npy(run)}), 4),
    ],
    ids=["member without a suffix", "member with another suffix", "another beginning"],
)
def test_what_numpy_runs_is_told(build: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """It tells zip and array by their first bytes, whatever their names are."""
    run = RUN.replace(b"X\x04\0\0\0true", pickling.text(f"touch {tmp_path}/run"))

    found = read(tmp_path / "file", build(run))

    assert "os.system" in found.imports
    assert not (tmp_path / "run").exists()
    with np.load(tmp_path / "file", allow_pickle=True) as loaded:
        _ = loaded[loaded.files[0]]
    assert (tmp_path / "run").exists()


def test_arrays_of_numbers_are_not_read(tmp_path: Path) -> None:
    """Their headers are; what follows may be larger than any pickle."""
    data = zip_of({"a.npy": npy(bytes(70 << 20), PLAIN), "b": npy(RUN, PLAIN)})

    found = read(tmp_path / "file", data)

    assert (found.kind, found.faults, found.imports) == ("zip", [], {})


def test_the_pickles_of_a_zip_have_one_limit(tmp_path: Path) -> None:
    """Members that are small each are a bomb together, and are not unpacked to the end."""
    data = zip_of({f"a/{number}.pkl": b"N." + bytes(25 << 20) for number in range(3)})

    found = read(tmp_path / "file", data)

    assert found.faults == ["a broken zip: more than 67,108,864 bytes of pickles"]


def test_the_operations_of_a_zip_have_one_limit(tmp_path: Path) -> None:
    """What they might have asked for beyond it cannot be told."""
    data = zip_of({f"a/{number}.pkl": b"N0" * 50_000 + b"N." for number in range(3)})

    found = read(tmp_path / "file", data)

    assert found.faults == ["a/2.pkl: the file has more than 300,000 operations"]
    assert "?" in found.imports


def renamed(name: str, other: str) -> bytes:
    """Return a zip whose member has another name in an extra field, as Info-ZIP writes one."""
    body = b"\x01" + struct.pack("<L", zlib.crc32(name.encode())) + other.encode()
    info = zipfile.ZipInfo(name)
    info.extra = struct.pack("<HH", 0x7075, len(body)) + body
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as holder:
        holder.writestr(info, RUN)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["archive/data.pkl", "archive/readme.txt"])
def test_a_member_of_two_names_hides_nothing(name: str, tmp_path: Path) -> None:
    """Python 3.12 believes the extra field, and torch the name itself."""
    other = "archive/readme.txt" if name.endswith("pkl") else "archive/data.pkl"

    found = read(tmp_path / "file", renamed(name, other))

    assert name.endswith("txt") or "os.system" in found.imports
    with zipfile.ZipFile(tmp_path / "file") as holder:
        (info,) = holder.infolist()
    assert bool(found.faults) == (info.filename != name)


def test_a_name_with_a_zero_byte_is_told(tmp_path: Path) -> None:
    """Python ends the name there, and torch does not."""
    data = torch(RUN).replace(b"archive/data.pkl", b"archive\0data.pkl")

    found = read(tmp_path / "file", data)

    assert found.faults == ["archive\0data.pkl: also named archive"]
    assert "os.system" in found.imports


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_torch_cannot_unpack_is_not_unpacked(method: int, tmp_path: Path) -> None:
    """Neither torch nor numpy writes such a zip; a broken one is told as a whole one is."""
    data = bytearray(zip_of({"a/data.pkl": state_dict()}, method))
    whole = read(tmp_path / "file", bytes(data))
    data[60:70] = b"\xff" * 10

    broken = read(tmp_path / "file", bytes(data))

    assert whole.faults == broken.faults == ["a/data.pkl: packed as no loader here packs"]
