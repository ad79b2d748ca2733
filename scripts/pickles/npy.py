"""Where the pickle of an npy file begins, if its header declares Python objects."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.pickles.contents import Contents
    from scripts.pickles.unpickler import Data

MAGIC = b"\x93NUMPY"
HEAD = 12  # bytes before the header, at most: they hold its length
_LARGEST = 64 << 10  # bytes of a header
_PLAIN = re.compile(r"[<>|=]?[?biufcmMSUV]\d*(\[\w+\])?")  # a dtype without Python objects


def header(data: Data) -> tuple[int, int]:
    """Return the start and end of the header of an npy file, from its first bytes."""
    start = HEAD - 2 if data[6:7] == b"\x01" else HEAD
    return start, start + min(int.from_bytes(data[8:start], "little"), _LARGEST + 1)


def pickle_in(contents: Contents, where: str, data: Data) -> int | None:
    """Return the index of the pickle, or None if only numbers and texts follow the header.

    An unreadable header is a fault, and a pickle may follow it.
    """
    start, end = header(data)
    encoding = "latin-1" if start < HEAD else "utf-8"
    try:
        if end - start > _LARGEST or len(data) < end:
            raise ValueError("an implausible size")  # noqa: TRY301 - reported as the others
        fields = ast.literal_eval(data[start:end].decode(encoding))
        return None if _is_plain(fields["descr"]) else end
    except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError) as error:
        contents.faults.append(f"{where}a broken header: {' '.join(str(error).split()):.99}")
        return end


def _is_plain(descr: object) -> bool:
    """Return whether a dtype holds only numbers and texts: their bytes are no pickle."""
    if isinstance(descr, list):
        return all(isinstance(row, tuple) and len(row) > 1 and _is_plain(row[1]) for row in descr)
    return isinstance(descr, str) and _PLAIN.fullmatch(descr) is not None
