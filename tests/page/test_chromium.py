"""The browser of the tests tells what a page does: else they would find every page harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page.chromium import PageError
from tests.page.test_access import faults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.page.chromium import Tab


def shown(tab: Tab, folder: Path, body: str) -> Path:
    """Open a page with this body; return its path."""
    path = folder / "page.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>t</title><body>{body}")
    tab.show()
    tab.open(path)
    return path


def test_complaints_and_requests_are_told(tab: Tab, tmp_path: Path) -> None:
    """An error on the console, one that nobody catches, and an image that is not there."""
    body = "<script>console.error('bad', 3); setTimeout(() => { throw Error('late') })</script>"

    path = shown(tab, tmp_path, body + "<img src=none.png>")
    tab.run("new Promise(setTimeout)")

    assert [said.splitlines()[0] for said in sorted(tab.complaints)] == [
        "Error: late",
        "Failed to load resource: net::ERR_FILE_NOT_FOUND",
        "bad 3",
    ]
    assert tab.requests == [path.as_uri(), path.with_name("none.png").as_uri()]


def test_a_page_reaches_no_host(tab: Tab, tmp_path: Path) -> None:
    """It asks, which the tests see, and is not heard."""
    shown(tab, tmp_path, "<img src=https://example.com/x.png>")

    assert tab.requests[1:] == ["https://example.com/x.png"]
    (complaint,) = tab.complaints  # behind a proxy it is the proxy that is not reached
    assert complaint.startswith("Failed to load resource: net::ERR_")


def test_what_a_script_throws_is_raised(tab: Tab) -> None:
    """So that no test mistakes it for an answer."""
    with pytest.raises(PageError, match="no such thing"):
        tab.run("Promise.reject(Error('no such thing'))")


def test_what_is_covered_cannot_be_clicked(tab: Tab, tmp_path: Path) -> None:
    """A person could not, either."""
    shown(tab, tmp_path, "<button>b</button><div style='position:fixed;inset:0'></div>")

    with pytest.raises(PageError, match="below something else"):
        tab.click("button")


def test_axe_finds_what_shuts_people_out(tab: Tab, tmp_path: Path) -> None:
    """A picture without words, and grey on grey."""
    lines = "<p>dark enough</p>" * 20
    shown(tab, tmp_path, f"<img src=data:,><p style='color:#999;background:#aaa'>grey</p>{lines}")

    found = " ".join(faults(tab))

    assert "image-alt: img" in found
    assert "color-contrast: p" in found
