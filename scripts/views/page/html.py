"""The page: index.html with what `data` has collected, and all that it needs, within it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from scripts.catalogue.urls import host_of
from scripts.checkout.state import PLACES, Place, shown
from scripts.console.progress import counted
from scripts.views.page import pipeline, treemap
from scripts.views.page.markup import markup, node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from xml.etree.ElementTree import Element

    from scripts.catalogue.stages import Stage

_HUES = 12
_FOLDER = Path(__file__).parent
# What would end the element or, in old JavaScript, the line.
_ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}
_NONE = "none"
_HINT = "Choose a file to see its details. The arrow keys move from cell to cell."
_EMPTY = "The catalogue is empty. To add a file: <code>./checkpoints import-url --help</code>"
_DRIFTED = ("changed", "gone")


def render(document: dict[str, Any], stages: Sequence[Stage] = ()) -> str:
    """Return the page of a document, with a picture of stages, as HTML."""
    files = document["files"]
    colours = hues(files)
    style, script = part("colours.css") + part("style.css"), part("app.js")
    filled = {
        "kind": "public" if document["public"] else "own",
        "policy": policy(style, script),
        "title": html.escape(document["title"]),
        "style": style,
        "script": script,
        "data": embedded(document),
        "hint": _HINT if files else _EMPTY,
        "facts": markup(*_facts(document)),
        "faults": markup(*_faults(document["faults"])),
        "treemap": markup(*(treemap.svg(files, shape, colours) for shape in treemap.SHAPES)),
        "legend": markup(*_legend(files)),
        "filters": markup(*_filters(files)),
        "rows": markup(*(_row(file, colours) for file in files)),
        "count": html.escape(count(files)),
        "pipeline": markup(pipeline.svg(stages)),
        "outline": markup(pipeline.outline(stages)),
        "unseen": markup(*_unseen(document["sources"])),
        "sources": markup(*map(_source, document["sources"])),
        "changes": markup(*map(_change, document["changes"])),
        "seal": markup(*_seal(document)),
    }
    return Template(part("index.html")).substitute(filled)


def embedded(document: dict[str, Any]) -> str:
    """Return a document as JSON that nothing in it can end."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPED)


def policy(style: str, script: str) -> str:
    """Return a policy by which the page runs this script and style alone, and sends no request."""
    parts = {
        "default-src": "'none'", "script-src": _hash(script), "style-src": _hash(style),
        "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def count(files: Sequence[dict[str, Any]]) -> str:
    """Return how many files are shown, as the page says it at first."""
    return f"{len(files)} of {summed(files)}"


def summed(files: Sequence[dict[str, Any]]) -> str:
    """Return the number of files and their size."""
    guessed = any(file["estimated"] or file["size"] is None for file in files)
    size = sum(file["size"] or 0 for file in files)
    return f"{counted(len(files))}, {shown(size, estimated=guessed)}"


def hues(files: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return a number for the colour of each family."""
    families = dict.fromkeys(file["family"] for file in files)
    return {name: at % _HUES for at, name in enumerate(families)}


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def part(name: str) -> str:
    """Return a file that is beside this one."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def _facts(document: dict[str, Any]) -> Iterator[Element]:
    total = document["sum"]
    if document["public"]:
        yield from _fact("Files", str(total["files"]))
        yield from _fact("Size", total["size"])
    else:
        yield from _fact("Files here", f"{total['here']} of {total['files']}")
        yield from _fact("Bytes here", f"{total['size_here']} of {total['size']}")
        yield from _fact("To fetch", total["left"])
    yield from _fact("Made", _moment(document["made"]))


def _fact(name: str, value: str | Element) -> Iterator[Element]:
    yield node("div", node("dt", name), node("dd", value))


def _faults(faults: Iterable[dict[str, Any]]) -> Iterator[Element]:
    lines = [node("li", f"{each['where']}: {fault}") for each in faults for fault in each["faults"]]
    if lines:
        head = node("h2", "This page is not complete")
        yield node("section", head, node("ul", *lines), id="faults", class_="faults")


def _legend(files: Iterable[dict[str, Any]]) -> Iterator[Element]:
    present = {file["place"] for file in files}
    for place in Place:
        if place.value in present:
            yield node("li", _chip(place), f": {place.meaning}")
    yield node("li", "A strong colour: the file is here. A pale one: it is not.")


def _chip(place: Place) -> Element:
    mark = node("span", place.mark, class_="mark", aria_hidden="true")
    return node("span", mark, place.word, class_=f"chip state-{place.option}")


def _filters(files: list[dict[str, Any]]) -> Iterator[Element]:
    users = sorted({name for file in files for name in (*file["sets"], *file["configurations"])})
    choices = {
        "family": sorted({file["family"] for file in files}),
        "set": users,
        "licence": sorted({file["license"] or _NONE for file in files}),
        "state": [place.word for place in Place if any(f["place"] == place.value for f in files)],
        "host": sorted({file["host"] or _NONE for file in files}),
    }
    for name, values in choices.items():
        options = [node("option", f"every {name}", value="")]
        options += [node("option", value, value=value) for value in values]
        select = node("select", *options, id=f"filter-{name}", data_filter=name)
        yield node("label", node("span", name.capitalize()), select)


def _row(file: dict[str, Any], hues: Mapping[str, int]) -> Element:
    place = PLACES.get(file["place"])
    hue = f"hue{hues[file['family']]}"
    swatch = node("span", class_=f"swatch {hue}", aria_hidden="true")
    family = node("span", file["family"], class_="narrow")
    md5 = node("code", file["md5"] or "no pin", class_="print")
    users = ", ".join((*file["sets"], *file["configurations"]))
    return node(
        "tr",
        node("th", swatch, node("span", file["name"], class_="name"), family, md5, scope="row"),
        node("td", file["family"]),
        node("td", file["shown"], class_="number"),
        node("td", _chip(place) if place else None),
        node("td", users, class_="users"),
        node("td", file["license"] or _NONE),
        node("td", file["host"] or _NONE),
        id=file["path"],
        data_path=file["path"],
    )


def _moment(time: str) -> Element:
    """Return a time, in UTC; the page adds how long ago that is."""
    return node("time", time[:16].replace("T", " "), datetime=time)


def _unseen(sources: Sequence[dict[str, Any]]) -> Iterator[Element]:
    if never := sum(not source["seen"] for source in sources):
        words = f"{never} of {len(sources)} were not asked yet. To ask them: "
        yield node("p", words, node("code", "./checkpoints upstream"), class_="hint")


def _source(source: dict[str, Any]) -> Element:
    seen = source["seen"] or {"state": "", "why": ""}
    when = _moment(seen["time"]) if source["seen"] else "never"
    changed = seen["state"] in _DRIFTED
    mirrors = f", {counted(len(source['mirrors']), 'mirror')}" if source["mirrors"] else ""
    return node(
        "tr",
        node("th", source["entry"], scope="row"),
        node("td", f"{host_of(source['url'])}{mirrors}"),
        node("td", when),
        node("td", node("strong", seen["state"]) if changed else seen["state"]),
        node("td", seen["why"]),
        data_entry=source["entry"],
        class_="drifted" if changed else None,
    )


def _change(commit: Mapping[str, str]) -> Element:
    name = node("code", commit["id"][:10])
    return node("li", _moment(commit["time"]), " ", name, f" {commit['subject']}")


def _seal(document: dict[str, Any]) -> Iterator[Element]:
    seal, made = document["seal"], document["commit"]
    if seal:
        yield from _fact("Seal", node("code", seal["tree"]))
        yield from _fact("Sealed in", _commit(seal["commit"]))
    changed = " and changes that are not committed" if document["changed"] else ""
    yield from _fact("Page made from", _commit(made, changed))


def _commit(commit: Mapping[str, str] | None, more: str = "") -> Element:
    if not commit:
        return node("span", "no commit: git cannot tell")
    return node("span", node("code", commit["id"]), ", ", _moment(commit["time"]), more)
