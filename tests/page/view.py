"""The page as its reader handles it. The names held on to here stand at the top of its HTML."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from tests.page.chromium import Tab

NARROW = 360  # CSS pixels
VIT_B = "models/sam_ckpts/sam_vit_b_01ec64.pth"  # in place
VIT_L = "models/sam_ckpts/sam_vit_l_0b3195.pth"  # missing
_ROW = "#files tbody tr[data-path]"
_CELL = "svg.treemap a.cell[data-path]"


def row(path: str) -> str:
    """Return the selector of the row of a file."""
    return f"{_ROW}[data-path={json.dumps(path)}]"


@contextmanager
def opened(tab: Tab, path: Path) -> Iterator[View]:
    """Open the page at a path, which asks for nothing and complains of nothing while it is used."""
    view = View(tab, path)
    view.show()
    yield view
    assert tab.complaints == []
    assert set(tab.requests) == {path.as_uri()}


@dataclass(frozen=True)
class View:
    """A tab that shows the page at a path."""

    tab: Tab
    path: Path

    def show(self, fragment: str = "") -> None:
        """Open the page in a wide window."""
        self.tab.show()
        self.tab.open(self.path, fragment)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document that is embedded in the page."""
        _, _, text = self.path.read_text(encoding="utf-8").partition('id="data">')
        return dict(json.loads(text.partition("</script>")[0]))

    @cached_property
    def files(self) -> dict[str, dict[str, Any]]:
        """The files of the document, by path, each with the word of its state."""
        states = self.document["states"]
        words = {place: each["word"] for place, each in states.items()}
        return {f["path"]: {**f, "word": words[f["place"]]} for f in self.document["files"]}

    def rows(self) -> dict[str, list[str]]:
        """Return the rows that are shown, in their order: path -> the words of its cells."""
        return dict(
            self.tab.run(f"""{{
            const signs = cell => [...cell.querySelectorAll("[aria-hidden=true]")];
            const words = cell => signs(cell).reduce(
                (text, sign) => text.replace(sign.innerText, ""), cell.innerText).trim();
            [...document.querySelectorAll("{_ROW}")].filter(row => row.checkVisibility())
                .map(row => [row.dataset.path, [...row.cells].map(words)])
        }}""")
        )

    def cells(self) -> dict[str, dict[str, Any]]:
        """Return the cells of the treemap in this window: path -> name, box, whether it is off."""
        return dict(
            self.tab.run(f"""[...document.querySelectorAll("{_CELL}")]
            .filter(cell => cell.checkVisibility())
            .map(cell => [cell.dataset.path, {{
                name: cell.getAttribute("aria-label"),
                off: cell.classList.contains("off"),
                box: cell.querySelector("rect").getBoundingClientRect().toJSON(),
            }}])""")
        )

    def cell(self, path: str) -> str:
        """Return the selector of the cell of a file, in the shape that this window shows."""
        shape = "tall" if self.tab.run("innerWidth < 600") else "wide"
        return f"#treemap-{shape} a.cell[data-path={json.dumps(path)}]"

    def filter(self, name: str, value: str) -> None:
        """Choose an option of a filter, as its keys do."""
        self.tab.run(f"""{{
            const one = document.getElementById("filter-{name}");
            one.value = {json.dumps(value)};
            if (one.value !== {json.dumps(value)}) throw Error("no such option");
            for (const kind of ["input", "change"])
                one.dispatchEvent(new Event(kind, {{bubbles: true}}));
        }}""")

    def toggle(self, path: str) -> None:
        """Click the name of a file, which opens its details or closes them."""
        self.tab.click(f"{row(path)} th button")

    def open_all(self) -> None:
        """Open whatever can be opened."""
        self.tab.run(f"""{{
            for (const each of document.querySelectorAll("{_ROW} th button")) each.click();
            for (const each of document.querySelectorAll("details")) each.open = true;
        }}""")

    def options(self, name: str) -> list[str]:
        """Return the values of a filter, but for that of every file."""
        return list(
            self.tab.run(f"""[...document.getElementById("filter-{name}").options]
            .map(each => each.value).filter(Boolean)""")
        )

    def count(self) -> str:
        """Return what the page says of how many files it shows."""
        return self.text("#count")

    def sort(self, key: str) -> dict[str, str]:
        """Click the head of a column; return the sorted columns: key -> direction."""
        self.tab.click(f"#files th[data-sort={key}] button")
        return dict(
            self.tab.run("""[...document.querySelectorAll("#files th[aria-sort]")]
            .map(head => [head.dataset.sort, head.ariaSort])
            .filter(([, direction]) => direction !== "none")""")
        )

    def chosen(self) -> Collection[str]:
        """Return the paths whose row, and those whose cell, is marked; they must be the same."""
        rows, cells = (
            set(
                self.tab.run(f"""[...document.querySelectorAll("{each}[aria-current=true]")]
                .map(each => each.dataset.path)""")
            )
            for each in (_ROW, _CELL)
        )
        assert rows == cells or not cells
        return rows

    def details(self) -> dict[str, str]:
        """Return what the open details say, by the path they are about."""
        return dict(
            self.tab.run("""[...document.querySelectorAll("tr.details")]
            .filter(each => each.checkVisibility())
            .map(each => [each.dataset.for, each.innerText])""")
        )

    def copied(self) -> str:
        """Return what is on the clipboard once the page says that it has copied."""
        self.tab.wait("document.getElementById('copied').innerText")
        return self.tab.clipboard

    def text(self, selector: str) -> str:
        """Return what an element shows."""
        return str(self.tab.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def focused(self, attribute: str) -> str | None:
        """Return an attribute of the element that has the focus."""
        found = self.tab.run(f"document.activeElement?.getAttribute({json.dumps(attribute)})")
        return None if found is None else str(found)
