"""A treemap: every file a cell of its size, within its family, in two shapes of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from scripts.checkout.state import PLACES
from scripts.console.progress import shortened
from scripts.views.page.markup import fragment, node, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from xml.etree.ElementTree import Element

    File = dict[str, Any]

SHAPES = {"wide": (1080, 460), "tall": (360, 620)}  # units, which are pixels at this size
_HEAD = 17.0  # the line with the name of a family
_LEAST = 30.0  # square units; what is smaller shares a cell with its neighbours
_LINE = 14.0
_EDGE = 5.0  # from the edge of a cell to its text
_LETTER, _BOLD = 6.3, 1.15  # the usual width of one, at 11 units; how much wider a bold one is
_SHORTEST = 6  # letters of a name that are worth showing


@dataclass(frozen=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Its area."""
        return self.width * self.height

    def inset(self, by: float, head: float = 0) -> Box:
        """Return the box without a margin, and without what `head` takes of its top."""
        width, height = max(self.width - 2 * by, 0), max(self.height - 2 * by - head, 0)
        return Box(self.x + by, self.y + by + head, width, height)


def squarified(weights: Sequence[float], box: Box) -> list[Box]:
    """Return a box for each weight, which fall, as nearly square as can be (Bruls et al., 2000)."""
    found: list[Box] = []
    rest, left = list(weights), box
    while rest:
        scale, side = left.area / sum(rest), min(left.width, left.height)
        count, best = 1, _worst(rest[:1], scale, side)
        while count < len(rest) and (next_ := _worst(rest[: count + 1], scale, side)) <= best:
            count, best = count + 1, next_
        row, rest = rest[:count], rest[count:]
        boxes, left = _row(row, scale, left)
        found += boxes
    return found


def _worst(row: Sequence[float], scale: float, side: float) -> float:
    """Return the ratio of the longest box of a row along a side."""
    thick = sum(row) * scale / side if side else 0
    return max(
        (max(thick**2 / each, each / thick**2) if thick else 1) for each in (w * scale for w in row)
    )


def _row(row: Sequence[float], scale: float, box: Box) -> tuple[list[Box], Box]:
    """Return the boxes of a row along the shorter side of a box, and what is left of that."""
    flat = box.width >= box.height
    side = box.height if flat else box.width
    thick = sum(row) * scale / side if side else 0
    boxes, at = [], 0.0
    for weight in row:
        long = side * weight / sum(row)
        if flat:
            boxes.append(Box(box.x, box.y + at, thick, long))
        else:
            boxes.append(Box(box.x + at, box.y, long, thick))
        at += long
    if flat:
        return boxes, Box(box.x + thick, box.y, max(box.width - thick, 0), box.height)
    return boxes, Box(box.x, box.y + thick, box.width, max(box.height - thick, 0))


def svg(files: Sequence[File], shape: str, hues: dict[str, int]) -> Element:
    """Return the picture of files: a cell, which is a link to the row of the file, for each."""
    width, height = SHAPES[shape]
    drawing = node(
        "svg",
        class_=f"treemap {shape}",
        id=f"treemap-{shape}",
        viewBox=f"0 0 {width} {height}",
        role="group",
        aria_label="Treemap: an area for each file, by size, within its family",
    )
    families = _families(files)
    boxes = squarified([_sum(held) for _, held in families], Box(0, 0, width, height))
    for (name, held), box in zip(families, boxes, strict=True):
        drawing.append(_family(name, held, box, hues[name]))
    return drawing


def _families(files: Sequence[File]) -> list[tuple[str, list[File]]]:
    """Return the families and their files, the largest first."""
    known = [file["size"] for file in files if file["size"]]
    least = min(known, default=1)
    weighed = [{**file, "weight": file["size"] or least} for file in files]
    key = lambda file: file["family"]  # noqa: E731 - used twice, here alone
    held = [(name, list(each)) for name, each in groupby(sorted(weighed, key=key), key)]
    for _, each in held:
        each.sort(key=lambda file: -file["weight"])
    return sorted(held, key=lambda pair: -_sum(pair[1]))


def _sum(files: Iterable[File]) -> float:
    return float(sum(file["weight"] for file in files))


def _family(name: str, files: list[File], box: Box, hue: int) -> Element:
    inner = box.inset(1.5)
    group = node("g", class_=f"family hue{hue}", data_family=name)
    room = _letters((inner.width - _EDGE) / _BOLD)
    head = _HEAD if inner.height > 3 * _HEAD and room >= min(len(name), _SHORTEST) else 0
    if head:
        group.append(_text(shortened(name, room), at=inner, down=_LINE - 2, class_="head"))
    group.extend(list(_cells(files, inner.inset(0, head))))
    return group


def _cells(files: list[File], box: Box) -> Iterator[Element]:
    """Yield the cells of a family; those too small to be seen share the last one."""
    boxes = squarified([file["weight"] for file in files], box)
    shown = [each.area >= _LEAST for each in boxes].count(True) if len(files) > 1 else 1
    if shown < len(files) - 1:
        weights = [*(file["weight"] for file in files[:shown]), _sum(files[shown:])]
        *boxes, rest = squarified(weights, box)
        words = f"{len(files) - shown} smaller files"
        yield node("g", _rect(rest), class_="rest", role="img", aria_label=words)
        files = files[:shown]
    for file, each in zip(files, boxes, strict=True):
        yield _cell(file, each)


def _cell(file: File, box: Box) -> Element:
    place = PLACES.get(file["place"])
    made = node(
        "a",
        _rect(box),
        href=fragment(file["path"]),
        class_=f"cell state-{place.option}" if place else "cell",
        data_path=file["path"],
        aria_label=", ".join([file["name"], file["shown"], *([place.word] if place else [])]),
    )
    if box.height > _LINE + 3 and box.width > 2 * _LETTER + _EDGE:
        room = _letters(box.width - 2 * _EDGE) - 3
        name = _label(file["name"], room) if room >= _SHORTEST else ""
        mark = f"{place.mark} " if place else ""
        made.append(_text(node("tspan", mark), name, at=box, down=_LINE, class_="name"))
        if name and box.height > 2 * _LINE + 6 and len(file["shown"]) <= room + 2:
            size = _text(file["shown"], at=box, down=2 * _LINE + 1, class_="size")
            made.append(size)
    return made


def _label(name: str, room: int) -> str:
    """Return as much of a name as there is room for; its ending goes first."""
    return name if len(name) <= room else shortened(PurePosixPath(name).stem, room)


def _rect(box: Box) -> Element:
    at = box.inset(0.75)
    size = {"width": number(at.width), "height": number(at.height)}
    return node("rect", x=number(at.x), y=number(at.y), rx=2, **size)


def _text(*inside: str | Element, at: Box, down: float, class_: str) -> Element:
    return node("text", *inside, x=number(at.x + _EDGE), y=number(at.y + down), class_=class_)


def _letters(width: float) -> int:
    return int(width / _LETTER)
