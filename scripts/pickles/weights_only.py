"""Whether torch.load(..., weights_only=True) takes a file, by the imports and opcodes it allows.

`GLOBALS` is what torch._weights_only_unpickler._get_allowed_globals() of the release `TORCH` holds,
`OPCODES` what its Unpickler reads. A program can allow more: torch.serialization.add_safe_globals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.pickles.contents import Contents

TORCH = "2.13.0"
_BITS = (*range(1, 9), 16, 32, 64)
_DTYPES = ("bfloat16", "bool", "complex128", "complex32", "complex64", "float16", "float32",
           "float64", "float4_e2m1fn_x2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
           "float8_e5m2fnuz", "float8_e8m0fnu", *(f"int{bits}" for bits in _BITS),
           *(f"uint{bits}" for bits in _BITS), "bits16", "bits1x8", "bits2x4", "bits4x2", "bits8",
           "qint32", "qint8", "quint2x4", "quint4x2", "quint8", "per_channel_affine",
           "per_channel_affine_float_qparams", "per_channel_symmetric", "per_tensor_affine",
           "per_tensor_symmetric")  # fmt: skip
_SPARSE = ("BFloat16", "Byte", "Char", "Double", "Float", "Half", "Int", "Long", "Short")
_TENSORS = (*_SPARSE, "Bool")
_STORAGES = (*_TENSORS, "ComplexDouble", "ComplexFloat")
_QUANTISED = ("QInt32", "QInt8", "QUInt2x4", "QUInt4x2", "QUInt8")
_REBUILDS = ("parameter", "parameter_with_state", "qtensor", "tensor", "tensor_v2", "tensor_v3",
             "sparse_tensor", "meta_tensor_no_storage", "nested_tensor", "wrapper_subclass",
             "device_tensor_from_numpy", "device_tensor_from_cpu_tensor")  # fmt: skip
_PYTHON = ("_codecs.encode", "builtins.bytearray", "builtins.complex", "builtins.set",
           "collections.Counter", "collections.OrderedDict")  # fmt: skip
_TORCH = ("Size", "Tensor", "_tensor._rebuild_from_type_v2", "device", "nn.parameter.Parameter",
          "serialization._get_layout", "storage.TypedStorage",
          "storage.UntypedStorage")  # fmt: skip
GLOBALS = {
    *_PYTHON,
    *(f"torch.{name}" for name in (*_TORCH, *_DTYPES)),
    *(f"torch.{name}Storage" for name in (*_STORAGES, *_QUANTISED)),
    *(f"torch.cuda.{name}Storage" for name in _STORAGES),
    *(f"torch.{part}{name}Tensor" for part in ("", "cuda.") for name in _TENSORS),
    *(f"torch.{part}sparse.{name}Tensor" for part in ("", "cuda.") for name in _SPARSE),
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
    """Return whether torch loads the file; None for a file of another format."""
    if not contents.kind.startswith("torch"):
        return None
    names = {name.replace("__builtin__.", "builtins.") for name in contents.imports}
    return contents.kind != "torch tar" and not contents.faults and (
        names <= GLOBALS and contents.opcodes <= OPCODES
    )  # fmt: skip
