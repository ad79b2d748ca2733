"""python -m scripts.remove: an entry goes out of every file, and comes back to the letter."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import import_url, remove
from scripts.catalogue import documents, lock, params
from scripts.checkout.journal import Journal
from scripts.storage.cache import Cache
from tests.curation.changing import CLEAN, dvc, files, folders, keep, missing, run, undo
from tests.download.transfers import md5, noise
from tests.world.checkpoints import files as synthetic
from tests.world.formats import zip_of

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

NAMES = ("params.yaml", "dvc.yaml", "dvc.lock", "models.dvc", "models.json")
SMALL = "models/raft_ckpts/raft-small.pth"
CHAIRS = "models/raft_ckpts/raft-chairs.pth"


def edit(clone: TestClone, name: str, old: str, new: str) -> None:
    """Change a file of the clone, in a commit."""
    text = (clone.root / name).read_text()
    assert old in text
    (clone.root / name).write_text(text.replace(old, new, 1))
    clone.run("git", "commit", "-qam", "edited", check=True)


def test_an_archive_goes_with_all_its_files(complete: TestClone, capsys: Capture) -> None:
    """Out of the six files, sources/ and models/, folder included; the cache keeps its objects."""
    before, objects = complete.tree(), complete.objects()

    done = run(remove.main, capsys, "raft")

    assert done.code == 0, done.err
    assert complete.tree() == {path: before[path] for path in before if "raft" not in path}
    assert not [name for name in NAMES if re.search(rb"raft[-_:]", complete.read(name))]
    assert not (complete.root / "models/raft_ckpts").exists()
    assert not (complete.root / "sources/raft.dvc").exists()
    assert objects.items() <= complete.objects().items()


def test_what_is_left_is_clean_and_whole(complete: TestClone, capsys: Capture) -> None:
    """DVC has nothing to run, and would write the same; also where only DVC was run before."""
    shutil.rmtree(complete.root / ".dvc/tmp")
    assert run(remove.main, capsys, "superpoint_v1").code == 0
    before = files(complete)

    assert dvc(capsys, "status") == CLEAN
    assert "Running" not in complete.run("dvc", "repro", "models.dvc", check=True).stdout
    assert files(complete) == before
    assert lock.write(complete.root) == []


@pytest.mark.parametrize("name", ["raft", "sam_vit_b"])
def test_a_removal_is_undone_to_the_letter(name: str, complete: TestClone, capsys: Capture) -> None:
    """By git and DVC alone, out of the cache; models.json, too."""
    before = files(complete)
    done = run(remove.main, capsys, name)
    assert files(complete)["models.json"] != before["models.json"]

    undo(complete, done.err)

    assert not re.search("git clean|find", done.err)
    assert files(complete) == before
    assert complete.run("git", "status", "--porcelain").stdout == ""
    assert dvc(capsys, "status") == CLEAN


def test_the_printed_lines_keep_all_of_it(clone: TestClone, capsys: Capture) -> None:
    """In a clone with nothing fetched; then git has nothing to say."""
    before = missing(clone)

    done = run(remove.main, capsys, "pips")
    keep(clone, done.err)

    assert done.out.startswith("diff --git a/dvc.lock b/dvc.lock\n")
    assert "diff --git a/models.json b/models.json\n" in done.out
    assert "deleted file mode 100644\nindex" in done.out
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert set(missing(clone)) < set(before)
    assert lock.write(clone.root) == []


def test_an_import_and_its_removal_leave_what_was(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """The one is the inverse of the other, in every file."""
    world.publish("https://weights.example/all.zip", zip_of({"w": noise(9_000)}))
    before = files(complete), folders(complete)
    words = ("https://weights.example/all.zip", "models/new_ckpts/a/w.pth", "--member", "w")
    keep(complete, run(import_url.main, capsys, *words).err)

    done = run(remove.main, capsys, "w")

    assert done.code == 0, done.err
    assert (files(complete), folders(complete)) == before


def test_the_last_archive_can_go(clone: TestClone, capsys: Capture) -> None:
    """One after another; what is left can still be read, by DVC, too."""
    published = params.read(clone.root / "params.yaml").published
    archives = [name for name, entry in published.items() if entry.archive]
    for name in archives:
        assert run(remove.main, capsys, name).code == 0
        clone.run("git", "commit", "-qam", name, check=True)

    assert b"archives: {}\n" in clone.read("params.yaml")
    assert params.read(clone.root / "params.yaml").published.keys() == published.keys() - {
        *archives
    }
    missing(clone)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("python -m scripts.fetch cotracker", "python -m scripts.prefetch cotracker"),
        ("  fetch_minimal:\n", "  another:\n"),
        ("models/cotracker_ckpts/cotracker_stride_4_wind_8.pth\n      hash: md5\n      md5: ",
         "models/cotracker_ckpts/gone.pth\n      hash: md5\n      md5: "),
    ],
    ids=["older command", "entry of no stage", "dep on a file that is gone"],
)  # fmt: skip
def test_a_lock_that_is_behind_is_no_obstacle(
    old: str, new: str, clone: TestClone, capsys: Capture
) -> None:
    """Its entries of fetch_minimal, which has no outs, are made again from dvc.yaml."""
    fetch_minimal = documents.load(clone.root / "dvc.lock")["stages"]["fetch_minimal"]
    text = (clone.root / "dvc.lock").read_text()
    at = text.index("  fetch_minimal:\n")
    assert old in text[at:]
    (clone.root / "dvc.lock").write_text(text[:at] + text[at:].replace(old, new, 1))
    clone.run("git", "commit", "-qam", "older", check=True)

    done = run(remove.main, capsys, "raft")

    assert done.code == 0, done.err
    held = documents.load(clone.root / "dvc.lock")["stages"]
    assert held["fetch_minimal"] == fetch_minimal
    assert not held.keys() & {"another", "unpack_raft"}
    missing(clone)


def test_what_another_stage_needs_stays(clone: TestClone, capsys: Capture) -> None:
    """The minimal variant is said to be two files."""
    before = files(clone)

    done = run(remove.main, capsys, "sam_hq_vit_h")

    assert (done.code, done.out) == (2, "")
    assert "stage fetch_minimal needs models/samhq_ckpts/sam_hq_vit_h.pth" in done.err
    assert files(clone) == before


def test_what_a_set_needs_stays(clone: TestClone, capsys: Capture) -> None:
    """The user decides what the set is without it."""
    path = clone.root / "params.yaml"
    path.write_text(path.read_text().replace("  minimal: [", "  other: [sam]\n  minimal: ["))
    clone.run("git", "commit", "-qam", "other", check=True)
    before = files(clone)

    done = run(remove.main, capsys, "sam_vit_b")

    assert (done.code, done.out) == (2, "")
    assert "set other needs models/sam_ckpts/sam_vit_b_01ec64.pth" in done.err
    assert "remove sam_vit_b from set other in params.yaml" in done.err
    assert files(clone) == before


def test_a_configuration_goes_with_what_it_loads(clone: TestClone, capsys: Capture) -> None:
    """Nobody can run it with this repository any more; the others stay."""
    assert run(remove.main, capsys, "sam_vit_l").code == 0

    left = params.read(clone.root / "params.yaml").configurations
    assert left.keys() == {"demo", "raft"}


def test_an_unknown_name_is_refused(clone: TestClone, capsys: Capture) -> None:
    """Exit code 2, and names that are like it."""
    before = files(clone)

    for name, near in (
        ("rafts", "raft,"),
        ("models/x.pth", "no name"),
        ("fetch@pips", "pips"),
    ):
        done = run(remove.main, capsys, name)
        assert (done.code, done.out) == (2, "")
        assert f"unknown name: {name}\n" in done.err
        assert near in done.err
    assert files(clone) == before


def test_a_part_of_an_archive_is_refused(clone: TestClone, capsys: Capture) -> None:
    """A file name that fetch understands; the archive goes whole, or not."""
    before = files(clone)

    done = run(remove.main, capsys, "sam_vit_b", "raft-small.pth")

    assert (done.code, done.out) == (2, "")
    assert f"raft is an archive of 5 files, and these are a part of it: {SMALL}" in done.err
    assert "Next: give the name raft" in done.err
    assert files(clone) == before


def test_several_go_in_one_change(complete: TestClone, capsys: Capture) -> None:
    """A name, a family, a glob: one diff, one title, and undone by one line to the letter."""
    before = files(complete)

    done = run(remove.main, capsys, "raft", "superglue", "pips*", "sam_vit_l")

    assert done.code == 0, done.err
    gone = {"raft", "superglue_outdoor", "superpoint_v1", "pips", "pips_plus_plus", "sam_vit_l"}
    held = params.read(complete.root / "params.yaml").published
    assert not gone & held.keys()
    assert len(held) == 12 - len(gone)
    assert "-m 'Remove sam_vit_l, superglue_outdoor, superpoint_v1 and 3 more'" in done.err
    assert lock.write(complete.root) == []
    assert dvc(capsys, "status") == CLEAN
    undo(complete, done.err)
    assert files(complete) == before


@pytest.mark.usefixtures("clone")
def test_everything_that_still_needs_them_is_named(capsys: Capture) -> None:
    """At once: the stage and the set, of both files."""
    done = run(remove.main, capsys, "sam_hq_vit_h", "cotracker_stride_4_wind_8")

    assert (done.code, done.out) == (2, "")
    for name in ("sam_hq_vit_h", "cotracker_stride_4_wind_8"):
        assert f"{name}: stage fetch_minimal needs models/" in done.err
        assert f"{name}: set minimal needs models/" in done.err


@pytest.mark.parametrize("name", ["params.yaml", "models.json"])
def test_a_dirty_file_is_left_alone(name: str, clone: TestClone, capsys: Capture) -> None:
    """The undo would take the user's own change with it."""
    with (clone.root / name).open("a") as file:
        file.write("# mine\n")
    before = files(clone)

    done = run(remove.main, capsys, "raft")

    assert (done.code, done.out) == (2, "")
    assert f" M {name}\n" in done.err
    assert files(clone) == before


def test_a_wrong_file_in_place_is_put_aside(complete: TestClone, capsys: Capture) -> None:
    """Bytes without a pin are not ours to delete."""
    (complete.root / SMALL).unlink()
    (complete.root / SMALL).write_bytes(b"mine")
    (complete.root / ".dvc/cache/files/md5").rename(complete.root / ".dvc/cache/files/gone")

    done = run(remove.main, capsys, "raft")

    assert done.code == 0, done.err
    assert f"{SMALL} was not the pinned file; it is now quarantine/" in done.err
    aside = list(complete.root.glob(f"quarantine/*/{SMALL}"))
    assert [path.read_bytes() for path in aside] == [b"mine"]


def test_a_file_that_was_put_there_by_hand_goes_into_the_cache(
    clone: TestClone, capsys: Capture
) -> None:
    """Pinned bytes are never lost, wherever they came from."""
    (clone.root / SMALL).parent.mkdir(parents=True)
    (clone.root / SMALL).write_bytes(synthetic(10_000)[SMALL])

    done = run(remove.main, capsys, "raft")

    assert done.code == 0, done.err
    assert clone.tree() == {}
    assert md5(synthetic(10_000)[SMALL]) in clone.objects()


def test_a_renamed_entry_takes_its_old_pin_along(clone: TestClone, capsys: Capture) -> None:
    """The lock knows it by its path, under the old name; and it has a source no more."""
    edit(clone, "params.yaml", "  sam_vit_b:", "  renamed:")

    done = run(remove.main, capsys, "renamed")

    assert done.code == 0, done.err
    assert "fetch@sam_vit_b" not in clone.read("dvc.lock").decode()


def test_a_stage_of_another_name_goes_with_its_archive(clone: TestClone, capsys: Capture) -> None:
    """It is known by its files."""
    edit(clone, "dvc.yaml", "  unpack_raft:", "  other:")

    done = run(remove.main, capsys, "raft")

    assert done.code == 0, done.err
    assert not {"other", "unpack_raft"} & documents.load(clone.root / "dvc.yaml")["stages"].keys()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("stages:", "no_stages:", "dvc.yaml: 1 fault\n  no map of stages"),
        ("  fetch_minimal:\n", "  x: 1\n  fetch_minimal:\n", "1 fault\n  stages.x: not a map"),
        ("artifacts:", "artifacts: []\nx:", "no map of artifacts"),
    ],
)
def test_a_malformed_dvc_yaml_is_refused(
    old: str, new: str, said: str, clone: TestClone, capsys: Capture
) -> None:
    """And no file is written."""
    edit(clone, "dvc.yaml", old, new)
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
def test_a_file_that_is_not_removed_restores_everything(
    reason: BaseException,
    said: str,
    complete: TestClone,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
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


def test_a_seal_that_cannot_be_made_restores_everything(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at the last moment stands for whatever goes wrong."""
    before = files(clone)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "done", interrupted)

    assert run(remove.main, capsys, "raft").code == 130
    assert files(clone) == before
