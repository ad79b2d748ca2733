"""Follow a pickle without obeying it: what it would build, and all that it would import.

Every class and function is an inert node; calling one makes another node. The stack is more patient
than the real one: what raises there goes on here, so that no trick ends the reading early.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.console.errors import PickleError
from scripts.pickles.nodes import Node
from scripts.pickles.opcodes import Frames, index, literal, names, operations

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.pickles.nodes import Value
    from scripts.pickles.opcodes import Data, Operation

MOST = 300_000  # operations in a file; the largest state dict here needs some tens of thousands
KEPT = 4096  # bytes; a longer text is no name of anything
UNKNOWN = "?"  # stands in the name of an import that cannot be told
_TOO_LONG = b"\n" * 99  # neither a number nor two names
_GETATTR = {"__builtin__.getattr", "builtins.getattr"}


@dataclass(frozen=True)
class Pickle:
    """What was read: the value, the imports in their order, and where the next byte stands."""

    value: Value
    imports: tuple[str, ...]
    opcodes: frozenset[str]
    operations: int
    end: int
    fault: str | None


def follow(data: Data, start: int = 0, *, keep: int = KEPT, most: int = MOST) -> Pickle:
    """Read the pickle at `start`; texts and bytes longer than `keep` bytes are not kept.

    Never raises for what the bytes are: `fault` says why the reading ended before a STOP.
    """
    machine, frames = _Machine(data, keep, most), Frames()
    end, fault = start, None
    try:
        for operation in operations(data, start):
            frames.step(operation, data)
            machine.step(operation)
            end = operation.end
    except PickleError as error:
        fault = error.what
    if frames.lie:
        machine.found(UNKNOWN)  # in another pickle, which is not read here
        fault = fault or "a frame of it ends elsewhere than its operations"
    return machine.read(end, fault)


class _Machine:
    """The stack, the memo and the marks of the unpickler, with nodes for objects."""

    def __init__(self, data: Data, keep: int, most: int) -> None:
        self._data, self._keep, self._most = data, keep, most
        self._steps = 0
        self._stack: list[Value] = []
        self._marks: list[list[Value]] = []
        self._memo: dict[int, Value] = {}
        self.imports: dict[str, None] = {}
        self.opcodes: set[str] = set()
        self.loose = 0  # times getattr was put on the stack and not called at once

    def read(self, end: int, fault: str | None) -> Pickle:
        if self.loose:
            self.imports["builtins.getattr"] = None
        value = self.pop() if fault is None else None
        told = tuple(self.imports), frozenset(self.opcodes)
        return Pickle(value, *told, self._steps, end, fault)

    def step(self, operation: Operation) -> None:
        name = operation.name
        self.opcodes.add(name)
        self._steps += 1
        if self._steps > self._most:
            self.found(UNKNOWN)
            raise PickleError(f"the file has more than {MOST:,} operations")
        if name in _PLAIN:
            _PLAIN[name](self)
        elif name in _READING:
            raw = self._raw(operation)
            _READING[name](self, name, _TOO_LONG if raw is None else raw)
        elif name not in _NOTHING:
            self.push(self._literal(operation))

    def _raw(self, operation: Operation) -> bytes | None:
        if operation.end - operation.start > self._keep:
            return None
        return self._data[operation.start : operation.end]

    def _literal(self, operation: Operation) -> Value:
        raw = self._raw(operation)
        if raw is None:
            return Node("unkept")
        try:
            return literal(operation.name, raw)
        except (ValueError, LookupError):
            return Node("unknown")  # such as a buffer from outside the pickle

    def push(self, value: Value) -> None:
        self.loose += isinstance(value, Node) and value.name in _GETATTR
        self._stack.append(value)

    def pop(self) -> Value:
        return self._stack.pop() if self._stack else Node("unknown")

    def pops(self, count: int) -> list[Value]:
        return [self.pop() for _ in range(count)][::-1]

    def mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def marked(self) -> list[Value]:
        items, self._stack = self._stack, self._marks.pop() if self._marks else []
        return items

    def pop_or_mark(self) -> None:
        if self._stack or not self._marks:
            self.pop()
        else:
            self.marked()

    def dup(self) -> None:
        top = self.pop()
        self.push(top)
        self.push(top)

    def put(self, name: str, raw: bytes) -> None:
        top = self._stack[-1] if self._stack else Node("unknown")
        try:
            self._memo[len(self._memo) if name == "MEMOIZE" else index(name, raw)] = top
        except ValueError:
            self.found(UNKNOWN)  # from here on the memo cannot be believed

    def get(self, name: str, raw: bytes) -> None:
        try:
            self.push(self._memo[index(name, raw)])
        except (ValueError, KeyError):
            self.push(Node("unknown"))

    def found(self, name: str) -> Node:
        if name not in _GETATTR:
            self.imports[name] = None
        return Node("import", name=name)

    def imported(self, _: str, raw: bytes) -> None:
        self.push(self.found(_dotted(*names(raw))))

    def imported_by_stack(self) -> None:
        self.push(self.found(_dotted(*self.pops(2))))

    def extension(self, _: str, raw: bytes) -> None:
        self.push(self.found(f"{UNKNOWN}extension {int.from_bytes(raw, 'little')}"))

    def call(self, count: int) -> None:
        function, *items = self.pops(count)
        if attribute := _attribute(function, items):
            self.loose -= 1
            self.push(self.found(attribute))
        else:
            self.push(Node("call", items, of=function))

    def instance(self, _: str, raw: bytes) -> None:
        arguments = self.marked()
        self.imported("", raw)
        self.push(Node("tuple", arguments))
        self.call(2)

    def object(self) -> None:
        function, *arguments = self.marked() or [Node("unknown")]
        self._stack += [function, Node("tuple", arguments)]
        self.call(2)

    def build(self) -> None:
        target, state = self.pops(2)
        if isinstance(target, Node):
            target.state = state
            if target.kind == "import":  # it would change a class or a function for everybody
                self.found(f"{target.name}.{UNKNOWN}")
        self._stack.append(target)

    def extend(self, items: list[Value]) -> None:
        if self._stack and isinstance(target := self._stack[-1], Node):
            target.items.extend(items)


def _attribute(function: Value, items: list[Value]) -> str | None:
    """Return the import that a call of getattr amounts to: a method, as older torch wrote it."""
    if not isinstance(function, Node) or function.name not in _GETATTR:
        return None
    arguments = items[0].items if isinstance(items[0], Node) else []
    match arguments:
        case [Node(kind="import", name=owner), str(name)]:
            return _dotted(owner, name)
    return None


def _dotted(module: Value, name: Value) -> str:
    return ".".join(part if isinstance(part, str) and part else UNKNOWN for part in (module, name))


_NOTHING = {"PROTO", "FRAME", "STOP", "READONLY_BUFFER"}
_PLAIN: dict[str, Callable[[_Machine], None]] = {
    "EMPTY_DICT": lambda m: m.push(Node("dict")),
    "EMPTY_LIST": lambda m: m.push(Node("list")),
    "EMPTY_SET": lambda m: m.push(Node("set")),
    "EMPTY_TUPLE": lambda m: m.push(Node("tuple")),
    "TUPLE1": lambda m: m.push(Node("tuple", m.pops(1))),
    "TUPLE2": lambda m: m.push(Node("tuple", m.pops(2))),
    "TUPLE3": lambda m: m.push(Node("tuple", m.pops(3))),
    "TUPLE": lambda m: m.push(Node("tuple", m.marked())),
    "LIST": lambda m: m.push(Node("list", m.marked())),
    "DICT": lambda m: m.push(Node("dict", m.marked())),
    "FROZENSET": lambda m: m.push(Node("frozenset", m.marked())),
    "APPEND": lambda m: m.extend(m.pops(1)),
    "SETITEM": lambda m: m.extend(m.pops(2)),
    "APPENDS": lambda m: m.extend(m.marked()),
    "SETITEMS": lambda m: m.extend(m.marked()),
    "ADDITEMS": lambda m: m.extend(m.marked()),
    "MARK": _Machine.mark,
    "POP": _Machine.pop_or_mark,
    "POP_MARK": lambda m: m.marked().clear(),
    "DUP": _Machine.dup,
    "STACK_GLOBAL": _Machine.imported_by_stack,
    "REDUCE": lambda m: m.call(2),
    "NEWOBJ": lambda m: m.call(2),
    "NEWOBJ_EX": lambda m: m.call(3),
    "OBJ": _Machine.object,
    "BUILD": _Machine.build,
    "BINPERSID": lambda m: m.push(Node("persistent", m.pops(1))),
}
_READING: dict[str, Callable[[_Machine, str, bytes], None]] = {
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _Machine.extension),
    "GLOBAL": _Machine.imported,
    "INST": _Machine.instance,
    "PERSID": lambda m, _, raw: m.push(Node("persistent", [raw])),
}
