"""scripts.seal believes what git has, and new pins on which every file agrees."""

from __future__ import annotations

import io
import re
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scripts import fetch, import_url, repin, seal
from scripts.catalogue import history, lock, pins
from scripts.catalogue.pins import Pin
from tests.catalogue.test_witnesses import SAM, drop, edit
from tests.curation.changing import run

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

NAMES = ("params.yaml", "dvc.yaml", "dvc.lock", "models.dvc", "models.json")
Capture = pytest.CaptureFixture[str]


def state(clone: TestClone) -> list[bytes]:
    """Return the files of the catalogue."""
    return [clone.read(name) for name in NAMES]


def test_pins_that_the_lock_lost_are_restored(clone: TestClone, capsys: Capture) -> None:
    """With their sizes: the last commit has them."""
    before = state(clone)
    drop(clone.root, "unpack_raft", "fetch@sam_vit_b", "tree")

    assert run(seal.main, capsys).code == 0

    assert state(clone) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("dvc.lock", "md5: ", "md5: 0123456789abcdef0123456789abcdea #"), "in models.json of git"),
        (("dvc.lock", "      size: ", "      size: 9"), " in that of git"),
        (("params.yaml", "sha256: ", "sha256: 0"), "not 64"),
        (("params.yaml", SAM, "models/sam_ckpts/b.pth"), "ckpts/b.pth: new, and without"),
        (("params.yaml", "  sam_vit_b:", "  sam_b:"), "sources/ has sam_vit_b: not in params.yaml"),
        (("models.dvc", "path: models\n", "path: other\n"), "it records no hash of models"),
    ],
)  # fmt: skip
def test_what_no_commit_knows_is_refused(
    words: tuple[str, str, str], told: str, clone: TestClone, capsys: Capture
) -> None:
    """Nothing is written then."""
    edit(clone.root, *words)
    before = state(clone)

    done = run(seal.main, capsys)

    assert done.code == 2
    assert told in done.err
    assert state(clone) == before


def test_a_sha256_is_dropped_by_a_commit_alone(clone: TestClone, capsys: Capture) -> None:
    """A params.yaml that lost some is no decision of anybody's; a commit is one."""
    text = clone.read("params.yaml").decode()
    (clone.root / "params.yaml").write_text(re.sub(r"(?m)^.*sha256: .*\n", "", text))

    refused = run(seal.main, capsys)
    clone.run("git", "commit", "-qam", "drop", check=True)
    accepted = run(seal.main, capsys)

    assert (refused.code, accepted.code) == (2, 0)
    assert f"{SAM}: sha256 None in params.yaml, " in refused.err
    assert "raft: sha256 None in params.yaml, " in refused.err
    assert run(seal.main, capsys).out.endswith("up to date\n")


def test_a_new_pin_is_believed_before_its_commit(clone: TestClone, capsys: Capture) -> None:
    """All files of the catalogue agree on it, as repin leaves them."""
    own = clone.root.parent / "own.pth"
    own.write_bytes(b"another release")
    assert run(repin.main, capsys, "sam_vit_b", "--from", str(own), "--accept").code == 0
    before = state(clone)

    done = run(seal.main, capsys)

    assert done.out == "dvc.lock, models.dvc and models.json are up to date\n"
    assert state(clone) == before


def test_half_an_import_is_refused(clone: TestClone, capsys: Capture) -> None:
    """An entry without a pin, and a pin that sources/ contradicts."""
    edit(
        clone.root, "params.yaml", "  sam_vit_b:\n", "  b:\n    path: models/b.pth\n  sam_vit_b:\n"
    )
    assert "models/b.pth: new, and without a pin" in run(seal.main, capsys).err
    row = "    outs:\n    - {path: models/b.pth, md5: 0123456789abcdef0123456789abcdef, size: 9}\n"
    edit(clone.root, "dvc.lock", "stages:\n", f"stages:\n  fetch@b:\n{row}")
    assert "sources/b.dvc: 1 fault" in run(seal.main, capsys).err
    source = clone.read("sources/sam_vit_b.dvc").decode()
    (clone.root / "sources/b.dvc").write_text(source.replace("deps:\n-", "deps:\n- size: 8\n "))
    assert "models/b.pth: 9 bytes in dvc.lock, 8 in sources/b.dvc" in run(seal.main, capsys).err
    (clone.root / "sources/b.dvc").write_text(source)

    assert run(seal.main, capsys).code == 0


def test_without_git_the_files_witness_for_each_other(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download of the repository has no history; git itself may be missing."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert history.read(clone.root, "HEAD", "dvc.lock") is None
    assert run(seal.main, capsys).code == 0
    drop(clone.root, "unpack_raft")

    done = run(seal.main, capsys)

    assert done.code == 2
    assert "5 of 16 files have no pin" in done.err


def test_a_lock_of_git_that_is_damaged_has_no_pins(clone: TestClone) -> None:
    """It is not the file to restore, then."""
    (clone.root / "dvc.lock").write_text("stages: [\n")
    (clone.root / "models.json").write_text("{}")
    clone.run("git", "commit", "-qam", "broken", check=True)

    assert history.locked(clone.root, "HEAD") == {}
    assert list(history.sealed(clone.root)) == []


def _array(name: str) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.frombuffer(name.encode(), dtype="u1"))
    return stream.getvalue()


def _import(clone: TestClone, world: World, capsys: Capture, name: str) -> None:
    url = f"https://weights.example/{name}.npy"
    world.publish(url, _array(name))
    done = run(import_url.main, capsys, url, f"models/{name}/{name}.npy")
    assert done.code == 0, done.err
    clone.run("git", "add", "-A", check=True)
    clone.run("git", "commit", "-qm", name, check=True)


def _both_sides(clone: TestClone, name: str, mine: str, theirs: str) -> None:
    """Resolve a conflict as a person does: keep the entry of one side, add that of the other."""
    sides = [clone.run("git", "show", f"{side}:{name}").stdout for side in ("HEAD", "MERGE_HEAD")]
    entry = re.search(rf"(?m)^  {theirs}:\n(?:    .*\n)+", sides[1])
    assert entry
    (clone.root / name).write_text(sides[0].replace(f"  {mine}:\n", f"{entry[0]}  {mine}:\n"))


def test_two_branches_with_an_import_each_are_merged(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Markers are recognised; the printed steps give both entries, their pins and one order."""
    clone.run("git", "branch", "other", check=True)
    _import(clone, world, capsys, "first")
    clone.run("git", "checkout", "-q", "other", check=True)
    _import(clone, world, capsys, "second")
    before = pins.read(clone.root / "dvc.lock")
    before.pop("models.json")

    merged = clone.run("git", "merge", "main")
    told = run(seal.main, capsys)

    assert merged.returncode == 1
    assert "sources/" not in clone.run("git", "diff", "--name-only", "--diff-filter=U").stdout
    assert told.code == 2
    assert "a conflict marker: a merge is not finished" in told.err
    for name in ("params.yaml", "dvc.yaml"):
        _both_sides(clone, name, "second", "first")
    clone.run("git", "checkout", "HEAD", "dvc.lock", "models.dvc", "models.json", check=True)
    done = run(seal.main, capsys)
    assert done.code == 0, done.err
    sealed = state(clone)
    held = pins.read(clone.root / "dvc.lock")
    assert before.items() <= held.items()
    sizes = [held[f"models/{name}/{name}.npy"].size for name in ("first", "second")]
    assert sizes == [len(_array("first")), len(_array("second"))]
    assert lock.write(clone.root) == []

    clone.run("git", "add", "-A", check=True)
    clone.run("git", "commit", "-qm", "merge", check=True)
    drop(clone.root, "fetch@first")  # as if the other side of the lock had been taken
    assert run(seal.main, capsys).code == 0
    assert state(clone) == sealed
    status = subprocess.run(["dvc", "status", "fetch@first"], cwd=clone.root, env=dict(clone.env),  # noqa: S607
                            capture_output=True, text=True, check=True)  # fmt: skip
    assert "changed command" not in status.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_conflict_marker_is_recognised(
    name: str, clone: TestClone, world: World, capsys: Capture
) -> None:
    """In each of the five files, with the way out; `git checkout dvc.lock` would be refused."""
    marked = b"<<<<<<< HEAD\n" + clone.read(name) + b"=======\n>>>>>>> other\n"
    (clone.root / name).write_bytes(marked)

    done = run(fetch.main, capsys, "raft")

    assert (done.code, world.requests, clone.tree()) == (2, [], {})
    assert done.err.startswith(f"error: {name}: 1 fault\n  line 1: a conflict marker: a merge is")
    assert (
        "`git checkout HEAD dvc.lock models.dvc models.json` and `./checkpoints seal`" in done.err
    )


def test_of_two_pins_the_lock_chooses(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One branch repinned a file: either side is believed, and without the lock neither."""
    (ours,) = history.sealed(clone.root)
    theirs = {**ours, SAM: Pin("1" * 31 + "a", 7, ours[SAM].sha256)}
    monkeypatch.setattr(history, "sealed", lambda _: [theirs, ours])

    kept = run(seal.main, capsys)
    drop(clone.root, "fetch@sam_vit_b")
    lost = run(seal.main, capsys)

    assert (kept.code, lost.code) == (0, 2)
    assert f"{SAM}: no md5 in dvc.lock, " in lost.err
