"""What is found in a checkpoint: imports, opcodes and faults, and none of what it would build."""

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
    """What a file is, what its pickles ask for, what is wrong with it, and what may yet be read."""

    kind: str
    imports: dict[str, None] = field(default_factory=dict)  # in the order they are met in
    opcodes: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    operations: int = MOST  # left of what all pickles of a file may have
    room: int = LARGEST  # bytes; left of what may be unpacked into memory

    def follow(self, data: Data, start: int = 0) -> Pickle:
        """Read a pickle, in as many operations as are left."""
        pickle = follow(data, start, most=self.operations)
        self.operations -= pickle.operations
        return pickle

    def following(self, data: Data, start: int = 0) -> Iterator[Pickle]:
        """Yield one pickle after another until the bytes end, or are none."""
        while start < len(data):
            pickle = self.follow(data, start)
            yield pickle
            if pickle.fault:
                return
            start = pickle.end

    def add(self, where: str, pickle: Pickle) -> None:
        """Take in what a pickle asks for, and its fault."""
        self.imports |= dict.fromkeys(pickle.imports)
        self.opcodes |= pickle.opcodes
        if pickle.fault:
            self.faults.append(f"{where}: {pickle.fault}")
