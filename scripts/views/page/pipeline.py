"""The pipeline as a picture: the stages of dvc.yaml and the seal, as `dvc dag` connects them.

Stages that download are drawn by family. An arrow that others imply is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.catalogue import names
from scripts.catalogue.params import TREE
from scripts.views.page.markup import node, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from xml.etree.ElementTree import Element

    from scripts.catalogue.stages import Stage

    Edges = Mapping[str, set[str]]  # a stage -> the stages that need it

_MOST = 6  # stages of one box that are named
_LINE, _HEAD, _PAD, _GAP, _ACROSS = 15.0, 20.0, 7.0, 12.0, 84.0
_LETTER = 6.7


def edges(stages: Iterable[Stage]) -> dict[str, set[str]]:
    """Return which stages need what each one makes: a file, a folder of it, or what is in one."""
    stages, makers = list(stages), dict[str, set[str]]()
    for stage in stages:
        for out in stage.outs:
            for above in (out, *map(str, PurePosixPath(out).parents)):
                makers.setdefault(above, set()).add(stage.name)
    whole = {out: stage.name for stage in stages for out in stage.outs}
    found: dict[str, set[str]] = {stage.name: set() for stage in stages}
    for stage in stages:
        for dep in stage.deps:
            within = (whole.get(str(above)) for above in PurePosixPath(dep).parents)
            for maker in {*makers.get(dep, ()), *filter(None, within)} - {stage.name}:
                found[maker].add(stage.name)
    return found


def reduced(graph: Edges) -> dict[str, set[str]]:
    """Return the edges that no path of others implies; the graph has no cycle."""
    below: dict[str, set[str]] = {}

    def reach(name: str) -> set[str]:
        if name not in below:
            below[name] = set().union(*({to} | reach(to) for to in graph[name]))
        return below[name]

    return {
        name: {to for to in after if not any(to in reach(other) for other in after - {to})}
        for name, after in graph.items()
    }


@dataclass
class _Box:
    """A stage, or stages that download one family, and where it is drawn."""

    title: str
    stages: list[str]
    layer: int
    grouped: bool = False
    x: float = 0
    y: float = 0
    width: float = 0
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Name the first stages, and count the others."""
        if self.grouped:
            more = len(self.stages) - _MOST
            self.lines = self.stages if more <= 1 else self.stages[:_MOST]
            self.lines = [*self.lines, *([f"and {more} more"] if more > 1 else [])]
        self.width = max(map(len, [self.title, *self.lines])) * _LETTER + 2 * _PAD + 6

    @property
    def height(self) -> float:
        return _HEAD + len(self.lines) * _LINE + _PAD

    def port(self, stages: set[str]) -> float:
        """Return how far down an arrow leaves that is of these stages alone."""
        if stages >= set(self.stages):
            return self.y + self.height / 2
        at = min(*map(self.stages.index, stages), len(self.lines) - 1)
        return self.y + _HEAD + (at + 0.5) * _LINE


def svg(stages: Sequence[Stage]) -> Element:
    """Return the picture."""
    graph = reduced(edges(stages))
    boxes = _boxes(stages, graph)
    width, height = _place(boxes)
    drawing = node(
        "svg", node("title", "The stages of the pipeline"), id="pipeline-svg", class_="pipeline",
        viewBox=f"0 0 {number(width)} {number(height)}", width=number(width),
        height=number(height), role="img",
    )  # fmt: skip
    drawing.extend(list(chain(_arrows(boxes, graph), map(_drawn, boxes))))
    return drawing


def outline(stages: Sequence[Stage]) -> Element:
    """Return the same as a list: each stage with those that need it."""
    graph = reduced(edges(stages))
    items = []
    for box in _boxes(stages, graph):
        needed = sorted(set().union(*(graph[name] for name in box.stages)))
        title = f"{box.title}: {', '.join(box.lines)}" if box.grouped else box.title
        items.append(node("li", f"{title}{' → ' + ', '.join(needed) if needed else ''}"))
    return node("details", node("summary", "The same as a list"), node("ul", *items))


def _boxes(stages: Sequence[Stage], graph: Edges) -> list[_Box]:
    """Return boxes by layers: each is to the right of all that it needs."""
    layers = _layers(graph)
    families: dict[str, list[str]] = {}
    single: list[_Box] = []
    for stage in stages:
        if layers[stage.name] == 0 and any(out.startswith(f"{TREE}/") for out in stage.outs):
            families.setdefault(names.family(stage.outs[0]), []).append(stage.name)
        else:
            single.append(_Box(stage.name, [stage.name], layers[stage.name]))
    grouped = [_Box(name, held, 0, grouped=True) for name, held in families.items()]
    return sorted([*grouped, *single], key=lambda box: box.layer)


def _layers(graph: Edges) -> dict[str, int]:
    """Return the longest way to each stage."""
    before: dict[str, set[str]] = {name: set() for name in graph}
    for name, after in graph.items():
        for to in after:
            before[to].add(name)
    found: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in found:
            found[name] = max((layer(each) + 1 for each in before[name]), default=0)
        return found[name]

    for name in graph:
        layer(name)
    return found


def _place(boxes: Sequence[_Box]) -> tuple[float, float]:
    """Put each layer into a column, and return the size of the whole."""
    columns: dict[int, list[_Box]] = {}
    for box in boxes:
        columns.setdefault(box.layer, []).append(box)
    heights = {at: sum(box.height + _GAP for box in held) - _GAP for at, held in columns.items()}
    tallest, x = max(heights.values(), default=0), 1.0
    for at, held in sorted(columns.items()):
        y, widest = (tallest - heights[at]) / 2 + 1, max(box.width for box in held)
        for box in held:
            box.x, box.y, box.width = x, y, widest
            y += box.height + _GAP
        x += widest + _ACROSS
    return max(x - _ACROSS + 1, 1), tallest + 2


def _arrows(boxes: Sequence[_Box], graph: Edges) -> Iterator[Element]:
    at = {name: box for box in boxes for name in box.stages}
    for box in boxes:
        targets: dict[str, set[str]] = {}
        for name in box.stages:
            for to in graph[name]:
                targets.setdefault(to, set()).add(name)
        for to, sources in targets.items():
            other = at[to]
            yield _arrow(box.x + box.width, box.port(sources), other.x, other.y + other.height / 2)


def _arrow(x: float, y: float, to_x: float, to_y: float) -> Element:
    middle, end = (x + to_x) / 2, to_x - 5
    line = _path("M", (x, y), "C", (middle, y), (middle, to_y), (end, to_y))
    head = _path("M", (end, to_y - 3.5), "L", (to_x, to_y), (end, to_y + 3.5), "Z")
    return node("g", node("path", d=line, class_="edge"), node("path", d=head, class_="tip"))


def _path(*parts: str | tuple[float, float]) -> str:
    return " ".join(p if isinstance(p, str) else f"{number(p[0])} {number(p[1])}" for p in parts)


def _drawn(box: _Box) -> Element:
    group = node(
        "g",
        node("rect", x=number(box.x), y=number(box.y), width=number(box.width),
             height=number(box.height), rx=4),
        node("text", box.title, x=number(box.x + _PAD), y=number(box.y + 17), class_="title"),
        class_="box",
    )  # fmt: skip
    for at, line in enumerate(box.lines):
        y = box.y + _HEAD + (at + 1) * _LINE - 3
        group.append(node("text", line, x=number(box.x + _PAD), y=number(y)))
    return group
