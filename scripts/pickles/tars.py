"""The pickles of torch's first file format, a tar, with raw numbers between them to skip.

As torch.serialization reads it: storages are a count, then for each storage a pickle, the number
of elements and the elements, then a pickle of views. Tensors have sizes and strides instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.console.errors import PickleError
from scripts.pickles.unpickler import Node

if TYPE_CHECKING:
    import tarfile

    from scripts.pickles.contents import Contents
    from scripts.pickles.unpickler import Data, Pickle

MEMBERS = ("storages", "tensors", "pickle")
_BYTES = {"Double": 8, "Long": 8, "Float": 4, "Int": 4, "Half": 2, "BFloat16": 2, "Short": 2,
          "Char": 1, "Byte": 1, "Bool": 1}  # fmt: skip # an element of such a storage


def follow_all(contents: Contents, data: Data, info: tarfile.TarInfo) -> None:
    """Add the pickles of a member of the tar `data`; raise PickleError if it is broken."""
    member, start = info.name, info.offset_data
    first = contents.add(f"{member} 0", contents.follow(data, start))
    if member == "pickle":
        return
    if not isinstance(first.value, int) or not 0 <= first.value <= info.size:
        raise PickleError(f"{member}: it does not begin with a count")
    position = first.end
    for number in range(1, first.value + 1):
        pickle = contents.add(f"{member} {number}", contents.follow(data, position))
        if pickle.fault:
            return
        position = _after(data, member, pickle)
        if not start < position <= start + info.size:
            raise PickleError(f"{member}: its numbers exceed the member")
    if member == "storages":
        contents.add(f"{member} {first.value + 1}", contents.follow(data, position))


def _after(data: Data, member: str, pickle: Pickle) -> int:
    """Return the end of the numbers that follow a pickle, or -1."""
    head, body = pickle.end, pickle.end + 8
    if member == "tensors":  # dimensions, sizes and strides, offset
        dimensions = int.from_bytes(data[head : head + 4], "little", signed=True)
        return body + 16 * dimensions + 8 if dimensions >= 0 else -1
    count = int.from_bytes(data[head:body], "little", signed=True)
    return body + count * _element(pickle) if count >= 0 else -1


def _element(pickle: Pickle) -> int:
    match pickle.value:
        case Node(kind="tuple", items=[_, _, Node(kind="import", name=name)]):
            kind = name.removeprefix("torch.").removeprefix("cuda.").removesuffix("Storage")
            if kind in _BYTES:
                return _BYTES[kind]
    raise PickleError("storages: an unknown type of storage")
