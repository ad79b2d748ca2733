"""Results for a growing catalogue: tables, growth, and the sizes that remain comfortable."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COMFORT = 10.0  # seconds that a person is ready to wait for `dvc status`


@dataclass(frozen=True)
class Measured:
    """One command: elapsed seconds, processor seconds, peak bytes.

    No peak: it was stopped at the limit. No seconds: it was not started.
    """

    seconds: float
    processor: float
    peak: int | None

    def cell(self) -> str:
        """Return the cell of the table."""
        if not self.seconds:
            return "not measured"
        if self.peak is None:
            return f"more than {self.seconds:.0f} s"
        return f"{self.seconds:.1f} s ({self.processor:.1f}), {self.peak / 1e6:.0f} MB"


@dataclass
class Results:
    """(layout, entries, command) -> measurement; nothing here is assumed.

    `pulls`: number of entries -> reads of a pull beside those of the objects, and its lists.
    """

    limit: float
    facts: dict[str, str] = field(default_factory=dict)
    cells: dict[tuple[str, int, str], Measured] = field(default_factory=dict)
    pulls: dict[int, tuple[int, int]] = field(default_factory=dict)


def table(results: Results, command: str) -> str:
    """Return the Markdown table of a command: a row per layout, a column per size, the growth."""
    sizes = sorted({number for _, number, _ in results.cells})
    rows = [["layout", *(f"{size:,}" for size in sizes), "growth"], ["---"] * (len(sizes) + 2)]
    for layout in dict.fromkeys(layout for layout, _, _ in results.cells):
        cells = [results.cells[layout, size, command] for size in sizes]
        rows.append([layout, *(cell.cell() for cell in cells), _growth(cells)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _growth(cells: Sequence[Measured]) -> str:
    """Return the growth of processor time from one size to the next."""
    return ", ".join(
        f"x {b.processor / a.processor:.1f}" if b.peak else "?"
        for a, b in itertools.pairwise(cells)
        if a.peak
    )


def comfortable(results: Results) -> str:
    """Return a list: the largest measured size at which each layout stays within the limit."""
    lines = []
    for layout in dict.fromkeys(layout for layout, _, _ in results.cells):
        cells = {
            n: c for (of, n, name), c in results.cells.items() if (of, name) == (layout, "status")
        }
        good = [number for number, cell in cells.items() if cell.peak and cell.processor <= COMFORT]
        bound = f"up to {max(good):,} entries" if good else "at no size measured"
        lines.append(f"- {layout}: {bound}")
    return "\n".join(lines)
