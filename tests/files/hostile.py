"""Archives built in memory that must be refused, and a part of the message for each."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

from tests.world.formats import noise, tar_gz_of, zip_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Pack = Callable[[Mapping[str, bytes]], bytes]

Entry = tuple[tarfile.TarInfo, bytes]
MODEL = "reference_model/model-000200000.pth"
HUGE = (1 << 32) - 2  # bytes; the most a zip without its 64-bit fields can declare
_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def entry(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **more: object) -> Entry:
    """Return a member of a tar; `more` sets fields of its header."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    for field, value in more.items():
        setattr(info, field, value)
    return info, data


def tar_of(*entries: Entry, mode: str = "w:gz") -> bytes:
    """Return a tar of the entries; the pax headers of an entry are written as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def raw_tar(*headers: Entry, size: int | None = None) -> bytes:
    """Return a tar.gz of headers written by hand, the last of which declares `size` bytes."""
    blocks = b""
    for info, data in headers:
        info.size = size if size is not None and info is headers[-1][0] else len(data)
        blocks += info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)
    return gzip.compress(blocks + bytes(1024), 1, mtime=0)


def zip_entry(name: str, mode: int) -> bytes:
    """Return a zip with the member `name` of a Unix mode, such as that of a link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, b"/etc/passwd")
    return buffer.getvalue()


def patched(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite a field in every header of a zip that starts with `signature`."""
    changed, at = bytearray(data), data.find(signature)
    while at >= 0:
        changed[at + offset : at + offset + len(value)] = value
        at = data.find(signature, at + 1)
    return bytes(changed)


def _beside(good: bytes, *others: Entry) -> bytes:
    return tar_of(entry(MODEL, good), *others)


def _pax(good: bytes, **headers: str) -> bytes:
    return _beside(good, entry("plain", b"data", pax_headers=headers))


def _flipped(good: bytes) -> bytes:
    return bytes([good[0] ^ 1]) + good[1:]


def _bad_crc(good: bytes) -> bytes:
    packed = zip_of({MODEL: good}, zipfile.ZIP_STORED)
    return packed.replace(good[-64:], _flipped(good[-64:]), 1)


def _many(good: bytes) -> bytes:
    return _beside(good, *(entry(f"folder{n}", kind=tarfile.DIRTYPE) for n in range(1000)))


def _chain(_: bytes) -> bytes:
    return raw_tar(*(entry("x", b"9 a=bcd\n", tarfile.XHDTYPE) for _ in range(2000)))


def _encrypted(good: bytes) -> bytes:
    return patched(zip_of({MODEL: good}), _CENTRAL, 8, b"\x01\x00")


def _unknown_method(good: bytes) -> bytes:
    odd = patched(zip_of({MODEL: good}), _CENTRAL, 10, b"\x63\x00")
    return patched(odd, _LOCAL, 8, b"\x63\x00")


def _zip_bomb(good: bytes) -> bytes:
    members = {MODEL: good, "a": b"1", "b": b"2", "c": b"3"}
    return patched(zip_of(members), _CENTRAL, 24, struct.pack("<I", HUGE))


def _zip_twice(good: bytes) -> bytes:
    return zip_of({MODEL: good, "model-X": b"1", "model-Y": b"2"}).replace(b"model-Y", b"model-X")


# Case -> how it is built around the correct content, and a part of the message.
CASES: Mapping[str, tuple[Callable[[bytes], bytes], str]] = {
    "absolute name": (lambda g: _beside(g, entry("/etc/x")), "refusing '/etc/x': an absolute name"),
    "drive letter": (lambda g: _beside(g, entry("C:x")), "refusing 'C:x': an absolute name"),
    "backslash first": (lambda g: _beside(g, entry("\\x")), "an absolute name"),
    "parent folder": (lambda g: _beside(g, entry("../x")), "refusing '../x': the name leaves"),
    "parent within": (lambda g: _beside(g, entry("a/../../x")), "the name leaves the folder"),
    "parent by backslash": (lambda g: _beside(g, entry("..\\x")), "the name leaves the folder"),
    "parent as a folder": (
        lambda g: _beside(g, entry("a/..", kind=tarfile.DIRTYPE)),
        "refusing 'a/..': the name leaves the folder",
    ),
    "symlink": (
        lambda g: _beside(g, entry("x", kind=tarfile.SYMTYPE, linkname="/etc/passwd")),
        "refusing 'x': it is a link to '/etc/passwd'",
    ),
    "hardlink": (
        lambda g: _beside(g, entry("x", kind=tarfile.LNKTYPE, linkname="/etc/passwd")),
        "refusing 'x': it is a link to '/etc/passwd'",
    ),
    "requested as a symlink": (
        lambda _: tar_of(entry(MODEL, kind=tarfile.SYMTYPE, linkname="/etc/passwd")),
        "model-000200000.pth': it is a link to '/etc/passwd'",
    ),
    "device": (lambda g: _beside(g, entry("x", kind=tarfile.CHRTYPE)), "neither a plain file"),
    "block device": (lambda g: _beside(g, entry("x", kind=tarfile.BLKTYPE)), "neither a plain"),
    "fifo": (lambda g: _beside(g, entry("x", kind=tarfile.FIFOTYPE)), "neither a plain file"),
    "duplicate": (lambda g: _beside(g, entry(MODEL, g)), "a duplicate name"),
    "requested as a folder": (
        lambda _: tar_of(entry(MODEL, kind=tarfile.DIRTYPE)),
        f"it has no '{MODEL}'",
    ),
    "missing": (lambda g: tar_of(entry("other.pth", g)), f"it has no '{MODEL}'"),
    "larger": (lambda g: tar_of(entry(MODEL, g + b"1")), " bytes, its pin "),
    "smaller": (lambda g: tar_of(entry(MODEL, g[1:])), " bytes, its pin "),
    "wrong bytes": (lambda g: tar_of(entry(MODEL, _flipped(g))), "do not match the pin"),
    "truncated": (lambda g: _beside(g)[:-99], "is broken: compressed file ended before"),
    "truncated inside": (
        lambda g: gzip.compress(gzip.decompress(_beside(g))[: len(g) // 2]),
        "is broken: unexpected end of data",
    ),
    "garbage": (lambda g: noise("garbage", len(g)), "is broken: "),
    "garbage after gzip's magic": (lambda g: b"\x1f\x8b" + noise("garbage", len(g)), "is broken: "),
    "garbage after zip's magic": (lambda g: _LOCAL + noise("garbage", len(g)), "is broken: "),
    "no tar in the gzip": (lambda g: gzip.compress(noise("garbage", len(g))), "is broken: "),
    "zip in the gzip": (lambda g: gzip.compress(zip_of({MODEL: g})), "is broken: "),
    "too many members": (_many, "refusing 'folder999': the archive is too large"),
    "huge member": (
        lambda g: raw_tar(entry(MODEL, g), entry("x"), size=9 << 30),
        "refusing 'x': the archive is too large",
    ),
    "negative size": (lambda _: raw_tar(entry(MODEL), size=-512), "is broken: a header of -512"),
    "long name of gigabytes": (
        lambda _: raw_tar(entry("x", kind=tarfile.GNUTYPE_LONGNAME), size=7 << 30),
        "is broken: a header of 7,516,192,768 bytes",
    ),
    "chain of headers": (_chain, "is broken: "),
    "pax name that leaves": (lambda g: _pax(g, path="../x"), "refusing '../x': the name leaves"),
    "pax size below zero": (lambda g: _pax(g, size="-2048"), "it is of a size below zero"),
    "pax size of terabytes": (lambda g: _pax(g, size="9" * 13), "the archive is too"),
    "pax sparse": (
        lambda g: _pax(g, **{"GNU.sparse.map": "0,1", "GNU.sparse.size": "4"}),
        "refusing 'plain': it is neither a plain file nor a folder",
    ),
    "sparse": (
        lambda g: _beside(g, entry("x", kind=tarfile.GNUTYPE_SPARSE)),
        "refusing 'x': it is neither a plain file nor a folder",
    ),
    "zip: absolute name": (lambda _: zip_of({"/etc/x": b"1"}), "refusing '/etc/x': an absolute"),
    "zip: parent folder": (lambda _: zip_of({"../x": b"1"}), "refusing '../x': the name leaves"),
    "zip: symlink": (
        lambda _: zip_entry("x", stat.S_IFLNK | 0o777),
        "refusing 'x': it is a link",
    ),
    "zip: device": (lambda _: zip_entry("x", stat.S_IFCHR), "refusing 'x': it is neither a plain"),
    "zip: requested as a folder": (lambda _: zip_of({f"{MODEL}/": b""}), f"it has no '{MODEL}'"),
    "zip: duplicate": (_zip_twice, "refusing 'model-X': a duplicate name"),
    "zip: encrypted": (_encrypted, "it is encrypted"),
    "zip: wrong CRC": (_bad_crc, "is broken: bad crc-32"),
    "zip: unknown compression": (_unknown_method, "is broken: that compression method is not"),
    "zip: bomb": (_zip_bomb, "the archive is too large"),
    "zip: truncated": (lambda g: zip_of({MODEL: g})[:-30], "is broken: file is not a zip file"),
    "zip: larger": (lambda g: zip_of({MODEL: g + b"1"}), " bytes, its pin "),
    "zip: wrong bytes": (lambda g: zip_of({MODEL: _flipped(g)}), "do not match the pin"),
}


def good_archives(good: bytes) -> Iterable[bytes]:
    """Return the correct member in every supported compression."""
    yield tar_gz_of({"reference_model/": b"", MODEL: good})
    yield from (tar_of(entry(MODEL, good), mode=f"w:{packing}") for packing in ("", "bz2", "xz"))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield zip_of({"reference_model/": b"", MODEL: good}, method)
