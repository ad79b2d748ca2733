"""scripts.documents: every fault of a yaml file is one line with its place, and one exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.catalogue import documents
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from pathlib import Path

BOTH = pytest.mark.parametrize(
    "read", [documents.load, documents.load_as_dvc, documents.compose, documents.editable]
)


def fault(read: object, path: Path) -> str:
    """Return the one fault that reading `path` raises."""
    assert callable(read)
    with pytest.raises(CatalogueError) as caught:
        read(path)
    assert caught.value.exit_code == 2
    (only,) = caught.value.faults
    return only


@BOTH
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a: 1\n  b: 2\n", "line 2: mapping values are not allowed in this context"),
        (b"a:\n\t- b\n", "line 2: found character that cannot start any token"),
        (b"a: [1, 2\n", "line 2: did not find expected ',' or ']'"),
        (b"a: 1\n---\nb: 2\n", "line 2: but found another document"),
        (b"a: *nowhere\n", "line 1: found undefined alias"),
        (b"<<<<<<< ours\na: 1\n=======\na: 2\n", "line 1: a conflict marker: a merge is not"),
        (b"\n" + b"[" * 101, "line 2: nested deeper than 100 levels"),
        (b"- " * 200_000, "line 1: nested deeper than 100 levels"),
        (b"? " * 101, "line 1: nested deeper than 100 levels"),
        (("\u2028" + "- " * 101).encode(), "line 2: nested deeper than 100 levels"),
        (b"\n".join(b" " * n + b"a:" for n in range(101)), "nested deeper than 100 levels"),
        (b"\n".join(b" " * n + b"a:\n" + b" " * n + b"-" for n in range(51)), "nested deeper"),
        (b"a: \xff\n", "not UTF-8 at byte 3"),
        (b"a: \x00\n", "control characters are not allowed"),
    ],
)
def test_what_is_no_yaml_is_one_fault_with_its_line(
    read: object, text: bytes, expected: str, tmp_path: Path
) -> None:
    """Syntax errors, tabs, conflict markers, bytes that are no text, and nesting that is a bomb."""
    path = tmp_path / "params.yaml"
    path.write_bytes(text)

    assert expected in fault(read, path)


@BOTH
def test_a_file_that_cannot_be_read_is_a_fault(read: object, tmp_path: Path) -> None:
    """A missing file and a folder in its place are told apart."""
    (tmp_path / "folder.yaml").mkdir()

    assert fault(read, tmp_path / "none.yaml") == "the file is missing"
    assert fault(read, tmp_path / "folder.yaml") == "cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4: duplicate key c"),
        ("? [a, b]\n: 1\n", "line 1: found unhashable key"),
        ("a: !!python/name:os.system x\n", "line 1: could not determine a constructor"),
        ("a: 2026-13-45\n", "invalid value: month must be in 1..12"),
        ("a: !!bool x\n", "invalid value: 'x'"),
        ("a: !!timestamp x\n", "invalid value"),
        ("a: !!int ''\n", "invalid value"),
    ],
)
def test_a_value_that_cannot_be_data_is_a_fault(text: str, expected: str, tmp_path: Path) -> None:
    """What PyYAML's constructors raise of their own reaches nobody; a key stands once."""
    path = tmp_path / "dvc.lock"
    path.write_text(text)

    assert expected in fault(documents.load, path)


def test_the_file_is_named_as_the_caller_wants(tmp_path: Path) -> None:
    """A source's folder says more than its name alone."""
    with pytest.raises(CatalogueError, match=r"^sources/sam\.dvc: 1 fault\n"):
        documents.load(tmp_path / "sam.dvc", "sources/sam.dvc")
    with pytest.raises(CatalogueError, match=r"^sam\.dvc: 1 fault\n"):
        documents.load(tmp_path / "sam.dvc")


def test_plain_data_is_read(tmp_path: Path) -> None:
    """What DVC writes, and a byte order mark that an editor put before it."""
    path = tmp_path / "dvc.lock"
    path.write_text("\ufeffschema: '2.0'\nstages:\n  a:\n    size: 12\n", encoding="utf-8")

    assert documents.load(path) == {"schema": "2.0", "stages": {"a": {"size": 12}}}
