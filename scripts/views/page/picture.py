"""The treemap as a picture by itself: every file of the catalogue, and what the first fetch gets.

It is the same in every clone, so that it can be in git: no state of a machine is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, tostring

from scripts.catalogue.params import COMPLETE, MINIMAL
from scripts.checkout.state import Place
from scripts.views.page import html, treemap
from scripts.views.page.markup import SVG, node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOP, _BOTTOM, _EDGE = 74, 40, 24
_STYLE = """
text { font-family: var(--sans); fill: var(--ink); }
.title { font-size: 24px; font-weight: 650; }
.line { font-size: 14px; fill: var(--soft); }
.paper { fill: var(--bg); }
.box { fill: var(--state); }
.sign { font: 700 12px var(--mono); fill: var(--bg); }
"""


def render(document: dict[str, Any]) -> str:
    """Return the picture of a public document as SVG."""
    files = list(_after_the_first_fetch(document["files"]))
    width, height = treemap.SHAPES["wide"]
    whole = width + 2 * _EDGE, height + _TOP + _BOTTOM
    drawing = node("svg", xmlns=SVG, viewBox=f"0 0 {whole[0]} {whole[1]}", role="img")
    colours = html.part("colours.css")
    drawing.extend([node("title", document["title"]), node("style", colours + _STYLE)])
    drawing.append(node("rect", width=whole[0], height=whole[1], rx=8, class_="paper"))
    drawing.extend(list(_heading(document, files)))
    map_ = _still(treemap.svg(files, "wide", html.hues(files)))
    map_.attrib |= {"x": str(_EDGE), "y": str(_TOP), "width": str(width), "height": str(height)}
    drawing.append(map_)
    drawing.extend(list(_legend(files, height + _TOP + 25)))
    return tostring(drawing, "unicode") + "\n"


def _after_the_first_fetch(files: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the files with the places that they have after it; without a first set, after all."""
    files = list(files)
    first = {file["path"] for file in files if MINIMAL in file["sets"]}
    for file in files:
        here = not first or file["path"] in first
        yield file | {"place": (Place.IN_PLACE if here else Place.MISSING).value}


def _heading(document: dict[str, Any], files: list[dict[str, Any]]) -> Iterator[Element]:
    here = [file for file in files if file["place"] == Place.IN_PLACE.value]
    fetched = MINIMAL if len(here) < len(files) else COMPLETE
    after = f"; after `./checkpoints fetch {fetched}`, {len(here)} are in place" if files else ""
    line = f"{html.summed(files)}{after}"
    yield node("text", document["title"], x=_EDGE, y=38, class_="title")
    yield node("text", line, x=_EDGE, y=61, class_="line")


def _legend(files: list[dict[str, Any]], y: int) -> Iterator[Element]:
    x = _EDGE
    for place in Place:
        if any(file["place"] == place.value for file in files):
            box = node("rect", x=x, y=y - 13, width=17, height=17, rx=3, class_="box")
            sign = node("text", place.mark, x=x + 5, y=y, class_="sign")
            word = node("text", place.word, x=x + 25, y=y, class_="line")
            yield node("g", box, sign, word, class_=f"state-{place.option}")
            x += 25 + 9 * len(place.word) + 24


def _still(map_: Element) -> Element:
    """Return a treemap without what only a page can use."""
    for each in map_.iter():
        each.tag = "g" if each.tag == "a" else each.tag
        for name in ("href", "data-path", "aria-label", "id", "role"):
            each.attrib.pop(name, None)
    return map_
