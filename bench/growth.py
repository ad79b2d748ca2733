"""What was measured of a growing catalogue, and what it says: tables, growth, what is bearable."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COMFORT = 10.0  # seconds that a person waits for `dvc status` without leaving


@dataclass(frozen=True)
class Measured:
    """One command: seconds, those of the processor, peak bytes.

    Without a peak it was ended at the limit; with no seconds it was not even begun.
    """

    seconds: float
    processor: float
    peak: int | None

    def cell(self) -> str:
        """Return what the table says."""
        if not self.seconds:
            return "not measured"
        if self.peak is None:
            return f"more than {self.seconds:.0f} s"
        return f"{self.seconds:.1f} s ({self.processor:.1f}), {self.peak / 1e6:.0f} MB"


@dataclass
class Results:
    """(layout, entries, command) -> what was measured, and by what; never an assumption.

    `pulls`: number of entries -> a pull's lists, after its reads beside those of the objects.
    """

    limit: float
    facts: dict[str, str] = field(default_factory=dict)
    cells: dict[tuple[str, int, str], Measured] = field(default_factory=dict)
    pulls: dict[int, tuple[int, int]] = field(default_factory=dict)


def table(results: Results, command: str) -> str:
    """Return one command's Markdown table: a row a layout, a column a size, the growth last."""
    sizes = sorted({number for _, number, _ in results.cells})
    rows = [["layout", *(f"{size:,}" for size in sizes), "growth"], ["---"] * (len(sizes) + 2)]
    for layout in dict.fromkeys(layout for layout, _, _ in results.cells):
        cells = [results.cells[layout, size, command] for size in sizes]
        rows.append([layout, *(cell.cell() for cell in cells), _growth(cells)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _growth(cells: Sequence[Measured]) -> str:
    """Return by how much the processor's time grows from one size to the next."""
    return ", ".join(
        f"x {b.processor / a.processor:.1f}" if b.peak else "?"
        for a, b in itertools.pairwise(cells)
        if a.peak
    )


def comfortable(results: Results) -> str:
    """Return a list: up to how many measured entries each layout answers within the limit."""
    told = []
    for layout in dict.fromkeys(layout for layout, _, _ in results.cells):
        cells = {
            n: c for (of, n, name), c in results.cells.items() if (of, name) == (layout, "status")
        }
        good = [number for number, cell in cells.items() if cell.peak and cell.processor <= COMFORT]
        bound = f"up to {max(good):,} entries" if good else "at no size measured"
        told.append(f"- {layout}: {bound}")
    return "\n".join(told)
