"""Write the results: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.race import Row

_SECTION = re.compile(r"^## +(\w+) *$", re.MULTILINE)


_HEAD = (
    "Written by `make bench` on {date}. All tools run interleaved against one nginx on loopback: "
    "{rounds} unless a row says otherwise, each from an empty cache."
)


@dataclass(frozen=True)
class Target:
    """A goal of ours: the measured value and its limit."""

    what: str
    value: float | None
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is met, or None if nothing was measured."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def cells(self) -> list[str]:
        """Return the cells of a table row: what, limit, measured, met."""
        bound = f"at {'least' if self.at_least else 'most'} {_number(self.limit, self.unit)}"
        if self.value is None:
            return [self.what, bound, "not measured", "not measured"]
        return [self.what, bound, _number(self.value, self.unit), _verdict(self)]


@dataclass(frozen=True)
class Section:
    """One condition: its rows, its targets, and the rows that ratios refer to."""

    key: str
    title: str
    rows: Sequence[Row] = ()
    targets: Sequence[Target] = ()
    ratios: Mapping[str, str] = field(default_factory=dict)  # heading -> name of a row
    remark: str = ""


@dataclass(frozen=True)
class Report:
    """A whole run: date, machine, rounds and every condition."""

    date: str
    machine: Mapping[str, str]
    sections: Sequence[Section]
    rounds: int
    reduced: bool = False


def markdown(report: Report, notes: Mapping[str, str]) -> str:
    """Return the page; a note of notes.md follows the table of its condition."""
    parts = [
        "# Performance",
        _HEAD.format(date=report.date, rounds=_rounds(report.rounds)),
    ]
    if report.reduced:
        parts.append("**A reduced run: sizes and rounds are not those of the targets.**")
    parts.append(_table(["machine", ""], [[key, value] for key, value in report.machine.items()]))
    parts.append(_summary(report.sections))
    for section in report.sections:
        parts += _section(section, report.rounds)
        parts += [notes[section.key].strip()] if section.key in notes else []
    return "\n\n".join(part for part in parts if part) + "\n"


def as_json(report: Report) -> str:
    """Return all values, one for each run."""
    document = asdict(report)
    for section, shown in zip(report.sections, document["sections"], strict=True):
        for target, cells in zip(section.targets, shown["targets"], strict=True):
            cells["met"] = target.met
        for row, cells in zip(section.rows, shown["rows"], strict=True):
            cells["median"] = row.median
    return json.dumps(document, indent=2) + "\n"


def read_notes(path: Path) -> dict[str, str]:
    """Return condition -> text from notes.md, whose headings are the keys of conditions."""
    if not path.exists():
        return {}
    _, *parts = _SECTION.split(path.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _summary(sections: Sequence[Section]) -> str:
    targets = [target for section in sections for target in section.targets]
    if not targets:
        return ""
    met = sum(target.met is True for target in targets)
    unknown = sum(target.met is None for target in targets)
    missed = [s.title for s in sections if any(target.met is False for target in s.targets)]
    text = f"{met} of {len(targets)} targets are met"
    text += f", {unknown} could not be measured" if unknown else ""
    return f"{text}." + (f" Missed: {'; '.join(missed)}." if missed else "")


def _section(section: Section, rounds: int) -> list[str]:
    parts = [f"## {section.title}"]
    if section.rows:
        bases = _bases(section)
        head = ["what", "median", "min", *(f"x {name}" for name in bases), "checked"]
        parts.append(_table(head, [_cells(row, bases, rounds) for row in section.rows]))
    if section.targets:
        head = ["target", "limit", "measured", "met"]
        parts.append(_table(head, [target.cells() for target in section.targets]))
    return [*parts, section.remark]


def _bases(section: Section) -> dict[str, float | None]:
    medians = {row.name: row.median for row in section.rows}
    return {heading: medians.get(name) for heading, name in section.ratios.items()}


def _cells(row: Row, bases: Mapping[str, float | None], rounds: int) -> list[str]:
    if row.median is None or row.least is None:
        blank = ["" for _ in bases]
        return [row.name, row.failure or "not measured", "", *blank, row.checked]
    known = [base if row.unit == "s" else None for base in bases.values()]
    ratios = [f"{row.median / base:.2f}" if base else "" for base in known]
    count = len(row.values)
    runs = f" ({_rounds(count)})" if count != rounds else ""
    median, least = (_number(value, row.unit) for value in (row.median, row.least))
    return [f"{row.name}{runs}", median, least, *ratios, row.checked]


def _rounds(number: int) -> str:
    return f"{number} round{'s' if number > 1 else ''}"


def _verdict(target: Target) -> str:
    if target.met:
        return "yes"
    assert target.value is not None  # noqa: S101 - for mypy: a verdict needs a value
    return f"**no**, by {_number(abs(target.value - target.limit), target.unit)}"


def _number(value: float, unit: str) -> str:
    digits = {"s": 3 if abs(value) < 10 else 1, "MB": 1, "": 3, "runs": 0}.get(unit, 2)  # noqa: PLR2004
    return f"{value:,.{digits}f} {unit}".strip()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in lines
    )
