"""scripts.tree: a file too many or too few fails, and the inventory tells what is there."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import tree
from scripts.catalogue import inventory, params
from scripts.console.errors import CatalogueError, CheckpointError
from tests.world.checkpoints import PAPER, files
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.clones import TestClone

PIPS = "models/pips_ckpts/reference_model"
SAM = "models/sam_ckpts/sam_vit_b_01ec64.pth"


@pytest.fixture
def full(clone: TestClone) -> TestClone:
    """A clone with a file, of whatever content, at each of the 16 places."""
    for path in files(10_000):
        (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / path).write_bytes(b"hashes are not tree's")
    return clone


def state(clone: TestClone) -> tuple[bytes, ...]:
    """Return what a failing tree must not touch."""
    return tuple(map(clone.read, ("dvc.lock", "models.dvc", "params.yaml", "models.json")))


def test_a_complete_tree_gets_its_inventory(
    full: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every path once, sorted, with the pin of the lock; a second run writes the same bytes."""
    code = tree.main([])
    first = full.read("models.json")
    again = tree.main([])

    rows = json.loads(first)["files"]
    assert (code, again, full.read("models.json")) == (0, 0, first)
    assert [row["path"] for row in rows] == sorted(files(10_000))
    assert all(len(row["md5"]) == 32 and row["license"] and row["source"] for row in rows)
    assert capsys.readouterr().out.count("models/ is complete: inventory in models.json") == 2


def test_the_inventory_takes_the_place_of_a_link(full: TestClone) -> None:
    """DVC once linked it from its cache: writing through the link would break the object."""
    cached = full.root / "object"
    cached.write_text("old")
    right = full.read("models.json")
    cached.write_bytes(right)
    (full.root / "models.json").unlink()
    (full.root / "models.json").symlink_to(cached)

    assert tree.main([]) == 0
    cached.write_text("old")

    assert full.read("models.json") == right
    assert (full.root / "models.json").lstat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("text", "fault"), [(None, "missing"), ("{}", "outdated")])
def test_an_inventory_that_was_wrong_is_written_and_named(
    text: str | None, fault: str, full: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is in git: who sees this may have a commit to make."""
    right = full.read("models.json")
    (full.root / "models.json").unlink()
    if text:
        (full.root / "models.json").write_text(text)

    code = tree.main([])

    assert (code, full.read("models.json")) == (0, right)
    assert f"wrote models.json: it was {fault}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"x"),
        lambda path: path.symlink_to(REPOSITORY / "README.md"),
        lambda path: path.symlink_to(REPOSITORY / "scripts"),
        lambda path: path.symlink_to("nowhere"),
    ],
    ids=["file", "link", "link to a folder", "broken link"],
)
@pytest.mark.parametrize(
    "name", [f"{PIPS}/model-000300000.pth", f"{PIPS}/.gitignore", "models/README", "models/a b/ü"]
)
def test_a_stray_name_fails(
    name: str, make: object, full: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it is: loaders list the folder and take what they find."""
    before = state(full)
    (full.root / name).parent.mkdir(exist_ok=True)
    assert callable(make)
    make(full.root / name)

    code = tree.main([])

    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.startswith("error: models/ is not the catalogue's tree: 1 stray, 0 missing\n")
    assert f"\n  stray    {name}\n" in err
    assert state(full) == before


def test_a_stray_empty_folder_fails(full: TestClone, capsys: pytest.CaptureFixture[str]) -> None:
    """DVC does not count it, but the PIPS loaders look for a number in its name."""
    (full.root / PIPS / "old/er").mkdir(parents=True)

    code = tree.main([])

    assert code == 1
    assert f"1 stray, 0 missing\n  stray    {PIPS}/old/er/\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: None,
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.mkdir(),
        os.mkfifo,
    ],
    ids=["nothing", "broken link", "folder", "FIFO"],
)
def test_a_missing_file_fails(
    spoil: object, full: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link to nowhere, a folder or a FIFO is no file; and the empty folder above is no stray."""
    before = state(full)
    (full.root / SAM).unlink()
    assert callable(spoil)
    spoil(full.root / SAM)

    code = tree.main([])

    err = capsys.readouterr().err
    assert code == 1
    assert "1 missing\n" in err
    assert f"\n  missing  {SAM}\n  The lock and the seal are as they were.\n" in err
    assert state(full) == before


def test_strays_and_missing_are_told_together(
    full: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """A renamed file is both; a good inventory from before stays as it was."""
    assert tree.main([]) == 0
    before = full.read("models.json")
    (full.root / SAM).rename(full.root / "models/sam_ckpts/sam.pth")

    code = tree.main([])

    err = capsys.readouterr().err
    assert code == 1
    assert "1 stray, 1 missing\n  stray    models/sam_ckpts/sam.pth\n  missing  " + SAM in err
    assert full.read("models.json") == before


def test_a_fresh_clone_misses_everything_but_the_folder(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """All 16 are named, with the commands that bring them."""
    code = tree.main([])

    err = capsys.readouterr().err
    assert (code, err.count("\n  missing  models/")) == (1, 16)
    assert "`./checkpoints fetch complete`, or `./checkpoints dvc pull`" in err
    assert not (clone.root / "models").exists()


def test_a_folder_of_links_to_files_is_a_tree(full: TestClone) -> None:
    """The cache may be linked by symlinks: what counts is that something is at their end."""
    (full.root / SAM).unlink()
    (full.root / SAM).symlink_to(full.root / "params.yaml")

    assert tree.main([]) == 0


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ("no map of artifacts",)),
        ("- a\n", ("no map of artifacts",)),
        ("artifacts: [a]\n", ("no map of artifacts",)),
        ("artifacts: {a: 1, b: {path: 1, meta: {}}, c: {path: p}, d: {path: p, meta: {}}}\n",
         tuple(f"artifacts.{n}: not a map with a path and a map named meta" for n in "abc")),
    ],
)  # fmt: skip
def test_malformed_artifacts_are_told(text: str, faults: tuple[str, ...], clone: TestClone) -> None:
    """The inventory takes its words from dvc.yaml, where people write."""
    (clone.root / "dvc.yaml").write_text(text)

    with pytest.raises(CatalogueError) as caught:
        inventory.render(clone.root)

    assert caught.value.what.startswith("dvc.yaml: ")
    assert caught.value.faults == faults


def test_what_nothing_is_said_of_is_null(clone: TestClone) -> None:
    """No artifacts and no lock: the inventory lists the catalogue all the same."""
    (clone.root / "dvc.yaml").write_text("stages: {}\n")
    (clone.root / "dvc.lock").unlink()

    rows = json.loads(inventory.render(clone.root))["files"]

    assert len(rows) == 16
    assert all(row["md5"] is row["license"] is row["source"] is None for row in rows)


def test_a_disk_that_refuses_the_inventory_is_told(
    full: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder stands where models.json goes."""
    (full.root / "models.json").unlink()
    (full.root / "models.json").mkdir()

    code = tree.main([])

    assert code == 1
    assert "is a directory" in capsys.readouterr().err
    assert isinstance(code, int)


def test_check_raises_what_main_prints(tmp_path: Path) -> None:
    """Another command may ask for the same check."""
    holds = params.read(PAPER / "params.yaml")

    with pytest.raises(CheckpointError, match=f"0 stray, {len(holds.files)} missing"):
        inventory.check(tmp_path, holds)


def test_fetching_everything_leaves_dvc_and_git_clean(clone: TestClone) -> None:
    """So does `dvc repro` behind it; models.json is git's alone: 16 files are pushed and pulled."""

    def dirty() -> tuple[str, str]:
        status = clone.run("dvc", "status", check=True).stdout
        return clone.run("git", "status", "--porcelain", check=True).stdout, status

    clean = ("", "Data and pipelines are up to date.\n")
    clone.run(sys.executable, "-m", "scripts.fetch", "complete", check=True)
    assert dirty() == clean
    clone.run("dvc", "repro", "models.dvc", check=True)
    assert dirty() == clean

    push = clone.run("dvc", "push", check=True)
    for name in ("models", ".dvc/cache"):
        shutil.rmtree(clone.root / name)
    pull = clone.run("dvc", "pull", check=True)

    assert "16 files pushed" in push.stdout
    assert "16 files fetched and 16 files added" in pull.stdout
    assert dirty() == clean
    assert clone.read("models.json") not in clone.objects().values()
    assert (clone.root / "models.json").stat().st_mode & 0o777 == 0o644
