"""Read a pickle with Python's own unpickler; build inert nodes and run nothing.

The standard library reads opcodes, arguments, marks and memo. Every opcode that would import, call
or fill an object makes a `Node` instead, so nothing of a pickle is called, hashed or compared.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from scripts.console.errors import PickleError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Data: TypeAlias = bytes | mmap.mmap
    Value: TypeAlias = "bool | int | float | str | bytes | Node | None"
    Pickle: TypeAlias = "_Unpickler"  # one that has read its pickle

MOST = 300_000  # operations in a file; the largest state dict here needs some tens of thousands
KEPT = 4096  # bytes; a longer text is no name of anything
UNKNOWN = "?"  # part of the name of an import that cannot be determined
_BITS = 512  # a longer number is no size, count or key of anything
_SKIPPED = b"'?'\n"  # replaces an argument that is not kept; as a name it is unknown
_GETATTR = {"__builtin__.getattr", "builtins.getattr"}
_OPCODES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}


def follow(data: Data, start: int = 0, *, keep: int = KEPT, most: int = MOST) -> Pickle:
    """Read the pickle at `start`; no argument longer than `keep` bytes is copied.

    Never raises for what the bytes are: `fault` says why the reading ended before a STOP.
    """
    reader = _Unpickler(data, start, keep, most)
    try:
        reader.value = reader.load()
    except PickleError as error:
        reader.fault = error.what
    if reader.inconsistent:
        reader.imports[UNKNOWN] = None  # in another pickle, which is not read here
        reader.fault = reader.fault or "a frame of it ends elsewhere than its operations"
    return reader


@dataclass(eq=False, slots=True)
class Node:
    """What is no plain value: a container, an import, a call, or a value that is not known."""

    kind: str
    items: list[Value] = field(default_factory=list)
    name: str = ""  # of an import
    of: Value = None  # what a call calls
    state: Value = None  # what BUILD gave to a call


class _Unpickler(pickle._Unpickler):  # noqa: SLF001 - the one whose opcodes can be replaced
    """Python's unpickler without what could run anything; it reads `data`, not a file.

    It keeps the value, the imports in order, and `end`, the index of the byte after the last one.
    A frame is checked and not read at once. C's unpickler reads it at once: if it ends within an
    operation or beyond the STOP, C skips bytes that are read here, and starts the next pickle
    elsewhere.
    """

    append: Callable[[Value], None]
    pop_mark: Callable[[], list[Value]]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = pickle._Unpickler.dispatch  # noqa: SLF001

    def __init__(self, data: Data, start: int, keep: int, most: int) -> None:
        self._data, self._keep, self._most = data, keep, most
        super().__init__(io.BytesIO(), encoding="latin-1")  # which never fails
        self.end = self._frame_end = start
        self.value: Value = None
        self.fault: str | None = None
        self.stack: list[Value] = []
        self.metastack: list[list[Value]] = []
        self.append = self.stack.append
        self.imports: dict[str, None] = {}
        self.opcodes: set[str] = set()
        self.operations = self._code = 0
        self.inconsistent = self._skipped = False

    def read(self, size: int) -> bytes:
        start, self.end = self.end, self.end + size
        if self.end > len(self._data):
            raise EOFError
        return self._kept(start)

    def readline(self) -> bytes:
        start, end = self.end, self._data.find(b"\n", self.end)
        self.end = end + 1 or len(self._data)
        line = self._kept(start)
        if self._code in b"ILFpg":  # a number, which ends at a zero byte for C
            line = line.rstrip(b"\n").split(b"\0")[0] + b"\n"
        return line

    def _kept(self, start: int) -> bytes:
        self._skipped = self.end - start > self._keep
        return _SKIPPED if self._skipped else self._data[start : self.end]

    def load(self) -> Value:
        name, last = "", self.end
        while name != "STOP":
            start = self.end
            self.inconsistent |= last < self._frame_end < start
            name, last = self._step(start), start
        self.inconsistent |= self.end < self._frame_end
        return self.held([self.stack.pop() if self.stack else Node("unknown")])[0]

    def _step(self, start: int) -> str:
        if start >= len(self._data):
            raise PickleError("it ends without a STOP")
        self._code = self.read(1)[0]
        if self._code not in _OPCODES:
            raise PickleError(f"byte {start:,}: no opcode is {self._code:#04x}")
        name = _OPCODES[self._code]
        self.operations += 1
        if self.operations > self._most:
            self.imports[UNKNOWN] = None
            raise PickleError(f"the file has more than {MOST:,} operations")
        try:
            (_INERT.get(name) or self.dispatch[self._code])(self)
        except EOFError:
            raise PickleError(f"byte {start:,}: the argument of {name} is cut short") from None
        except (pickle.UnpicklingError, IndexError, ValueError) as error:
            if self._skipped or self.imports or "PROTO" in self.opcodes:
                self.imports[UNKNOWN] = None  # if a loader goes on here; other bytes are no pickle
            raise PickleError(f"byte {start:,}: {name} fails") from error
        self._forget()
        self.opcodes.add(name)
        return name

    def _forget(self) -> None:
        """Replace the value on top if its argument was skipped, or if it is a huge number."""
        top = self.stack[-1] if self.stack else None
        if self._skipped or (isinstance(top, int) and top.bit_length() > _BITS):
            self.stack[-1] = Node("unkept")
            self._skipped = False

    def pop(self, count: int) -> list[Value]:
        if len(self.stack) < count:
            raise IndexError
        items, self.stack[-count:] = self.stack[-count:], []
        return items

    def push(self, kind: str, items: Sequence[Value] = ()) -> None:
        self.append(Node(kind, self.held(items)))

    def held(self, items: Sequence[Value]) -> list[Value]:
        """Return these items of an object; report getattr among them, as the object may call it."""
        if any(isinstance(item, Node) and item.name in _GETATTR for item in items):
            self.imports["builtins.getattr"] = None
        return list(items)

    def find_class(self, module: Value, name: Value) -> Node:
        return self._found(_dotted(module, name))

    def _found(self, name: str) -> Node:
        if name not in _GETATTR:
            self.imports[name] = None
        return Node("import", name=name)

    def get_extension(self, code: int) -> None:
        self.append(self._found(f"{UNKNOWN}extension {code}"))

    def persistent_load(self, pid: Value) -> Node:
        return Node("persistent", self.held([pid]))

    def _instantiate(self, function: Value, arguments: list[Value]) -> None:
        self.call(function, Node("tuple", self.held(arguments)))

    def call(self, function: Value, *arguments: Value) -> None:
        if attribute := _attribute(function, arguments):
            self.append(self._found(attribute))
        else:
            self.append(Node("call", self.held([function, *arguments])[1:], of=function))

    def build(self) -> None:
        target, state = self.held(self.pop(2))
        if isinstance(target, Node):
            target.state = state
            if target.kind == "import":  # it would change a class or a function for everybody
                self._found(f"{target.name}.{UNKNOWN}")
        self.append(target)

    def extend(self, items: list[Value]) -> None:
        if isinstance(target := self.stack[-1], Node):
            target.items.extend(self.held(items))

    def frame(self) -> None:
        self.inconsistent |= self.end - 1 < self._frame_end
        size = int.from_bytes(self.read(8), "little")
        self._frame_end = self.end + size

    def number(self) -> None:
        try:
            self.dispatch[self._code](self)
        except ValueError:
            self.append(Node("unknown"))  # such as 010, which C reads

    def string(self) -> None:
        text = self.readline()[:-1]
        plain = len(text) > 1 and text[:1] == text[-1:] and b"\\" not in text
        self.append(text[1:-1].decode("latin-1") if plain else Node("unknown"))


def _attribute(function: Value, items: Sequence[Value]) -> str | None:
    """Return the import that a call of getattr amounts to: a method, as older torch wrote it."""
    match function, items:
        case Node(name=called), [Node(items=[Node(kind="import", name=owner), str(name)])]:
            return _dotted(owner, name) if called in _GETATTR else None
    return None


def _dotted(module: Value, name: Value) -> str:
    return ".".join(part if isinstance(part, str) and part else UNKNOWN for part in (module, name))


_INERT: dict[str, Callable[[_Unpickler], object]] = {
    "PROTO": lambda u: u.read(1),
    "FRAME": _Unpickler.frame,
    **dict.fromkeys(("STOP", "READONLY_BUFFER"), lambda _: None),
    **dict.fromkeys(("INT", "LONG", "FLOAT"), _Unpickler.number),
    "STRING": _Unpickler.string,
    "BYTEARRAY8": lambda u: u.push("bytearray", [u.read(int.from_bytes(u.read(8), "little"))]),
    "NEXT_BUFFER": lambda u: u.push("buffer"),
    "EMPTY_DICT": lambda u: u.push("dict"),
    "EMPTY_LIST": lambda u: u.push("list"),
    "EMPTY_SET": lambda u: u.push("set"),
    "EMPTY_TUPLE": lambda u: u.push("tuple"),
    "TUPLE1": lambda u: u.push("tuple", u.pop(1)),
    "TUPLE2": lambda u: u.push("tuple", u.pop(2)),
    "TUPLE3": lambda u: u.push("tuple", u.pop(3)),
    "TUPLE": lambda u: u.push("tuple", u.pop_mark()),
    "LIST": lambda u: u.push("list", u.pop_mark()),
    "DICT": lambda u: u.push("dict", u.pop_mark()),
    "FROZENSET": lambda u: u.push("frozenset", u.pop_mark()),
    "APPEND": lambda u: u.extend(u.pop(1)),
    "SETITEM": lambda u: u.extend(u.pop(2)),
    **dict.fromkeys(("APPENDS", "SETITEMS", "ADDITEMS"), lambda u: u.extend(u.pop_mark())),
    "STACK_GLOBAL": lambda u: u.append(u.find_class(*u.pop(2))),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda u: u.call(*u.pop(2))),
    "NEWOBJ_EX": lambda u: u.call(*u.pop(3)),
    "BUILD": _Unpickler.build,
}
