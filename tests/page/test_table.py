"""The table: every file, sorted, filtered, chosen, copied from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.page.view import VIT_B, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.view import View

File = dict[str, Any]
KEYS = ("name", "family", "size", "state", "set", "licence", "host")
FIELDS: dict[str, Callable[[File, str], bool]] = {
    "family": lambda file, value: file["family"] == value,
    "set": lambda file, value: value in file["sets"] + file["configurations"],
    "licence": lambda file, value: (file["license"] or "none") == value,
    "state": lambda file, value: file["word"] == value,
    "host": lambda file, value: (file["host"] or "none") == value,
}


def test_every_file_has_a_row(view: View) -> None:
    """With its size, its state in a word, its licence and host."""
    rows = view.rows()

    assert list(rows) == list(view.files)
    assert len(rows) == 17  # of them a stray one
    assert rows[VIT_B][0] == "sam_vit_b_01ec64.pth"
    assert {"38.1 kB", "Apache-2.0", "dl.fbaipublicfiles.com"} <= set(rows[VIT_B])


def test_every_column_sorts_up_and_down(view: View) -> None:
    """One column at a time, which says so."""
    for key in KEYS:
        up, rising = view.sort(key), list(view.rows())
        down, falling = view.sort(key), list(view.rows())

        assert (up, down) == ({key: "ascending"}, {key: "descending"})
        assert set(rising) == set(falling) == set(view.files), key
        assert _keys(view, key, rising) == sorted(_keys(view, key, rising)), key
        assert _keys(view, key, falling) == sorted(_keys(view, key, falling), reverse=True), key


def _keys(view: View, key: str, paths: list[str]) -> list[Any]:
    places = list(view.document["states"])
    read: dict[str, Callable[[File], Any]] = {
        "name": lambda file: file["name"].replace("_", " "),  # as people sort
        "family": lambda file: file["family"].replace("_", " "),
        "size": lambda file: file["size"],
        "state": lambda file: places.index(file["place"]),
        "set": lambda file: ",".join(file["sets"] + file["configurations"]).replace("_", " "),
        "licence": lambda file: file["license"] or "",
        "host": lambda file: file["host"] or "",
    }
    return [read[key](view.files[path]) for path in paths]


def test_a_filter_leaves_what_it_names(view: View) -> None:
    """In the table and in the treemap; the count says how many."""
    for name, is_fit in FIELDS.items():
        options = view.options(name)
        assert len(options) > 1

        for option in options:
            view.filter(name, option)
            fits = [path for path, file in view.files.items() if is_fit(file, option)]
            assert list(view.rows()) == fits, option
            assert {path for path, cell in view.cells().items() if not cell["off"]} <= set(fits)
            assert view.count().startswith(f"{len(fits)} of {len(view.files)} files"), option
        view.filter(name, "")


def test_filters_are_joined_and_reset(view: View) -> None:
    """A file must fit all of them; one button shows all again."""
    view.filter("licence", "Apache-2.0")
    view.tab.click("#filter-text")
    view.tab.press(*"VIT_L")
    joined = list(view.rows())

    view.tab.click("#filter-reset")
    view.tab.run("new Promise(requestAnimationFrame)")

    assert joined == ["models/sam_ckpts/sam_vit_l_0b3195.pth"]
    assert list(view.rows()) == list(view.files)


def test_what_no_file_fits_is_said(view: View) -> None:
    """An empty table is not a broken one."""
    view.tab.click("#filter-text")
    view.tab.press(*"zzz")

    assert view.rows() == {}
    assert view.count().startswith("0 of 17 files")


def test_a_name_opens_what_is_known_of_its_file(view: View) -> None:
    """And closes it again."""
    file = view.files[VIT_B]

    view.toggle(VIT_B)
    details = view.details()
    view.toggle(VIT_B)

    assert list(details) == [VIT_B]
    for known in (VIT_B, file["md5"], file["sha256"], file["url"], file["source"], "Apache-2.0"):
        assert known in details[VIT_B]
    assert view.details() == {}


def test_each_button_copies_what_it_stands_beside(view: View) -> None:
    """Hashes and commands, to the letter; the page says that it has done so."""
    view.toggle(VIT_B)
    texts = view.tab.run("[...document.querySelectorAll('button.copy')].map(b => b.dataset.copy)")
    copied = []

    for number in range(len(texts)):
        view.tab.run(f"document.querySelectorAll('button.copy')[{number}].id = 'copy{number}'")
        view.tab.click(f"#copy{number}")
        copied.append(view.copied())

    file = view.files[VIT_B]
    assert copied == texts
    assert {file["md5"], file["sha256"], "./checkpoints fetch sam_vit_b"} <= set(copied)
    assert [text.split()[:2] for text in copied if text.startswith("dvc")] == [
        ["dvc", "get"],
        ["dvc", "import"],
    ]
    assert any("DVCFileSystem" in text for text in copied)


def test_all_of_it_works_by_keyboard(view: View) -> None:
    """From the name to its hash on the clipboard."""
    view.tab.run(f"document.querySelector({row(VIT_B) + ' th button'!r}).focus()")

    view.tab.press("Enter")
    for _ in range(9):
        view.tab.press("Tab")
        if view.focused("data-copy") == view.files[VIT_B]["md5"]:
            break
    view.tab.press(" ")

    assert view.copied() == view.files[VIT_B]["md5"]
