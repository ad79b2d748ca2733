"""What is read of a pickle: plain values, and inert nodes for everything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap
    from typing import TypeAlias

    Data: TypeAlias = bytes | mmap.mmap
    Plain: TypeAlias = bool | int | float | str | bytes | None
    Value: TypeAlias = "Plain | Node"


@dataclass(eq=False, slots=True)
class Node:
    """What is no plain value: a container, an import, a call, or a value that is not known."""

    kind: str
    items: list[Value] = field(default_factory=list)
    name: str = ""  # of an import
    of: Value = None  # what a call calls
    state: Value = None  # what BUILD gave to a call


@dataclass(frozen=True)
class Pickle:
    """One pickle: its value, its imports in order, and the index of the first byte after it."""

    value: Value
    imports: tuple[str, ...]
    opcodes: frozenset[str]
    operations: int
    end: int
    fault: str | None
