"""What shuts people out: axe finds it in the page as each of them has it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from tests.page.view import NARROW, VIT_B

if TYPE_CHECKING:
    from tests.page.chromium import Tab
    from tests.page.view import View

AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1280, NARROW])
def test_axe_finds_nothing(view: View, width: int) -> None:
    """Wide and light, narrow and dark, with the details of a file open."""
    view.tab.show(width, dark=width == NARROW)
    view.toggle(VIT_B)

    assert faults(view.tab) == []


@pytest.mark.parametrize("dark", [False, True])
def test_the_words_of_the_drawings_can_be_read(view: View, dark: bool) -> None:  # noqa: FBT001
    """As those of the page: axe measures no drawing."""
    view.tab.show(dark=dark)

    assert pale(view.tab) == []


def pale(tab: Tab) -> list[str]:
    """Return the texts of drawings that have less than 4.5 times the contrast of their ground."""
    return list(
        tab.run("""(() => {
        const paint = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const light = colour => {
            paint.fillStyle = colour;
            paint.fillRect(0, 0, 1, 1);
            const parts = [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3)
                .map(each => each / 255)
                .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
        };
        const ground = text => text.parentElement.querySelector(":scope > rect");
        const ratio = text => {
            const below = ground(text) ? getComputedStyle(ground(text)).fill
                : getComputedStyle(document.body).backgroundColor;
            const both = [light(getComputedStyle(text).fill), light(below)].sort((a, b) => b - a);
            return (both[0] + 0.05) / (both[1] + 0.05);
        };
        const texts = [...document.querySelectorAll("svg text")]
            .filter(each => each.checkVisibility());
        if (texts.length < 20) throw Error(`only ${texts.length} texts`);
        return texts.filter(each => ratio(each) < 4.5)
            .map(each => `${each.textContent}: ${ratio(each).toFixed(2)}`);
    })()""")
    )


def faults(tab: Tab) -> list[str]:
    """Return the rule and the element of each fault; contrast must have been measured."""
    found = tab.run(f"""{AXE};
        axe.run({{resultTypes: ["violations"]}}).then(told => ({{
            faults: told.violations.flatMap(each => each.nodes.map(
                node => `${{each.id}}: ${{node.target.join(" ")}}: ${{node.failureSummary}}`)),
            measured: told.passes.map(each => each.id),
        }}))""")
    assert "color-contrast" in found["measured"]
    return list(found["faults"])
