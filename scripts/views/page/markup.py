"""Elements of a page or a picture, in which every text is escaped."""

from __future__ import annotations

from urllib.parse import quote
from xml.etree.ElementTree import Element, tostring

SVG = "http://www.w3.org/2000/svg"


def node(tag: str, *inside: str | Element | None, **attributes: object) -> Element:
    """Return an element; `class_` is named class, `data_path` data-path; None is left out."""
    given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    made = Element(tag, {name: str(value) for name, value in given.items() if value is not None})
    for each in inside:
        if isinstance(each, Element):
            made.append(each)
        elif each and len(made):
            made[-1].tail = (made[-1].tail or "") + each
        elif each:
            made.text = (made.text or "") + each
    return made


def markup(*elements: Element) -> str:
    """Return elements as HTML."""
    return "".join(tostring(each, "unicode", "html") for each in elements)


def fragment(path: str) -> str:
    """Return the link to the row of a file."""
    return f"#{quote(path)}"


def number(value: float) -> str:
    """Return a coordinate, no more precise than a picture needs."""
    return f"{value:.1f}".removesuffix(".0")
