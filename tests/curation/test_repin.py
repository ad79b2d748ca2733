"""scripts.curation.repin: a new sha256 takes the old one's place, and no other byte changes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from scripts.catalogue import params
from scripts.console.errors import CheckpointError
from scripts.curation.release import Release
from scripts.curation.repin import replace_sha256
from scripts.curation.transaction import write
from scripts.files.digests import Digest
from tests.world.checkpoints import PAPER

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.params import Published

TEXT = (PAPER / "params.yaml").read_text()
ENTRIES = params.read(PAPER / "params.yaml").published
PINNED = sorted(n for n, e in ENTRIES.items() if e.sha256 or any(f.sha256 for f in e.files))
ODD = """checkpoints: {one: {path: models/one, sha256: '%s'}}
archives:
     two: # of two
          members:
          - {member: a, path: models/a}
          - member: b
            sha256: >-
                %s
            path: models/b
"""


def sha256(number: int) -> str:
    """Return a new hash."""
    return f"{number:064x}"


def released(entry: Published, path: Path) -> Release:
    """Return a release of an entry with a new hash for each file, and for the whole."""
    files = {f: (path, Digest(1, "0" * 32, sha256(n))) for n, f in enumerate(entry.files)}
    whole = Digest(1, "0" * 32, sha256(99) if entry.archive else sha256(0))
    return Release(path, whole, files)


@pytest.mark.parametrize("name", PINNED)
def test_in_the_papers_catalogue(name: str, tmp_path: Path) -> None:
    """Of every entry, with comments and quotes."""
    (tmp_path / "params.yaml").write_text(TEXT)
    entry, expected = ENTRIES[name], TEXT
    for number, file in enumerate(entry.files):
        expected = expected.replace(file.sha256 or "\0", sha256(number))
    expected = expected.replace(entry.sha256 or "\0", sha256(99))

    replace_sha256(tmp_path, entry, released(entry, tmp_path), partial(write, tmp_path))

    assert (tmp_path / "params.yaml").read_text() == expected
    assert expected != TEXT


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_in_any_layout(ending: str, tmp_path: Path) -> None:
    """Braces, a folded text, another indentation, other line ends."""
    old, path = ("a" * 64, "b" * 64), tmp_path / "params.yaml"
    path.write_bytes((ODD % old).replace("\n", ending).encode())

    for entry in params.read(path).published.values():
        replace_sha256(tmp_path, entry, released(entry, tmp_path), partial(write, tmp_path))

    new = (ODD % (sha256(0), sha256(1))).replace("\n", ending)
    assert path.read_bytes().decode() == new


def test_a_hash_in_two_places_is_refused(tmp_path: Path) -> None:
    """Two files of the archive have the old one, and two new ones."""
    (tmp_path / "params.yaml").write_text(
        "checkpoints: {}\narchives:\n  two:\n    members:\n"
        + "".join(
            f'      - member: {name}\n        path: models/{name}\n        sha256: "{"a" * 64}"\n'
            for name in "ab"
        )
    )
    entry = params.read(tmp_path / "params.yaml").published["two"]

    with pytest.raises(CheckpointError, match="cannot replace the sha256 of two"):
        replace_sha256(tmp_path, entry, released(entry, tmp_path), partial(write, tmp_path))
