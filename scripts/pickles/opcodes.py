"""The opcodes of a pickle, one by one: where each argument lies, and what value it writes.

Names and layouts are pickletools' own. Its parser is not used, because it is stricter than what
unpickles: a number as C reads it (0x10, 010) ends its parse, and hides all that comes after.
"""

from __future__ import annotations

import pickletools
import struct
from typing import TYPE_CHECKING, NamedTuple

from scripts.console.errors import PickleError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterator

    from scripts.pickles.nodes import Plain

    Data = bytes | mmap.mmap

_LAYOUT = {ord(op.code): (op.name, op.arg.n if op.arg else 0) for op in pickletools.opcodes}
_COUNTS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_TWO_LINES = {"GLOBAL", "INST"}
_NUMBER = 64  # bytes; a longer number is no size, count or index of anything


class Operation(NamedTuple):
    """One opcode: its name, where it stands, and where its argument starts and ends (bytes)."""

    name: str
    at: int
    start: int
    end: int


def operations(data: Data, position: int) -> Iterator[Operation]:
    """Yield the operations from `position` to the STOP; raise PickleError where there is none.

    Copies nothing, whatever an argument says of its length.
    """
    while position < len(data):
        at, code = position, data[position]
        if code not in _LAYOUT:
            raise PickleError(f"byte {at:,}: no opcode is {code:#04x}")
        name, size = _LAYOUT[code]
        start, end, position = _argument(data, at + 1, size)
        if name in _TWO_LINES:
            _, end, position = _argument(data, position, pickletools.UP_TO_NEWLINE)
            start = start if position <= len(data) else end  # cut short: what is asked for is open
        if end > len(data):
            raise PickleError(f"byte {at:,}: the argument of {name} is cut short")
        yield Operation(name, at, start, end)
        if name == "STOP":
            return
    raise PickleError("it ends without a STOP")


def _argument(data: Data, start: int, size: int) -> tuple[int, int, int]:
    """Return where an argument starts and ends, and where the next opcode stands."""
    if size == pickletools.UP_TO_NEWLINE:
        found = data.find(b"\n", start)
        end = found if found >= 0 else len(data)  # what unpickles takes the rest for a line, too
        return start, end, end + 1
    if size in _COUNTS:
        begin = start + _COUNTS[size]
        size, start = int.from_bytes(data[start:begin], "little"), begin
    return start, start + size, start + size


class Frames:
    """Whether every frame ends where an operation does, and none reaches beyond the STOP.

    What unpickles takes a frame from the file as a whole: of one that lies it skips bytes that are
    read here, and what is loaded next begins elsewhere.
    """

    def __init__(self) -> None:
        """Start before any frame."""
        self._at = self._end = 0
        self.lie = False

    def step(self, operation: Operation, data: Data) -> None:
        """Look at the next operation."""
        self.lie |= self._at < self._end < operation.at
        if operation.name == "FRAME":
            self.lie |= operation.at < self._end
            size = int.from_bytes(data[operation.start : operation.end], "little")
            self._end = operation.end + size
        elif operation.name == "STOP":
            self.lie |= operation.end < self._end
        self._at = operation.at


def names(raw: bytes) -> tuple[str | None, str | None]:
    """Return module and name of an import as its two lines write them, or None for what is cut."""
    lines = raw.split(b"\n")
    if len(lines) != 2:  # noqa: PLR2004 - a module and a name
        return None, None
    try:
        return lines[0].decode("utf-8"), lines[1].decode("utf-8")
    except UnicodeDecodeError as error:
        raise PickleError("the name of an import is not UTF-8") from error


def literal(name: str, raw: bytes) -> Plain:
    """Return the value that an opcode writes; raise ValueError or LookupError if it has none."""
    return _LITERALS[name](raw)


def index(name: str, raw: bytes) -> int:
    """Return the number of a PUT or GET; C reads a text no further than a zero byte.

    Raises ValueError for a text too long to be sure of, PickleError for one that is no number.
    """
    if name not in ("PUT", "GET"):
        return _unsigned(raw)
    text = _short(raw).split(b"\0")[0]
    try:
        return int(text)
    except ValueError as error:
        raise PickleError(f"{name} of {text!r}, which is no number") from error


def _signed(raw: bytes) -> int:
    return int.from_bytes(_short(raw), "little", signed=True)


def _unsigned(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _decimal(raw: bytes) -> int | bool:
    if raw in (b"00", b"01"):
        return raw == b"01"
    return int(_short(raw).rstrip(b"L"), 0)


def _short(raw: bytes) -> bytes:
    if len(raw) > _NUMBER:
        raise ValueError("a number of too many digits")
    return raw


def _quoted(raw: bytes) -> str:
    text = raw.strip()
    if len(text) < 2 or text[:1] != text[-1:] or b"\\" in text:  # noqa: PLR2004
        raise ValueError("not a string in quotes, or one that hides what it says")
    return text[1:-1].decode("latin-1")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


_LITERALS: dict[str, Callable[[bytes], Plain]] = {
    "INT": _decimal,
    "LONG": _decimal,
    "LONG1": _signed,
    "LONG4": _signed,
    "BININT": _signed,
    "BININT1": _unsigned,
    "BININT2": _unsigned,
    "FLOAT": float,
    "BINFLOAT": lambda raw: float(struct.unpack(">d", raw)[0]),
    "STRING": _quoted,
    "BINSTRING": lambda raw: raw.decode("latin-1"),
    "SHORT_BINSTRING": lambda raw: raw.decode("latin-1"),
    "UNICODE": lambda raw: raw.decode("raw-unicode-escape"),
    "BINUNICODE": _text,
    "BINUNICODE8": _text,
    "SHORT_BINUNICODE": _text,
    "BINBYTES": bytes,
    "BINBYTES8": bytes,
    "SHORT_BINBYTES": bytes,
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
}
