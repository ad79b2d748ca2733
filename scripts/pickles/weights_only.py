"""Whether torch.load(..., weights_only=True) takes a file: imports and opcodes, by torch's list.

The list is that of torch/_weights_only_unpickler.py in pytorch/pytorch at 00f730b, quantised types
left out. A program can add names to its own with torch.serialization.add_safe_globals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.pickles.contents import Contents

_DTYPES = ("bfloat16", "bool", "complex128", "complex32", "complex64", "float16", "float32",
           "float64", "int16", "int32", "int64", "int8", "uint8")  # fmt: skip
_STORAGES = ("BFloat16", "Bool", "Byte", "Char", "ComplexDouble", "ComplexFloat", "Double", "Float",
             "Half", "Int", "Long", "Short")  # fmt: skip
_REBUILDS = ("parameter", "parameter_with_state", "qtensor", "tensor", "tensor_v2", "tensor_v3",
             "sparse_tensor", "meta_tensor_no_storage", "wrapper_subclass",
             "device_tensor_from_numpy", "device_tensor_from_cpu_tensor")  # fmt: skip
GLOBALS = {
    "_codecs.encode",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.set",
    "collections.Counter",
    "collections.OrderedDict",
    "torch.Size",
    "torch.Tensor",
    "torch._tensor._rebuild_from_type_v2",
    "torch.device",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    "torch.storage.TypedStorage",
    "torch.storage.UntypedStorage",
    *(f"torch.{name}" for name in _DTYPES),
    *(f"torch.{name}Storage" for name in _STORAGES),
    *(f"torch.cuda.{name}Storage" for name in _STORAGES),
    *(f"torch._utils._rebuild_{name}" for name in _REBUILDS),
}
OPCODES = {
    "APPEND", "APPENDS", "BINFLOAT", "BINGET", "BININT", "BININT1", "BININT2", "BINPERSID",
    "BINPUT", "BINUNICODE", "BUILD", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET", "EMPTY_TUPLE",
    "GLOBAL", "LONG1", "LONG_BINGET", "LONG_BINPUT", "MARK", "NEWFALSE", "NEWOBJ", "NEWTRUE",
    "NONE", "PROTO", "REDUCE", "SETITEM", "SETITEMS", "SHORT_BINSTRING", "STOP", "TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3",
}  # fmt: skip


def takes(contents: Contents) -> bool | None:
    """Tell whether torch would load the file; None for one that is not torch's."""
    if not contents.kind.startswith("torch"):
        return None
    names = {name.replace("__builtin__.", "builtins.") for name in contents.imports}
    return contents.kind != "torch tar" and not contents.faults and (
        names <= GLOBALS and contents.opcodes <= OPCODES
    )  # fmt: skip
