"""What NumPy 1, optax and tapnet put into a pickle, written without any of them."""

from __future__ import annotations

import pickle
import struct
import sys
import types
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = (
    b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(127)
    + b"\n"
)


def _reconstruct() -> None:
    """Stand for numpy.core.multiarray._reconstruct, which nothing here calls."""


class Dtype:
    """numpy.dtype, as numpy.dtype.__reduce__ writes it."""

    def __init__(self, code: str, order: str = "<", flags: int = 0) -> None:
        """Make a type such as f4."""
        self.code, self.order, self.flags = code, order, flags

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what numpy returns, with new texts."""
        code = f"{self.code[0]}{self.code[1:]}"
        state = (3, self.order, None, None, None, -1, -1, self.flags)
        return Dtype, (code, False, True), state


class Ndarray:
    """numpy.ndarray, as numpy.ndarray.__reduce__ writes it."""

    def __init__(
        self,
        dtype: object,
        shape: tuple[int, ...],
        data: bytes | list[object],
        *,
        fortran: bool = False,
    ) -> None:
        """Make an array of these bytes, or of these objects."""
        self.state = (1, shape, dtype, fortran, data)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what numpy returns, with new tuples."""
        return _reconstruct, (Ndarray, tuple(range(1)), b"b"), self.state


class Finite(NamedTuple):
    """optax's outermost optimizer state."""

    inner: Any


class Decay(NamedTuple):
    """tapnet's own optimizer state: the class that makes tapnet necessary."""


F4, I4, OBJECT = Dtype("f4"), Dtype("i4"), Dtype("O8", "|", 63)
_MODULES: dict[str, dict[str, Any]] = {
    "numpy": {"ndarray": Ndarray, "dtype": Dtype},
    "numpy.core": {},
    "numpy.core.multiarray": {"_reconstruct": _reconstruct},
    "optax": {},
    "optax._src": {},
    "optax._src.wrappers": {"ApplyIfFiniteState": Finite},
    "tapnet": {},
    "tapnet.optimizers": {"AddWeightDecayState": Decay},
}
for _module, _names in _MODULES.items():
    for _name, _value in _names.items():
        _value.__module__, _value.__qualname__, _value.__name__ = _module, _name, _name


def floats(*numbers: float, shape: tuple[int, ...] | None = None) -> Ndarray:
    """Return an array of 32-bit floats, all of which share one dtype."""
    data = struct.pack(f"<{len(numbers)}f", *numbers)
    return Ndarray(F4, (len(numbers),) if shape is None else tuple(shape), data)


def save(content: object, protocol: int = 3) -> bytes:
    """Return the npy file that numpy.save of NumPy 1 writes for an object."""
    with _importable():
        return HEADER + pickle.dumps(Ndarray(OBJECT, (), [content]), protocol=protocol)


def checkpoint(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any value of a checkpoint
    """Return what tapnet's checkpoint.npy holds, in small."""
    params = {
        "tapnet/~/conv": {"w": floats(0, 1, 2, 3, 4, 5, shape=(2, 3)), "b": floats(6)},
        "tapnet/~/linear": {"w": Ndarray(F4, (2, 2), bytes(16), fortran=True)},
    }
    params["tapnet/~/conv"]["again"] = params["tapnet/~/conv"]["w"]  # one array in two places
    state = {"norm": {"counter": Ndarray(I4, (), b"\x07\0\0\0"), "average": floats(1, 2)}}
    optimiser = Finite(({"mu": params, "nu": params}, Decay()))
    made = {"params": params, "state": state, "opt_state": optimiser, "global_step": 5}
    return {**made, **changes}


@contextmanager
def _importable() -> Iterator[None]:
    """Let the pickler find these modules; whatever is installed is out of the way meanwhile."""
    kept = {name: sys.modules.get(name) for name in _MODULES}
    for name, values in _MODULES.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(values)
    try:
        yield
    finally:
        for name, module in kept.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
