"""The rows for a person: a table for each family on a terminal, tab-separated text elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.catalogue.params import TREE
from scripts.checkout import state
from scripts.checkout.state import Place
from scripts.console.listing import printable
from scripts.console.progress import note, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

    from scripts.views.rows import Row, Rows

_GAP = 2  # cells of the terminal between two columns
_LEAST = 4  # cells of a column
_CUT = ".."  # stands for what is left out; not every terminal has an ellipsis
_LICENCE = "LicenseRef-"  # before the name of a licence that SPDX does not list
_STYLES = {"grey": "dim", "orange": "dark_orange"}  # as rich calls these colours
_YES = {True: "yes", False: "no", None: ""}
_FIELDS = "file", "bytes", "state", "sets", "configurations", "licence", "host"


def show(found: Rows, *, hashes: bool = False, silent: bool = False) -> None:
    """Print rows, their sum and an advice; raise OutputError.

    Without a terminal, sum and advice are on stderr, unless `silent`: stdout has rows alone.
    """
    if sys.stdout and sys.stdout.isatty():
        say(_drawn(found, hashes=hashes))
        return
    say("\n".join("\t".join(cells) for cells in _plain(found.rows, hashes=hashes)))
    if not silent:
        note("\n".join(_closing(found)))


def _plain(rows: Sequence[Row], *, hashes: bool) -> Iterator[list[str]]:
    """Yield the cells of every line: whole paths, sizes in bytes."""
    asked = any(row.on_remote is not None for row in rows)
    yield [*_FIELDS, *["remote"] * asked, *["md5", "sha256"] * hashes]
    for row in rows:
        size = "" if row.size is None else f"{'~' * row.estimated}{row.size}"
        users = [",".join(row.sets), ",".join(row.configurations)]
        cells = [row.path, size, row.place.word, *users, row.license or "", row.host or ""]
        cells += [_YES[row.on_remote]] * asked
        cells += [row.md5 or "", row.sha256 or ""] * hashes
        yield [printable(cell) for cell in cells]


def _closing(found: Rows) -> Iterator[str]:
    yield found.head.sum
    words, why = next(iter(found.head.steps().items()))
    yield f"Next: ./checkpoints {words}  ({why})"


@dataclass(frozen=True)
class _Column:
    """A column: its text for a row and a width, in cells; the table may grow it to `most`."""

    title: str
    text: Callable[[Row, int], str]
    least: int
    most: int
    right: bool = False

    def cell(self, text: str, width: int) -> str:
        """Return a text that takes exactly this width."""
        from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - for a terminal alone

        indent = " " * (width - cell_len(text)) if self.right else ""
        return set_cell_size(indent + text, width)


def _file(row: Row, width: int) -> str:
    return _short(row.name + "/" * row.path.endswith("/"), width)


def _users(row: Row, width: int) -> str:
    """Return the sets and configurations that need a file: as many as fit, and a number."""
    names = [*row.sets, *row.configurations]
    shown = ", ".join(names)
    for left in range(1, len(names)):
        if len(shown) <= width:
            break
        shown = f"{', '.join(names[:-left])} +{left}"
    return _short(shown, width)


_FILE = _Column("file", _file, 20, 60)
_SIZE = _Column("size", lambda row, _: row.shown, 9, 9, right=True)
_STATE = _Column("state", lambda row, _: row.place.word, 12, 12)
_REMOTE = _Column("remote", lambda row, _: _YES[row.on_remote], 6, 6)
_USERS = _Column("needed by", _users, 11, 60)
_LICENCES = _Column(
    "licence", lambda row, width: _short((row.license or "").removeprefix(_LICENCE), width), 12, 17
)
_HOST = _Column("host", lambda row, width: _short(row.host or "", width), 14, 40)
_COLUMNS = _FILE, _SIZE, _STATE, _REMOTE, _USERS, _LICENCES, _HOST
_ALWAYS = _FILE, _STATE
_IMPORTANT = *_ALWAYS, _SIZE, _REMOTE, _LICENCES, _USERS, _HOST


def _short(text: str, width: int) -> str:
    """Return a text that can be printed and fits: names differ most at their ends."""
    text = printable(text)
    if len(text) <= width:
        return text
    end = (width - len(_CUT)) * 2 // 3
    return f"{text[: width - len(_CUT) - end]}{_CUT}{text[len(text) - end :]}"


def _drawn(found: Rows, *, hashes: bool) -> str:
    """Return the tables as a terminal shows them."""
    from rich.console import Console  # noqa: PLC0415 - for a terminal alone

    console = Console(highlight=False)  # NO_COLOR and TERM=dumb are respected
    with console.capture() as drawn:
        widths = _widths(found.rows, console.width)
        if found.rows:
            titles = (column.cell(column.title, width) for column, width in widths.items())
            _print(console, (f"  {(' ' * _GAP).join(titles)}", "dim"))
        for family, rows in _families(found.rows).items():
            _print(console, *_heading(family, rows, console.width))
            for row in rows:
                _print(console, *_line(row, widths))
                for hashed in _hashes(row) if hashes else ():
                    console.print(hashed, style="dim", markup=False, soft_wrap=True)
        for line in ["", *_closing(found)]:
            console.print(line, markup=False, soft_wrap=True)
    return drawn.get().rstrip("\n")


def _print(console: Console, *parts: str | tuple[str, str]) -> None:
    """Print a line that must not wrap; a part may be a text and its style."""
    from rich.text import Text  # noqa: PLC0415

    line = Text.assemble(*parts)
    line.rstrip()
    console.print(line, no_wrap=True, overflow="crop", crop=True)


def _families(rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.family, []).append(row)
    return found


def _widths(rows: Sequence[Row], room: int) -> dict[_Column, int]:
    """Return the columns that a terminal has room for, and the width of each, in cells."""
    asked = any(row.on_remote is not None for row in rows)
    wanted = {
        column: max(len(column.title), *(len(column.text(row, column.most)) for row in rows))
        for column in _IMPORTANT
        if rows and (column is not _REMOTE or asked)
    }
    found: dict[_Column, int] = {}
    room -= _GAP  # for the mark
    for column, wide in wanted.items():
        least = min(wide, column.least)
        if least > room and column not in _ALWAYS:
            break
        found[column] = least
        room -= least + _GAP
    room += _GAP
    for column, least in found.items():  # the first one takes what is too little, too
        more = min(wanted[column] - least, room)
        found[column], room = max(least + more, _LEAST), room - more
    return {column: found[column] for column in _COLUMNS if column in found}


def _heading(family: str, rows: Sequence[Row], room: int) -> Iterator[tuple[str, str]]:
    """Yield the name of a family, and how much of it is here in as many words as fit."""
    name = printable(family or TREE)
    yield name, "bold"
    known = [row for row in rows if row.place is not Place.STRAY]
    whole = state.here(known)
    fits = next((text for text in (whole, whole.partition(" file")[0])
                 if len(name) + _GAP + len(text) <= room), "")  # fmt: skip
    yield " " * _GAP + fits if known else "", "dim"


def _line(row: Row, widths: Mapping[_Column, int]) -> Iterator[tuple[str, str]]:
    style = _STYLES.get(row.place.colour, row.place.colour)
    yield f"{row.place.mark} ", style
    for column, width in widths.items():
        text = column.cell(column.text(row, width), width) + " " * _GAP
        yield text, style if column is _STATE else ""


def _hashes(row: Row) -> Iterator[str]:
    for kind in ("md5", "sha256"):
        if value := getattr(row, kind):
            yield f"    {kind:<6} {value}"
