"""Names, licences and addresses that somebody made to run as soon as they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scripts import page
from scripts.views.page import html
from tests.page.view import View, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.page.chromium import Tab
    from tests.world.clones import TestClone

TRICKS = (
    "<img src=x onerror=ran=1>",
    "</script><script>ran=1</script>",
    "</style></title></textarea><svg onload=ran=1>",
    "<!--<script>",
    "' onfocus=ran=1 autofocus x='",
    '" onfocus=ran=1 autofocus x="',
    "${ran=1}$title{{ran=1}}\\",
    "&lt;b&gt;&#0;",
    "\u2028ran=1\u2029",
    "\u202egpj.exe",
)
EVIL = "".join(TRICKS)


@pytest.fixture
def hostile(tab: Tab, site: Path, tmp_path: Path) -> Iterator[View]:
    """A page whose every text is hostile: nothing of it runs, and no policy has to prevent it."""
    path = tmp_path / "index.html"
    path.write_text(html.render(spoiled(View(tab, site).document)), encoding="utf-8")
    with opened(tab, path) as shown:
        yield shown
        assert tab.run("typeof ran") == "undefined"


def spoiled(value: Any, key: str = "") -> Any:  # noqa: ANN401 - of JSON
    """Return a document in which every text ends in the tricks, and no link is one."""
    if isinstance(value, dict):
        return {name: spoiled(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [spoiled(each, key) for each in value]
    if not isinstance(value, str) or key in KEPT:
        return value
    return f"javascript:ran=1//{EVIL}" if key in LINKS else value + EVIL


KEPT = {"place", "key", "time", "made", "word", "mark"}  # the machinery's own
LINKS = {"source", "url", "mirrors", "address"}


def test_hostile_texts_are_shown_as_they_are(hostile: View) -> None:
    """To the letter, as text."""
    rows = hostile.rows()

    assert len(rows) == len(hostile.files) == 17
    for path, words in rows.items():
        assert path.endswith(EVIL)
        assert any(TRICKS[0] in each and TRICKS[1] in each for each in words)


def test_every_detail_of_a_hostile_file_is_harmless(hostile: View) -> None:
    """All of them are opened; no link leads anywhere but to a web site."""
    hostile.open_all()

    links = hostile.tab.run("""[...document.querySelectorAll("a")]
        .map(each => each.href.baseVal ?? each.getAttribute("href"))
        .filter(href => !/^(https:|#)/.test(href))""")

    assert len(hostile.details()) == 17
    assert links == []


def test_hostile_options_filter_and_copy(hostile: View) -> None:
    """They are values like others."""
    option = next(each for each in hostile.options("licence") if each.startswith("Apache-2.0"))
    hostile.filter("licence", option)
    rows = list(hostile.rows())
    hostile.tab.click("#files tbody tr:not([hidden]) th button")
    hostile.tab.click("button.copy[aria-label*=path]")

    assert option == "Apache-2.0" + EVIL
    assert hostile.copied() == rows[0]


def test_no_text_turns_its_neighbours_round(hostile: View) -> None:
    """One with U+202E stands apart from what follows it."""
    hostile.open_all()

    bleeding = hostile.tab.run("""(() => {
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const found = new Set();
        for (let text; (text = texts.nextNode());) {
            const held = text.parentElement;
            if (!text.data.includes("\u202e") || held.closest("script, svg, option")) continue;
            if (!getComputedStyle(held).unicodeBidi.startsWith("isolate"))
                found.add(`${held.localName}.${held.className} in ${held.parentElement.localName}`);
        }
        return [...found];
    })()""")

    assert bleeding == []


def test_a_hostile_catalogue_makes_a_harmless_page(clone: TestClone, tab: Tab) -> None:
    """From the files of a clone on: description, licence, source, heading, the name of a file."""
    catalogue = clone.root / "dvc.yaml"
    text = catalogue.read_text()
    for key in ("desc", "license", "license_note"):
        text = text.replace(f"      {key}: ", f"      {key}: {TRICKS[0]}", 3)
    catalogue.write_text(text.replace("https://github.com/f", "javascript:ran=1//f", 1))
    (clone.root / "README.md").write_text(f"# {EVIL}\n")
    (clone.root / "models/sam_ckpts").mkdir(parents=True)
    (clone.root / "models/sam_ckpts" / f"{TRICKS[0]}\u2028\u202e.pth").write_bytes(b"x")
    assert page.main([]) == 0

    with opened(tab, clone.root / "site/index.html") as view:
        view.open_all()

        assert TRICKS[0] in view.text("h1")
        assert any(TRICKS[0] in path for path in view.rows())
        assert tab.run("typeof ran") == "undefined"
