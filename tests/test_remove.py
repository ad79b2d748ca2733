"""scripts.remove: an entry goes out of every file, and comes back to the letter."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import import_url, remove
from scripts.catalogue import lock, params
from scripts.curation import changes
from scripts.storage.cache import Cache
from tests.curation.changing import CLEAN, files, keep, missing, run, undo
from tests.download.transfers import md5, noise
from tests.world.checkpoints import files as synthetic
from tests.world.formats import zip_of

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

NAMES = ("params.yaml", "dvc.yaml", "dvc.lock", "models.dvc", "models.json", "sources/.gitignore")
SMALL = "models/raft_ckpts/raft-small.pth"
CHAIRS = "models/raft_ckpts/raft-chairs.pth"


def test_a_clone_that_was_pulled_is_changed_as_one_that_was_fetched(
    complete: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """DVC brought its files, so that nothing of ours was ever run there."""
    shutil.rmtree(complete.root / ".dvc/tmp")

    assert run(remove.main, capsys, "superpoint_v1").code == 0
    assert complete.run("dvc", "status").stdout == CLEAN


def test_an_archive_goes_with_all_its_files(
    complete: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Out of the six files, sources/ and models/, folder included; the cache keeps its objects."""
    objects = complete.objects()

    done = run(remove.main, capsys, "raft")

    assert done.code == 0, done.err
    assert len(complete.tree()) == 20
    assert not [name for name in NAMES if re.search(rb"raft[-_:]", complete.read(name))]
    assert not (complete.root / "models/raft_ckpts").exists()
    assert not (complete.root / "sources/raft.dvc").exists()
    assert objects.items() <= complete.objects().items()


def test_what_is_left_is_clean_and_whole(
    complete: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """DVC has nothing to run, and would write the same lock and seal."""
    assert run(remove.main, capsys, "superpoint_v1").code == 0
    before = files(complete)

    assert complete.run("dvc", "status").stdout == CLEAN
    assert "Running" not in complete.run("dvc", "repro", "models.dvc", check=True).stdout
    complete.run("dvc", "commit", "--force", check=True)
    assert files(complete) == before


@pytest.mark.parametrize("name", ["raft", "pips", "sam_vit_b", "tapnet_checkpoint_wo_optstate"])
def test_a_removal_is_undone_to_the_letter(
    name: str, complete: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """By git and DVC alone, out of the cache."""
    before = files(complete)
    done = run(remove.main, capsys, name)

    undo(complete, done.err)

    assert not re.search("git clean|find", done.err)
    assert files(complete) == before
    assert complete.run("dvc", "status").stdout == CLEAN


def test_the_diff_is_all_there_is_to_commit(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a clone with nothing fetched, too, where nothing else may change its state."""
    before = missing(clone)

    done = run(remove.main, capsys, "pips")
    keep(clone, done.err)

    assert done.out.startswith("diff --git a/dvc.lock b/dvc.lock\n")
    assert "deleted file mode 100644\nindex" in done.out
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert set(missing(clone)) < set(before)
    assert lock.write(clone.root) == []


def test_an_import_and_its_removal_leave_what_was(
    complete: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one is the inverse of the other, in every file."""
    world.publish("https://weights.example/all.zip", zip_of({"w": noise(9_000)}))
    before = files(complete)
    words = ("https://weights.example/all.zip", "models/new_ckpts/a/w.pth", "--member", "w")
    keep(complete, run(import_url.main, capsys, *words).err)

    done = run(remove.main, capsys, "w")

    assert done.code == 0, done.err
    assert files(complete) == before
    assert not (complete.root / "models/new_ckpts").exists()


def test_every_entry_can_go(clone: TestClone, capsys: pytest.CaptureFixture[str]) -> None:
    """One after another, to the two of the minimal variant; what is left can still be read."""
    names = params.read(clone.root / "params.yaml").published
    for name in names:
        done = run(remove.main, capsys, name)
        if done.code == 0:
            clone.run("git", "commit", "-qam", name, check=True)

    left = params.read(clone.root / "params.yaml").published

    assert sorted(left) == ["cotracker_stride_4_wind_8", "sam_hq_vit_h"]
    assert b"archives: {}\n" in clone.read("params.yaml")
    missing(clone)
    clone.run("dvc", "repro", "-q", "models.dvc", check=True)
    assert clone.run("dvc", "status").stdout == CLEAN


def test_what_another_stage_needs_stays(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """The minimal variant is said to be two files."""
    before = files(clone)

    done = run(remove.main, capsys, "sam_hq_vit_h")

    assert (done.code, done.out) == (2, "")
    assert "stage fetch_minimal needs models/samhq_ckpts/sam_hq_vit_h.pth" in done.err
    assert files(clone) == before


@pytest.mark.parametrize("name", ["raft-small", "models/x.pth", "", "fetch@sam_vit_b"])
def test_an_unknown_name_is_told(
    name: str, clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the names there are."""
    before = files(clone)

    done = run(remove.main, capsys, name)

    assert (done.code, done.out) == (2, "")
    assert f"unknown name: {name}\n" in done.err
    assert "sam_vit_b" in done.err
    assert files(clone) == before


def test_a_dirty_file_is_left_alone(clone: TestClone, capsys: pytest.CaptureFixture[str]) -> None:
    """The undo would take the user's own change with it."""
    with (clone.root / "params.yaml").open("a") as file:
        file.write("# mine\n")
    before = files(clone)

    done = run(remove.main, capsys, "raft")

    assert (done.code, done.out) == (2, "")
    assert " M params.yaml\n" in done.err
    assert files(clone) == before


def test_a_folder_that_is_no_git_repository_is_told(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """There would be no undo."""
    (clone.root / ".git").rename(clone.root / "git")

    done = run(remove.main, capsys, "raft")

    assert done.code == 2
    assert "git status failed\n  fatal: not a git repository" in done.err


def test_a_machine_without_git_is_told(
    clone: TestClone, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is done."""
    monkeypatch.setenv("PATH", str(clone.root))

    assert "git is not installed" in run(remove.main, capsys, "raft").err


def test_a_wrong_file_in_place_is_put_aside(
    complete: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that nobody pinned are nobody's to delete."""
    (complete.root / SMALL).unlink()
    (complete.root / SMALL).write_bytes(b"mine")
    (complete.root / ".dvc/cache/files/md5").rename(complete.root / ".dvc/cache/files/gone")

    done = run(remove.main, capsys, "raft")

    assert done.code == 0, done.err
    assert f"{SMALL} was not the pinned file; it is now quarantine/" in done.err
    aside = list(complete.root.glob(f"quarantine/*/{SMALL}"))
    assert [path.read_bytes() for path in aside] == [b"mine"]


def test_a_file_that_was_put_there_by_hand_goes_into_the_cache(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pinned bytes are never lost, wherever they came from."""
    (clone.root / SMALL).parent.mkdir(parents=True)
    (clone.root / SMALL).write_bytes(synthetic(10_000)[SMALL])

    done = run(remove.main, capsys, "raft")

    assert done.code == 0, done.err
    assert clone.tree() == {}
    assert md5(synthetic(10_000)[SMALL]) in clone.objects()


def test_a_renamed_entry_takes_its_old_pin_along(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lock knows it by its path, under the old name; and it has a source no more."""
    names = clone.root / "params.yaml"
    names.write_text(names.read_text().replace("  sam_vit_b:", "  renamed:"))
    held = clone.root / "dvc.lock"
    held.write_text(held.read_text().replace("checkpoints.sam_vit_b:", "checkpoints.renamed:"))
    clone.run("git", "commit", "-qam", "rename", check=True)

    done = run(remove.main, capsys, "renamed")

    assert done.code == 0, done.err
    assert "fetch@sam_vit_b" not in held.read_text()


def test_an_archive_without_its_stage_can_go(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody has begun by hand."""
    stages = clone.root / "dvc.yaml"
    stages.write_text(stages.read_text().replace("  unpack_raft:", "  other:"))
    clone.run("git", "commit", "-qam", "begun", check=True)

    assert run(remove.main, capsys, "raft").code == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("stages:", "no_stages:", "dvc.yaml: 1 fault\n  no map of stages"),
        ("  fetch_minimal:\n", "  x: 1\n  fetch_minimal:\n", "1 fault\n  stages.x: not a map"),
        ("artifacts:", "artifacts: []\nx:", "no map of artifacts"),
    ],
)
def test_a_malformed_dvc_yaml_is_told(
    old: str, new: str, said: str, clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no file is written."""
    stages = clone.root / "dvc.yaml"
    stages.write_text(stages.read_text().replace(old, new, 1))
    clone.run("git", "commit", "-qam", "broken", check=True)
    before = files(clone)

    done = run(remove.main, capsys, "raft")

    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert files(clone) == before


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (PermissionError(errno.EACCES, "denied"), "error: may not write"),
        (KeyboardInterrupt(), "error: stopped"),
    ],
)
def test_a_file_that_is_not_removed_puts_everything_back(
    reason: BaseException,
    said: str,
    complete: TestClone,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The fourth of five: what had gone, what the user had put there, every word; or Ctrl-C."""
    (complete.root / CHAIRS).unlink()
    (complete.root / CHAIRS).write_bytes(b"mine")
    Cache(complete.root).object(md5(synthetic(10_000)[CHAIRS])).unlink()
    before, unlink = files(complete), Path.unlink

    def denied(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == "raft-small.pth":
            raise reason
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", denied)
    done = run(remove.main, capsys, "raft")

    assert done.code > 0
    assert said in done.err
    assert files(complete) == before


def test_a_seal_that_cannot_be_made_puts_everything_back(
    clone: TestClone, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at the last moment stands for whatever goes wrong."""
    before = files(clone)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(changes, "reseal", interrupted)

    assert run(remove.main, capsys, "raft").code == 130
    assert files(clone) == before
