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
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(view: View, width: int, dark: bool) -> None:  # noqa: FBT001 - pytest's
    """In light and dark, wide and narrow, with the details of a file open."""
    view.show(width=width, dark=dark)
    view.toggle(VIT_B)

    assert faults(view.tab) == []


def faults(tab: Tab) -> list[str]:
    """Return the rule and the element of each fault; contrast must have been measured."""
    found = tab.run(
        AXE
        + """;axe.run().then(told => ({
        faults: told.violations.flatMap(each => each.nodes.map(
            node => `${each.id}: ${node.target.join(" ")}: ${node.failureSummary}`)),
        measured: told.passes.filter(each => each.id === "color-contrast")
            .reduce((sum, each) => sum + each.nodes.length, 0),
    }))"""
    )
    assert found["measured"] > 10, found
    return list(found["faults"])
