"""What a pickle would build, as inert data: nothing here is a class or a function of its world."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    Plain: TypeAlias = bool | int | float | str | bytes | None
    Value: TypeAlias = "Plain | Node"


@dataclass(eq=False, slots=True)
class Node:
    """What is no plain value: a container, an import by name, a call, or something not followed."""

    kind: str
    items: list[Value] = field(default_factory=list)
    name: str = ""  # of an import
    of: Value = None  # what a call calls
    state: Value = None  # what BUILD gave to a call
