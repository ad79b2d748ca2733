"""scripts.pickles.zips: every pickle that a loader finds in a zip is read, or it is refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scripts.pickles import reader
from tests.pickles import pickling
from tests.pickles.pickling import RUN, npy, state_dict, torch
from tests.world.formats import zip_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.pickles.contents import Contents

END = 22  # bytes of the end record of a zip without a comment
PLAIN = b"{'descr': '<f4', 'shape': (1,)}"


def read(path: Path, data: bytes) -> Contents:
    """Return what is found in these bytes."""
    path.write_bytes(data)
    return reader.read(path)


def ended(data: bytes, **changes: int) -> bytes:
    """Return a zip with torch's end records: one of 64 bits, its locator, and the usual one."""
    size, offset = struct.unpack("<LL", data[-10:-2])
    stated = {"size": size, "offset": offset, "at": len(data) - END, **changes}
    counts = (data.count(b"PK\x01\x02"),) * 2
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *counts, size, offset)
    usual = data[-END:-10] + struct.pack("<LL", stated["size"], stated["offset"]) + b"\0\0"
    return data[:-END] + end + struct.pack("<4sLQL", b"PK\x06\x07", 0, stated["at"], 1) + usual


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
def test_what_numpy_runs_is_found(build: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """NumPy recognises a zip and an array by their first bytes and ignores their names."""
    run = RUN.replace(b"X\x04\0\0\0true", pickling.text(f"touch {tmp_path}/run"))

    found = read(tmp_path / "file", build(run))

    assert "os.system" in found.imports
    assert not (tmp_path / "run").exists()
    with np.load(tmp_path / "file", allow_pickle=True) as loaded:
        _ = loaded[loaded.files[0]]
    assert (tmp_path / "run").exists()


def test_arrays_of_numbers_are_not_read(tmp_path: Path) -> None:
    """Only their headers are; the numbers may be larger than any pickle."""
    data = zip_of({"a.npy": npy(bytes(70 << 20), PLAIN), "b": npy(RUN, PLAIN)})

    found = read(tmp_path / "file", data)

    assert (found.kind, found.faults, found.imports) == ("zip", [], {})


def test_the_pickles_of_a_zip_have_one_limit(tmp_path: Path) -> None:
    """Small members can be a bomb together; they are not unpacked to the end."""
    data = zip_of({f"a/{number}.pkl": b"N." + bytes(25 << 20) for number in range(3)})

    found = read(tmp_path / "file", data)

    assert found.faults == ["a broken zip: more than 67,108,864 bytes of pickles"]


def test_the_operations_of_a_zip_have_one_limit(tmp_path: Path) -> None:
    """What they import beyond it cannot be determined."""
    data = zip_of({f"a/{number}.pkl": b"N0" * 50_000 + b"N." for number in range(3)})

    found = read(tmp_path / "file", data)

    assert found.faults == ["a/2.pkl: the file has more than 300,000 operations"]
    assert "?" in found.imports


@pytest.mark.parametrize("size", [0xFFFFFFFF, None])
def test_the_ends_that_torch_writes_are_fine(size: int | None, tmp_path: Path) -> None:
    """The size and offset are in both end records, or only in the 64-bit one."""
    changes = {} if size is None else {"size": size, "offset": size}

    found = read(tmp_path / "file", ended(torch(state_dict()), **changes))

    assert (found.kind, found.faults) == ("torch zip", [])


def two_directories() -> bytes:
    """Return a zip whose end leads zipfile to one directory, and torch to another."""
    hostile, fair = torch(b"N0" * 600 + RUN), torch(state_dict())
    size, offset = struct.unpack("<LL", hostile[-10:-2])
    head = hostile[:-END]
    added = len(head) + len(fair) - END - size - offset  # by zipfile, to every offset
    return head + moved(fair, len(head) - added)[:-END] + hostile[-END:]


def longest() -> bytes:
    """Return a zip of few members whose names take megabytes."""
    return zip_of({f"{number:0>65000}": b"" for number in range(65)})


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "two directories": (two_directories, "its directory is not at the recorded offset"),
    "bytes before it": (
        lambda: zip_of({"b": b""})[:-END] + torch(RUN), "its directory is not at"),
    "bytes behind it": (lambda: torch(RUN) + b"\0", "it does not end with the end record"),
    "a comment": (lambda: torch(RUN)[:-2] + b"\1\0!", "it does not end with the end record"),
    "an end too short": (lambda: b"PK\x05\x06", "it does not end with the end record"),
    "a locator and nothing else": (
        lambda: b"PK\x05\x06" + b"PK\x06\x07" + bytes(16) + zip_of({}), "its 64-bit end record"),
    "an end elsewhere": (lambda: ended(torch(RUN), at=3), "its 64-bit end record is not at"),
    "another offset": (lambda: ended(torch(RUN), offset=1), "its two end records are inconsistent"),
    "another size": (lambda: ended(torch(RUN), size=1), "its two end records are inconsistent"),
    "a directory of megabytes": (longest, "a directory of more than 4,194,304 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_zip_that_readers_may_read_differently_is_refused(case: str, tmp_path: Path) -> None:
    """If zipfile and torch may find different directories, the scan covers only one of them."""
    build, words = REFUSED[case]

    found = read(tmp_path / "file", build())

    assert [fault for fault in found.faults if words in fault], found.faults


def test_zipfile_takes_the_other_directory() -> None:
    """The zip above is real: at the recorded offset is a directory that zipfile does not read."""
    data = two_directories()

    with zipfile.ZipFile(io.BytesIO(data)) as holder:
        seen = holder.read("archive/data.pkl")

    _, offset = struct.unpack("<LL", data[-10:-2])
    (place,) = struct.unpack("<L", data[offset + 42 : offset + 46])
    assert seen == state_dict()
    assert data[offset : offset + 4] == b"PK\x01\x02"
    assert RUN in data[place : place + 1400]


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
    """Python 3.12 uses the extra field, and torch the name itself."""
    other = "archive/readme.txt" if name.endswith("pkl") else "archive/data.pkl"

    found = read(tmp_path / "file", renamed(name, other))

    assert name.endswith("txt") or "os.system" in found.imports
    with zipfile.ZipFile(tmp_path / "file") as holder:
        (info,) = holder.infolist()
    assert bool(found.faults) == (info.filename != name)


def test_a_name_with_a_zero_byte_is_reported(tmp_path: Path) -> None:
    """Python ends the name there, and torch does not."""
    data = torch(RUN).replace(b"archive/data.pkl", b"archive\0data.pkl")

    found = read(tmp_path / "file", data)

    assert found.faults == ["archive\0data.pkl: also named archive"]
    assert "os.system" in found.imports


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_torch_cannot_unpack_is_not_unpacked(method: int, tmp_path: Path) -> None:
    """Neither torch nor NumPy writes such a zip; a broken one gets the same fault."""
    data = bytearray(zip_of({"a/data.pkl": state_dict()}, method))
    whole = read(tmp_path / "file", bytes(data))
    data[60:70] = b"\xff" * 10

    broken = read(tmp_path / "file", bytes(data))

    assert whole.faults == broken.faults == ["a/data.pkl: unsupported compression"]
