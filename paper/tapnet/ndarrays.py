"""Read arrays out of a pickle and write them as NumPy 1 does, without NumPy and without loading.

Supported are plain values, dicts, lists, tuples, and NumPy's arrays and scalars of numbers.
Anything else is refused, with its path in the tree.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from scripts.console.errors import PickleError
from scripts.pickles.unpickler import Node, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.pickles.unpickler import Value

_DEPTH = 50  # levels; a checkpoint has four, and pickle recurses
_NUMBER = re.compile("b1|[iu][1248]|f[248]|f16|c8|c16|c32")  # a kind of number, and its bytes
_DIMENSIONS = 32  # as many as NumPy 1 can have
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"


@dataclass(frozen=True, eq=False)
class Dtype:
    """The type of a number, such as f4, its byte order (<, > or |), and NumPy's flags."""

    code: str
    order: str
    flags: int = 0


@dataclass(frozen=True, eq=False)
class Array:
    """An array of numbers, or of one object; a numpy scalar has no shape."""

    dtype: Dtype
    shape: tuple[int, ...] | None
    fortran: bool
    data: bytes | list[Any]


def load(data: bytes) -> dict[Any, Value]:
    """Return the dict in an npy file of one object, its values as nodes; raise PickleError."""
    if data[:8] != _MAGIC:
        raise PickleError("not an npy file of version 1")
    read = follow(data, 10 + int.from_bytes(data[8:10], "little"), keep=len(data))
    if read.fault:
        raise PickleError(f"its pickle is broken: {read.fault}")
    match read.value:
        case Node(kind="call", state=Node(items=[1, Node(items=[]), _, _, Node(items=[held])])):
            return _pairs(held, "the array")
    raise PickleError("not a dict in an array of no dimensions, as numpy.save writes it")


def dump(content: dict[str, Any]) -> bytes:
    """Return the npy file that NumPy 1 writes for a dict of values from a `Reader`."""
    buffer = io.BytesIO()
    _Writer(buffer, protocol=3).dump(Array(_OBJECT, (), fortran=False, data=[content]))
    return _MAGIC + len(_HEADER).to_bytes(2, "little") + _HEADER + buffer.getvalue()


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any plain value
    """Yield the path and the value of everything that contains nothing else.

    An empty list counts: two files may differ in it. Without it, lists that contain each other
    twice could take years to the first leaf.
    """
    if not value or not isinstance(value, (dict, list, tuple)):
        yield path, value
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(item, _below(path, key))


class Reader:
    """Turn each node into one value: what a pickle shares stays shared."""

    def __init__(self) -> None:
        """Start with no values."""
        self._known: dict[object, Any] = {}

    def value(self, node: Value, path: str, depth: int = 0) -> Any:  # noqa: ANN401
        """Return the value of a node; raise PickleError with `path` if it is not supported."""
        if not isinstance(node, Node):
            return node
        if depth > _DEPTH:
            raise PickleError(f"{path}: nested deeper than {_DEPTH} levels")
        if id(node) not in self._known:
            self._known[id(node)] = self._fresh(node, path, depth + 1)
        return self._known[id(node)]

    def _fresh(self, node: Node, path: str, depth: int) -> Any:  # noqa: ANN401
        if node.kind == "dict":
            pairs = _pairs(node, path).items()
            return {key: self.value(item, _below(path, key), depth) for key, item in pairs}
        if node.kind in ("list", "tuple"):
            rows = enumerate(node.items)
            items = [self.value(item, _below(path, n), depth) for n, item in rows]
            return items if node.kind == "list" else tuple(items)
        if made := self._numpy(node, path):
            return made
        named = node.of if isinstance(node.of, Node) else node
        raise PickleError(f"{path}: {named.name or named.kind} is not supported")

    def _numpy(self, node: Node, path: str) -> Array | None:
        match _called(node), node.items, node.state:
            case (
                "_reconstruct",
                [Node(items=[Node(name="numpy.ndarray"), *_])],
                Node(items=[1, Node(items=shape), Node() as dtype, bool(fortran), bytes(data)]),
            ):
                kind = self._dtype(dtype, path)
                return _sound(Array(kind, tuple(shape), fortran, data), path)  # type: ignore[arg-type]
            case "scalar", [Node(items=[Node() as dtype, bytes(data)])], None:
                kind = self._dtype(dtype, path)  # NumPy has one object for all scalars of a type
                kind = self._known.setdefault((kind.code, kind.order), Dtype(kind.code, kind.order))
                return _sound(Array(kind, None, fortran=False, data=data), path)
        return None

    def _dtype(self, node: Node, path: str) -> Dtype:
        match _called(node), node.items, node.state:
            case "dtype", [Node(items=[str(code), *_])], Node(items=[3, str(order), *_]):
                if _NUMBER.fullmatch(code) and order in ("<", ">", "|"):
                    made: Dtype = self._known.setdefault(id(node), Dtype(code, order))
                    return made
        raise PickleError(f"{path}: an array of anything but numbers")


def _below(path: str, key: object) -> str:
    return f"{path:.150}/{str(key)[:80]}"  # a key may be as long as the file


def _called(node: Node) -> str:
    name = node.of.name if isinstance(node.of, Node) else ""
    return re.sub(r"^numpy\.(_?core\.multiarray\.)?", "", name)


def _pairs(node: Value, path: str) -> dict[Any, Value]:
    items = node.items if isinstance(node, Node) and node.kind == "dict" else [None]
    keys = items[::2]
    if len(items) % 2 or not all(isinstance(key, (str, int)) for key in keys):
        raise PickleError(f"{path}: not a dict whose keys are texts or numbers")
    return dict(zip(keys, items[1::2], strict=True))


def _sound(array: Array, path: str) -> Array:
    shape, dtype = array.shape or (), array.dtype
    sizes = len(shape) <= _DIMENSIONS and all(type(n) is int and 0 <= n < 1 << 31 for n in shape)
    if sizes and math.prod(shape) * int(dtype.code[1:]) == len(array.data):
        return array
    raise PickleError(f"{path}: an array with inconsistent type, shape and bytes")


_ARRAY = Node("import", name="numpy.core.multiarray\n_reconstruct")
_SCALAR = Node("import", name="numpy.core.multiarray\nscalar")
_NDARRAY = Node("import", name="numpy\nndarray")
_DTYPE = Node("import", name="numpy\ndtype")
_OBJECT = Dtype("O8", "|", 63)  # flags: holds references
_FIRST = b"b"  # one object, which the pickle repeats by reference


class _Writer(pickle._Pickler):  # noqa: SLF001 - the one whose opcodes can be replaced
    """Write arrays as C's pickler does with numpy.ndarray.__reduce__ of NumPy 1.

    Every tuple is a new object, as in NumPy: the same one written twice would be a reference.
    """

    save: Callable[[object], None]
    write: Callable[[bytes], object]
    memoize: Callable[[object], None]
    dispatch: ClassVar[dict[type, Callable[..., None]]] = dict(pickle._Pickler.dispatch)  # noqa: SLF001

    def _import(self, node: Node) -> None:
        self.write(b"c" + node.name.encode() + b"\n")
        self.memoize(node)

    def _dtype(self, dtype: Dtype) -> None:
        code = f"{dtype.code[0]}{dtype.code[1:]}"  # a new text, for the same reason
        state = (3, dtype.order, None, None, None, -1, -1, dtype.flags)
        self._reduce(dtype, _DTYPE, (code, False, True), state)

    def _array(self, array: Array) -> None:
        if array.shape is None:
            self._reduce(array, _SCALAR, (array.dtype, array.data))
        else:
            state = (1, array.shape, array.dtype, array.fortran, array.data)
            self._reduce(array, _ARRAY, (_NDARRAY, tuple(range(1)), _FIRST), state)

    def _reduce(self, made: object, function: Node, arguments: object, state: object = ()) -> None:
        self.save(function)
        self.save(arguments)
        self.write(pickle.REDUCE)
        self.memoize(made)
        if state:
            self.save(state)
            self.write(pickle.BUILD)

    dispatch |= {Node: _import, Dtype: _dtype, Array: _array}
