"""scripts.curation.yaml_lines: an entry comes or goes, and no other line of a document changes."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.catalogue import documents
from scripts.console.errors import UsageError
from scripts.curation import yaml_lines
from tests.world.checkpoints import PAPER

PARAMS, STAGES = ((PAPER / name).read_text() for name in ("params.yaml", "dvc.yaml"))
SHIPPED = [
    (text, section, name)
    for file, sections in (
        ("params.yaml", ("checkpoints", "archives")),
        ("dvc.yaml", ("stages", "artifacts")),
        ("dvc.lock", ("stages",)),
    )
    for text in [(PAPER / file).read_text()]
    for section in sections
    for name in documents.data(text)[section]
]
ENTRY = {"new": {"path": "models/new.pth"}}


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the lines that went and those that came."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [x[2:] for x in lines if x[0] == "-"], [x[2:] for x in lines if x[0] == "+"]


def test_an_entry_is_added_behind_the_last_of_its_map() -> None:
    """The comment that follows stays with what it speaks of."""
    after = yaml_lines.add(PARAMS, "checkpoints", ENTRY)

    assert changed(PARAMS, after) == ([], ["  new:", "    path: models/new.pth"])
    assert "    path: models/new.pth\n\n# Several files, or one, inside an archive" in after


def test_an_entry_is_added_behind_a_sibling_with_its_distance() -> None:
    """Stages are a blank line apart, and so is the new one."""
    stage = {"unpack_new": {"cmd": "x", "outs": [{"models/new.pth": {"persist": True}}]}}

    after = yaml_lines.add(STAGES, "stages", stage, after="unpack_raft")

    came = ["  unpack_new:", "    cmd: x", "    outs:", "      - models/new.pth:",
            "          persist: true"]  # fmt: skip
    gone, lines = changed(STAGES, after)
    assert (gone, sorted(lines)) == ([], sorted([*came, ""]))
    assert "\n\n" + "\n".join(came) + "\n\n  fetch_minimal:\n" in after


def test_several_entries_are_added_at_once_with_their_distance() -> None:
    """Each a blank line apart where the others are; together where the others are together."""
    stages = {"unpack_a": {"cmd": "x"}, "unpack_b": {"cmd": "y"}}

    spaced = yaml_lines.add(STAGES, "stages", stages, after="unpack_raft")
    close = yaml_lines.add(PARAMS, "checkpoints", {**ENTRY, "two": {"path": "models/2"}})

    assert "\n\n  unpack_a:\n    cmd: x\n\n  unpack_b:\n    cmd: y\n\n  fetch_minimal:" in spaced
    assert "  new:\n    path: models/new.pth\n  two:\n    path: models/2\n\n" in close


def test_several_entries_are_dropped_at_once() -> None:
    """A comment above a run of them goes with the run; above the first of more, it stays."""
    whole = yaml_lines.drop(PARAMS, "checkpoints", "superglue_outdoor", "superpoint_v1")
    part = yaml_lines.drop(PARAMS, "checkpoints", "superglue_outdoor", "sam_vit_b")

    assert "SuperPoint" not in whole
    assert "\n\n\n" not in whole
    assert "  # SuperGlue and SuperPoint\n  superpoint_v1:\n" in part
    assert "  # SAM\n  sam_vit_l:\n" in part


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sets:\n  one: [a, b] # said\n", "sets:\n  one: [a, b, c, d] # said\n"),
        ("sets:\n  one: [\n    a]\nx: 1\n", "sets:\n  one: [\n    a, c, d]\nx: 1\n"),
        ("sets:\n  one:\n    - a\n  two: [a]\n",
         "sets:\n  one:\n    - a\n    - c\n    - d\n  two: [a]\n"),
    ],
)  # fmt: skip
def test_a_list_gets_more_items(before: str, after: str) -> None:
    """In the form that it has; no other line changes."""
    assert yaml_lines.extend(before, "sets", "one", ["c", "d"]) == after


@pytest.mark.parametrize("before", ["sets:\n  one: a\n", "sets:\n  one: []\n"])
def test_what_is_no_list_is_not_extended(before: str) -> None:
    """The catalogue refuses it, too."""
    with pytest.raises(UsageError, match="sets: a program cannot edit this layout"):
        yaml_lines.extend(before, "sets", "one", ["c"])


@pytest.mark.parametrize(("text", "section", "name"), SHIPPED)
def test_every_shipped_entry_can_be_dropped_and_added_again(
    text: str, section: str, name: str
) -> None:
    """What goes is the entry, and the comment that is its alone; what comes says the same."""
    value = documents.data(text)[section][name]

    less = yaml_lines.drop(text, section, name)
    again = yaml_lines.add(less, section, {name: value})

    gone, came = changed(text, less)
    assert came == []
    assert name not in documents.data(less)[section]
    assert documents.data(again) == documents.data(text)
    assert "\n\n\n" not in less
    assert not [line for line in gone if line and not line.startswith("  ")]


def test_a_comment_above_one_entry_goes_with_it() -> None:
    """And one that stands above several stays with the rest."""
    mobile = yaml_lines.drop(PARAMS, "checkpoints", "sam_mobile_vit_t")
    first = yaml_lines.drop(PARAMS, "checkpoints", "sam_vit_b")
    raft = yaml_lines.drop(PARAMS, "archives", "raft")

    assert "# MobileSAM" not in mobile
    assert "  # SAM\n  sam_vit_l:\n" in first
    assert "# RAFT" not in raft
    assert "\n\n# How bytes are brought." in raft


def test_the_last_of_a_map_leaves_an_empty_one() -> None:
    """Braces, because DVC and the catalogue refuse a map that is not there."""
    one = "# top\nmap: # said\n  # one\n  one:\n    path: x\n# end\nother: 1\n"

    none = yaml_lines.drop(one, "map", "one")

    assert none == "# top\nmap: {} # said\n# end\nother: 1\n"
    assert (
        yaml_lines.add(none, "map", {"two": 2}) == "# top\nmap: # said\n  two: 2\n# end\nother: 1\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("map:\n    one: 1\n", "map:\n    one: 1\n    new: {}\n"),
        ("map:\r\n  one: 1\r\n", "map:\r\n  one: 1\r\n  new: {}\r\n"),
        ("map:\n  one: 1", "map:\n  one: 1\n  new: {}\n"),
        ("map:\n", "map:\n  new: {}\n"),
        ("map:\n  one:\n  # end\n", "map:\n  one:\n  new: {}\n  # end\n"),
        ("map:\n  one: |\n    text\nx: 1\n", "map:\n  one: |\n    text\n  new: {}\nx: 1\n"),
        ("map:\n  one: [\n    1]\nx: 1\n", "map:\n  one: [\n    1]\n  new: {}\nx: 1\n"),
        ('map:\n  one: "a\n    b"\nx: 1\n', 'map:\n  one: "a\n    b"\n  new: {}\nx: 1\n'),
        ("map:\n  one:\n  - 1\n  - 2\n", "map:\n  one:\n  - 1\n  - 2\n  new: {}\n"),
    ],
)
def test_the_layout_of_a_document_is_followed(before: str, after: str) -> None:
    """Its indentation, its line ends; a value of any form is left in one piece."""
    assert yaml_lines.add(before, "map", {"new": {}}) == after
    assert yaml_lines.drop(after, "map", "new").rstrip() in (before.rstrip(), "map: {}")


@pytest.mark.parametrize("before", ["map: {one: 1}\n", "map: {one: 1,\n  two: 2}\n"])
def test_a_layout_that_lines_cannot_edit_is_refused(before: str) -> None:
    """Rather than guessed at."""
    with pytest.raises(UsageError, match="map: a program cannot edit this layout"):
        yaml_lines.add(before, "map", {"new": {}})
    with pytest.raises(UsageError, match="map: a program cannot edit this layout"):
        yaml_lines.drop(before, "map", "one")


def test_an_edit_that_would_say_something_else_is_refused() -> None:
    """An alias of what goes, a name that stands already."""
    for before in ("map:\n  one: &a 1\n  two: *a\n", "map:\n  one: &a 1\nend: *a\n"):
        with pytest.raises(UsageError, match="map: a program cannot edit"):
            yaml_lines.drop(before, "map", "one")
    with pytest.raises(UsageError, match="map: a program cannot edit"):
        yaml_lines.add("map:\n  one: 1\n", "map", {"one": 1})


@pytest.mark.parametrize("before", ["other: 1\n", "- map\n", ""])
def test_a_missing_map_is_named(before: str) -> None:
    """By its name."""
    with pytest.raises(UsageError, match="there is no map named map"):
        yaml_lines.add(before, "map", {"new": {}})


WORDS = st.text("abcdefghij_", min_size=1, max_size=5).map(lambda word: f"w{word}")
VALUES = st.recursive(
    st.integers(0, 99) | WORDS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(WORDS, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)  # nothing is timed
@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=5), VALUES, st.data())
def test_any_document_of_this_form_can_be_edited(
    held: dict[str, Any], value: object, data: st.DataObject
) -> None:
    """An entry that was added and dropped again leaves the document as it was."""
    text = yaml.safe_dump({"map": held, "end": 1}, sort_keys=False)
    sibling = data.draw(st.sampled_from(sorted(held)))

    more = yaml_lines.add(text, "map", {"new": value}, after=sibling)

    assert documents.data(more) == {"map": held | {"new": value}, "end": 1}
    assert yaml_lines.drop(more, "map", "new") == text
