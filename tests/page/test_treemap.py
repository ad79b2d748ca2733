"""The treemap: the files of the table, in areas; one picture with it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from tests.page.view import NARROW, VIT_B, VIT_L, row

if TYPE_CHECKING:
    from tests.page.view import View

Box = dict[str, float]


@pytest.mark.parametrize("width", [1280, NARROW])
def test_treemap_and_table_show_the_same(view: View, width: int) -> None:
    """The same files, sizes and states, in words; and a larger file has a larger area."""
    view.tab.show(width)
    cells, rows = view.cells(), view.rows()

    assert cells
    assert cells.keys() <= rows.keys()
    for path, cell in cells.items():
        assert all(each in "\n".join(rows[path]) for each in cell["name"].split(", ")), path
    ordered = sorted(cells, key=lambda path: view.files[path]["size"])
    areas = [_area(cells[path]["box"]) for path in ordered]
    for small, large in combinations(range(len(areas)), 2):
        much = view.files[ordered[large]]["size"] > 2 * view.files[ordered[small]]["size"]
        assert not much or areas[small] < areas[large], (ordered[small], ordered[large])


@pytest.mark.parametrize("width", [1280, NARROW])
def test_cells_lie_beside_each_other(view: View, width: int) -> None:
    """None hides another one."""
    view.tab.show(width)
    boxes = [cell["box"] for cell in view.cells().values()]

    assert all(_shared(one, other) < 1 for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("width", [1280, NARROW])
def test_to_choose_in_one_marks_the_other(view: View, width: int) -> None:
    """By mouse, or by finger where the window is a phone's."""
    view.tab.show(width)
    choose = view.tab.touch if width == NARROW else view.tab.click

    choose(view.cell(VIT_B))
    view.tab.wait("document.querySelector('tr.details')")  # a tap may become a double one
    first = view.chosen(), list(view.details())
    choose(f"{row(VIT_L)} th button")

    assert first == ({VIT_B}, [VIT_B])
    assert view.chosen() == {VIT_L}


def test_a_link_to_a_file_opens_it(view: View) -> None:
    """So one can send it to somebody."""
    view.show(f"#{VIT_L}")

    assert list(view.details()) == [VIT_L]
    assert view.chosen() == {VIT_L}


def test_the_treemap_is_one_stop_of_the_keyboard(view: View) -> None:
    """Arrows go from cell to cell, Home and End to the ends; Enter chooses."""
    stops = [_stop(view) for _ in range(12)]
    inside = [stop for stop in stops if stop in view.cells()]
    view.tab.run(f"document.querySelector({view.cell(inside[0])!r}).focus()")

    walked = [_press(view, key) for key in ["End", "Home", "ArrowRight", "ArrowLeft"]]
    view.tab.press("ArrowRight", "Enter")

    assert len(inside) == 1
    assert walked[1] == walked[3]
    assert len(set(walked)) == 3
    assert view.chosen() == {walked[2]}


def test_a_file_that_is_filtered_out_can_be_chosen(view: View) -> None:
    """Then the filters go, and the file is shown."""
    view.filter("family", view.files[VIT_B]["family"])
    assert len(view.rows()) < len(view.files)
    other = next(path for path, cell in view.cells().items() if cell["off"])

    view.tab.click(view.cell(other))

    assert other in view.rows()
    assert view.chosen() == {other}


def _stop(view: View) -> str | None:
    view.tab.press("Tab")
    return view.focused("data-path")


def _press(view: View, key: str) -> str | None:
    view.tab.press(key)
    return view.focused("data-path")


def _area(box: Box) -> float:
    return box["width"] * box["height"]


def _shared(one: Box, other: Box) -> float:
    """Return the area that two boxes share."""
    sides: list[Any] = []
    for low, high in (("left", "right"), ("top", "bottom")):
        sides.append(max(0, min(one[high], other[high]) - max(one[low], other[low])))
    return float(sides[0] * sides[1])
