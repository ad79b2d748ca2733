"""What is found in a checkpoint: its imports, opcodes and faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.pickles.unpickler import MOST, follow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.pickles.unpickler import Data, Pickle

LARGEST = 64 << 20  # bytes of all pickles in a zip; the largest here has some hundred thousand


@dataclass
class Contents:
    """The kind of a file, the imports and faults of its pickles, and the limits that remain."""

    kind: str
    imports: dict[str, None] = field(default_factory=dict)  # in order
    opcodes: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    operations: int = MOST  # that remain for all pickles of the file
    room: int = LARGEST  # bytes that may still be unpacked into memory

    def follow(self, data: Data, start: int = 0) -> Pickle:
        """Read the pickle at `start`, within the operations that remain."""
        pickle = follow(data, start, most=self.operations)
        self.operations -= pickle.operations
        return pickle

    def following(self, data: Data, start: int = 0) -> Iterator[Pickle]:
        """Yield one pickle after another until the bytes end or one is broken."""
        while start < len(data):
            pickle = self.follow(data, start)
            yield pickle
            if pickle.fault:
                return
            start = pickle.end

    def add(self, where: str, pickle: Pickle) -> Pickle:
        """Add the imports, opcodes and fault of a pickle, and return it."""
        self.imports |= pickle.imports
        self.opcodes |= pickle.opcodes
        if pickle.fault:
            self.faults.append(f"{where}: {pickle.fault}")
        return pickle
