"""What the page looks like: on a screen, on a phone, on paper, and without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page import SCREENSHOTS
from tests.page.test_access import pale
from tests.page.view import NARROW, VIT_B, VIT_L

if TYPE_CHECKING:
    from tests.page.view import View

CONTROLS = "[...document.querySelectorAll('input, select, button.copy')]"
WIDTH = "document.documentElement.scrollWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, NARROW])
def test_the_page_fits_its_window(view: View, width: int, scheme: str) -> None:
    """With the details of a file open, too: nobody has to scroll sideways. Take a picture."""
    view.tab.show(width, dark=scheme == "dark")
    closed = view.tab.run(WIDTH)
    view.toggle(VIT_B)
    SCREENSHOTS.mkdir(exist_ok=True)
    view.tab.picture(SCREENSHOTS / f"page-{width}-{scheme}.png")

    assert (closed, view.tab.run(WIDTH)) == (width, width)


def test_a_printer_gets_the_table(view: View) -> None:
    """All that the filters leave, on white, without what only a mouse can use."""
    view.filter("family", "sam")
    view.tab.show(dark=True, media="print")

    rows = view.rows()

    assert {VIT_B, VIT_L} <= rows.keys()
    assert {view.files[path]["family"] for path in rows} == {"sam"}
    assert view.tab.run(f"{CONTROLS}.some(each => each.checkVisibility())") is False
    assert view.tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert pale(view.tab) == []
    SCREENSHOTS.mkdir(exist_ok=True)
    (SCREENSHOTS / "page.pdf").write_bytes(view.tab.pdf())


def test_the_table_stands_without_scripts(view: View) -> None:
    """With all files, and the treemap beside it."""
    view.tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        view.tab.open(view.path)
    finally:
        view.tab.call("Emulation.setScriptExecutionDisabled", value=False)

    rows, cells = view.rows(), view.cells()

    assert len(rows) == 17
    assert cells.keys() <= rows.keys()


def test_details_leave_the_other_rows_as_they_were(view: View) -> None:
    """On a phone, where columns are hidden that the details still count."""
    view.tab.show(NARROW)
    heights = "[...document.querySelectorAll('tr[data-path]')].map(row => row.offsetHeight)"
    before = view.tab.run(heights)

    view.toggle(VIT_B)

    assert view.tab.run(heights) == pytest.approx(before, abs=2)
