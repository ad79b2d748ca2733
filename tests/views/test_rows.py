"""scripts.views.rows: all that the views show of a file, whatever is wrong with the clone."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.catalogue import sources
from scripts.checkout.clone import Clone
from scripts.checkout.state import Place
from scripts.console.errors import CatalogueError, UsageError
from scripts.files import digests
from scripts.views import rows
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.sources import Source
    from scripts.views.rows import Row, Rows
    from tests.world import World
    from tests.world.clones import TestClone

PATH = "models/sam_ckpts/sam_vit_b_01ec64.pth"
SMALL = "models/raft_ckpts/raft-small.pth"


def take(clone: TestClone, *words: str) -> Rows:
    """Return the rows of what words select."""
    return rows.take(*Clone.examined(clone.root), words)


def by_path(found: Rows) -> dict[str, Row]:
    """Return the rows by their paths."""
    return {row.path: row for row in found.rows}


def test_a_row_has_all_that_is_known_of_a_file(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From params.yaml, dvc.lock, dvc.yaml, sources/ and the disk; nobody is asked."""
    monkeypatch.setattr(digests, "of_file", None)

    found = by_path(take(clone))

    sam, raft = found[PATH], found[SMALL]
    pin = Clone.at(clone.root).pins[PATH]
    assert (sam.name, sam.entry, sam.family) == ("sam_vit_b_01ec64.pth", "sam_vit_b", "sam")
    assert (sam.place, sam.cached, sam.md5, sam.size) == (Place.MISSING, False, pin.md5, pin.size)
    assert len(sam.sha256 or "") == 64
    assert (sam.license, sam.host) == ("Apache-2.0", "dl.fbaipublicfiles.com")
    assert str(sam.source).startswith("https://github.com/")
    assert sam.url == "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth"
    assert (raft.entry, raft.member) == ("raft", "models/raft-small.pth")
    things = found["models/raft_ckpts/raft-things.pth"].mirrors  # two of its own
    assert len(raft.mirrors) < len(things)
    hq = found["models/samhq_ckpts/sam_hq_vit_h.pth"]
    assert (hq.sets, hq.configurations) == (("minimal",), ("demo", "vis_eval_root"))
    assert world.requests == []


def test_what_is_selected_alone_is_shown(clone: TestClone) -> None:
    """A file of an archive without the others; a stray file by the same names as any."""
    (clone.root / SMALL).parent.mkdir(parents=True)
    (clone.root / SMALL).with_name("more.pth").write_bytes(b"1")

    assert [row.path for row in take(clone, "raft-small").rows] == [SMALL]
    assert [row.place for row in take(clone, "raft-small", "raft").rows][-1] is Place.STRAY
    assert take(clone).rows[-1].path.endswith("more.pth")
    assert len(take(clone).rows) == len(Clone.at(clone.root).catalogue.files) + 1
    with pytest.raises(UsageError, match="unknown name"):
        take(clone, "nothing")


def test_the_document_is_plain_and_has_a_version(clone: TestClone) -> None:
    """It survives a round through JSON; a state is its word."""
    found = take(clone, "sam_vit_b").as_json()

    assert json.loads(json.dumps(found)) == json.loads(json.dumps(found))
    assert (found["version"], found["faults"]) == (1, [])
    assert found["free"] > 0
    (row,) = found["files"]
    assert (row["path"], row["place"], row["estimated"]) == (PATH, "missing", False)


def test_the_document_is_documented(clone: TestClone) -> None:
    """Every key and every state has a row in docs/json.md, with the words that users see."""
    lines = (REPOSITORY / "docs/json.md").read_text().splitlines()
    cells = [[cell.strip(" `") for cell in line.split(" | ")] for line in lines]
    listed = [key for first, *_ in cells for key in first.strip("| `").split("`, `")]

    found = take(clone).as_json()

    assert {*found, *found["files"][0]} <= set(listed)
    for place in Place:
        row = f"| `{place.value}` | {place.word} | `{place.mark}` | {place.meaning} |"
        assert row in lines


def test_faults_are_collected_and_the_rest_is_shown(clone: TestClone) -> None:
    """No lock, a source that is gone, and a dvc.yaml that is no YAML."""
    assert fetch.main(["sam_vit_b"]) == 0
    (clone.root / "dvc.lock").unlink()
    (clone.root / "dvc.yaml").write_text("stages: [\n")
    (clone.root / "sources/sam_vit_b.dvc").unlink()

    found = take(clone)

    assert [each.where for each in found.faults] == [
        "dvc.lock",
        "dvc.yaml",
        "sources/sam_vit_b.dvc",
    ]
    row = by_path(found)[PATH]
    assert (row.place, row.md5, row.license, row.host) == (Place.UNVERIFIED, None, None, None)
    assert by_path(found)[SMALL].host == "www.dropbox.com"
    assert found.as_json()["faults"][0]["where"] == "dvc.lock"


def test_without_sources_every_file_is_still_listed(clone: TestClone) -> None:
    """Half a clone: a folder that was not copied."""
    shutil.rmtree(clone.root / "sources")

    found = take(clone)

    assert len(found.faults) == len(Clone.at(clone.root).catalogue.published)
    assert {row.url for row in found.rows} == {None}


def test_what_describes_a_file_is_read_once(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many files an archive has, and whoever asks; thousands of entries are no trouble."""
    asked: list[str] = []
    real = sources.read

    def counted(folder: Path, name: str) -> Source:
        asked.append(name)
        return real(folder, name)

    monkeypatch.setattr(sources, "read", counted)

    take(clone)

    holds = Clone.at(clone.root).catalogue
    assert sorted(asked) == sorted(holds.published)
    assert holds.files is holds.files


def test_a_lock_that_is_no_yaml_is_a_fault_and_no_catalogue_is_an_error(clone: TestClone) -> None:
    """Without params.yaml nobody knows what to list."""
    (clone.root / "dvc.lock").write_text("stages: [\n")

    found = take(clone)

    assert [each.where for each in found.faults] == ["dvc.lock"]
    assert {row.md5 for row in found.rows} == {None}
    (clone.root / "params.yaml").write_text("checkpoints: [\n")
    with pytest.raises(CatalogueError, match=r"params\.yaml"):
        take(clone)
