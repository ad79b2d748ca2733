"""Pickles and checkpoints written by hand: harmless, hostile, and some that fooled scanners."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

from tests.world.formats import torch_zip, zip_of

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN = b"cos\nsystem\n(X\x04\0\0\0truetR."  # os.system("true")
MAGIC = 0x1950A86A20F9469CFC6C
HEADER = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"


def text(value: str) -> bytes:
    """Return the opcode that pushes a text."""
    return b"\x8c" + bytes([len(value)]) + value.encode()


def by_stack(module: str, name: str) -> bytes:
    """Return the opcodes of an import in protocol 4."""
    return text(module) + text(name) + b"\x93"


def framed(body: bytes, size: int = 20_000) -> bytes:
    """Return a pickle's head and a frame of zeros, larger than a file's buffer, around `body`."""
    return b"\x80\x04\x95" + struct.pack("<Q", size) + body.ljust(size, b"\0")


def npy(pickled: bytes, header: bytes = HEADER, version: int = 1) -> bytes:
    """Return an npy file with this header and these bytes after it."""
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + pickled


def torch(pickled: bytes, more: Mapping[str, bytes] | None = None) -> bytes:
    """Return a zip as torch.save writes it, around this pickle."""
    return zip_of({"archive/data.pkl": pickled, "archive/version": b"3\n", **(more or {})},
                  zipfile.ZIP_STORED)  # fmt: skip


def state_dict() -> bytes:
    """Return the pickle of a state dict of one tensor."""
    with zipfile.ZipFile(io.BytesIO(torch_zip("weights", 64))) as archive:
        return archive.read("archive/data.pkl")


def stream(pickled: bytes, keys: bytes = b"\x80\x02]X\x01\0\0\x000a.") -> bytes:
    """Return a file as torch.save wrote it before it wrote zips."""
    head = [pickle.dumps(value, 2) for value in (MAGIC, 1001, {"little_endian": True})]
    return b"".join([*head, pickled, keys, struct.pack("<q", 4), bytes(16)])


def tar(**changes: bytes | None) -> bytes:
    """Return a file as torch.save wrote it first: a tar of storages, tensors and a pickle."""
    storage = b"\x80\x02(K\x01X\x03\0\0\0cpuctorch\nFloatStorage\nt."
    tensor = b"\x80\x02(K\x02K\x01ctorch\nFloatStorage\nt."
    members: dict[str, bytes | None] = {
        "sys_info": pickle.dumps({}, 2),
        "pickle": pickle.dumps({"weight": 2}, 2),
        "tensors": pickle.dumps(1, 2) + tensor + struct.pack("<iiqqqqq", 2, 0, 2, 2, 2, 1, 0),
        "storages": pickle.dumps(1, 2)
        + storage
        + struct.pack("<q4f", 4, 1, 2, 3, 4)
        + b"\x80\x02].",
        **changes,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            if content is None:
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


# Trick -> a pickle that calls, or would call, os.system; the first two are the plain ways.
TRICKS: Mapping[str, bytes] = {
    "protocol 0": RUN,
    "protocol 4": b"\x80\x04" + by_stack("os", "system") + text("true") + b"\x85R.",
    "instance": b"(S'true'\nios\nsystem\n.",
    "object": b"(cos\nsystem\nS'true'\no.",
    "new object": b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85\x81.",
    "new object with keywords": b"\x80\x04cos\nsystem\n" + text("true") + b"\x85}\x92.",
    "never called": b"cos\nsystem\n.",
    "dropped at once": RUN[:-1] + b"0N.",
    "dropped with a mark": b"(" + RUN[:-1] + b"1N.",
    "text by put and get": b"Vos\np7\n0Vsystem\np8\n0g7\ng8\n\x93Vtrue\n\x85R.",
    "memo games": b"\x80\x04" + text("os") + b"q\x00" + text("system") + b"q\x01" + text("torch")
    + b"\x94" + text("FloatStorage") + b"\x9400h\x00h\x01\x93" + text("true") + b"\x85R.",
    "memo of many bytes": b"\x80\x04" + text("os") + b"r\xff\xff\xff\x7f0" + text("system")
    + b"r\xfe\xff\xff\x7f0j\xff\xff\xff\x7fj\xfe\xff\xff\x7f\x93.",
    "doubled": b"\x80\x04" + text("os") + b"2" + text("system") + b"\x93.",
    "hexadecimal number": b"I0x10\n0" + RUN,
    "octal number as C reads it": b"I010\n0" + RUN,
    "number with a zero byte": b"I1\x00no number\n0" + RUN,
    "number of many digits": b"I" + b"1" * 9999 + b"\n0" + RUN,
    "get with a zero byte": b"Vos\np1\n0Vsystem\np2\n0g1\x00\ng2\x00\n\x93.",
    "get with many zeros": b"Vos\np1\n0Vsystem\np2\n0g" + b"0" * 80 + b"1\ng2\n\x93.",
    "put with many zeros": b"Vos\np" + b"0" * 80 + b"1\n0Vsystem\np2\n0g1\ng2\n\x93.",
    "bytes for a text": b"\x80\x03C\x02os0" + RUN,
    "long text": b"\x8d" + struct.pack("<Q", 9999) + b"x" * 9999 + b"0" + RUN,
    "name longer than is kept": b"c" + b"x." * 4000 + b"\nsystem\n.",
    "no encoding": b"S'\xff\xfe'\n0" + RUN,
    "broken quotes": b"S'true\n0" + RUN,
    "escapes in a name": b"\x80\x04S'\\x6fs'\nS'system'\n\x93.",
    "unicode escapes in a name": b"\x80\x04V\\u006fs\nVsystem\n\x93.",
    "number for a name": b"\x80\x04K\x01" + text("system") + b"\x93.",
    "nothing for a name": b"\x80\x04\x93.",
    "name made by a call": text("o") + b"cbuiltins\nstr\n" + text("system") + b"\x85R\x93.",
    "unknown memo": b"\x80\x04h\x09" + text("system") + b"\x93.",
    "memo beyond a mark": b"\x80\x04" + text("os") + b"(" + text("system") + b"\x93.",
    "extension 1": b"\x80\x02\x82\x01.",
    "extension 2": b"\x80\x02\x83\x01\x00.",
    "extension 4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "dotted name": b"\x80\x04" + by_stack("torch", "FloatStorage.__class__") + b".",
    "module below another": b"\x80\x04" + by_stack("collections", "abc.sys.modules") + b".",
    "attribute of a class": b"c__builtin__\ngetattr\n(ctorch\nFloatStorage\nS'x'\ntR.",
    "attribute of a value": b"c__builtin__\ngetattr\n(]S'x'\ntR.",
    "attribute without arguments": b"cbuiltins\ngetattr\n]R.",
    "attribute with a number": b"cbuiltins\ngetattr\n(ctorch\nFloatStorage\nK\x01tR.",
    "getattr as a value": b"(cbuiltins\ngetattr\nl.",
    "getattr by instance": b"(ctorch\nFloatStorage\nS'x'\nibuiltins\ngetattr\n.",
    "getattr by instance of a value": b"(]S'x'\nibuiltins\ngetattr\n.",
    "state of a class": b"ctorch\nFloatStorage\n}S'x'\nNsb.",
    "truncated": RUN[:-1],
    "truncated in a name": b"cos\nsystem",
    "ends in nonsense": RUN[:-1] + b"\xff",
    "frame beyond a STOP": framed(b"N.") + RUN,
    "frame within a frame": framed(b"\x95" + struct.pack("<Q", len(RUN)) + b"N.") + RUN,
    "frame cut by a text": framed(b"N0" * 9_998 + b"\x8c\x05ab") + b"abcde0" + RUN,
    "frame cut by a line": framed(b"Vos") + b"a\n0" + RUN,
    "frame too long": b"\x80\x04\x95" + b"\xff" * 8 + RUN,
    "second pickle": b"N." + RUN,
    "before a STOP too many": b"." + RUN,
    "many operations": b"N0" * 150_001 + RUN,
    "many pickles": b"N." * 70 + RUN,
    "protocol of a later Python": b"\x80\x06" + RUN,
    "surrogates": b"\x80\x04" + by_stack("os", "system")[:-1] + b"0\x8c\x03\xed\xa0\x80\x93.",
}  # fmt: skip
