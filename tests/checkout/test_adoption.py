"""An old tree under models/: correct files are kept, and wrong ones never lost."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from tests.world import Fault
from tests.world.checkpoints import files, members

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

SCALE = 10_000
FILES = files(SCALE)
RIGHT = "models/superglue_ckpts/superpoint_v1.pth"
WRONG = "models/sam_ckpts/sam_vit_b_01ec64.pth"
RAFT = members()["raft"].values()
CLEAN = "Data and pipelines are up to date.\n"
Capture = pytest.CaptureFixture[str]


def put(clone: TestClone, path: str, data: bytes, mode: int = 0o644) -> os.stat_result:
    """Write a file of the tree by hand, as wget did, and return its stat."""
    target = clone.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(mode)
    return target.stat()


def aside(clone: TestClone) -> dict[str, bytes]:
    """Return name -> bytes of the files in quarantine, without the time in their paths."""
    folder = clone.root / "quarantine"
    found = (p for p in folder.rglob("*") if p.is_file())
    return {"/".join(p.relative_to(folder).parts[1:]): p.read_bytes() for p in found}


def flip(path: Path) -> bytes:
    """Change one byte in place, for every link, and keep the mode."""
    mode, data = path.stat().st_mode, bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(data)
    path.chmod(mode)
    os.utime(path, ns=(1, 1))
    return bytes(data)


def stored(clone: TestClone) -> Path:
    """Return the one object in the cache."""
    (found,) = (clone.root / ".dvc/cache/files/md5").glob("??/*")
    return found


def test_dvc_replaces_a_wrong_file_and_names_its_new_path(clone: TestClone) -> None:
    """A correct file is kept, the wrong one is in quarantine, both stages are clean."""
    inode = put(clone, RIGHT, FILES[RIGHT]).st_ino
    put(clone, WRONG, b"what an interrupted wget left")

    done = clone.run("dvc", "repro", "fetch@sam_vit_b", "fetch@superpoint_v1")

    assert done.returncode == 0, done.stderr
    assert "a wrong file was in its place; it is now quarantine/" in done.stdout
    assert aside(clone) == {WRONG: b"what an interrupted wget left"}
    assert clone.tree() == {path: FILES[path] for path in (RIGHT, WRONG)}
    assert (clone.root / RIGHT).stat().st_ino == inode
    status = clone.run("dvc", "status", "fetch@sam_vit_b", "fetch@superpoint_v1")
    assert status.stdout == CLEAN


def test_dvc_keeps_a_wrong_file_in_its_place_if_its_source_fails(
    clone: TestClone, world: World
) -> None:
    """The user may know the file."""
    put(clone, WRONG, b"wrong")
    world.fault("*", Fault.status(404))
    lock = clone.read("dvc.lock")

    done = clone.run("dvc", "repro", "fetch@sam_vit_b")

    assert done.returncode == 255
    assert "404" in done.stderr
    assert clone.tree() == {WRONG: b"wrong"}
    assert (aside(clone), clone.read("dvc.lock")) == ({}, lock)


@pytest.mark.parametrize("mode", [0o644, 0o400])
def test_a_correct_file_keeps_its_bytes_and_its_inode(
    clone: TestClone, world: World, mode: int
) -> None:
    """Writable or read-only: it also becomes the object in the cache."""
    before = put(clone, RIGHT, FILES[RIGHT], mode)

    assert fetch.main(["superpoint_v1"]) == 0

    after = (clone.root / RIGHT).stat()
    assert world.requests == []
    assert (after.st_ino, after.st_mtime_ns, after.st_nlink) == (
        before.st_ino, before.st_mtime_ns, 2)  # fmt: skip
    assert stored(clone).samefile(clone.root / RIGHT)
    assert stat.S_IMODE(after.st_mode) == 0o444


@pytest.mark.parametrize(
    ("types", "through_dvc"),
    [("hardlink", False), ("symlink", False), ("copy", False), ("hardlink", True)],
)
def test_the_target_of_a_foreign_link_is_not_changed(
    clone: TestClone,
    tmp_path: Path,
    types: str,
    *,
    through_dvc: bool,
) -> None:
    """A link to a lab's disk is replaced by our file; theirs keeps content and mode."""
    (clone.root / ".dvc/config.local").write_text(f'[cache]\n    type = "{types}"\n')
    there = tmp_path / "lab.pth"
    there.write_bytes(FILES[RIGHT])
    there.chmod(0o640)
    before = there.stat()
    (clone.root / RIGHT).parent.mkdir(parents=True)
    (clone.root / RIGHT).symlink_to(there)

    if through_dvc:
        clone.run("dvc", "repro", "fetch@superpoint_v1", check=True)
    else:
        assert fetch.main(["superpoint_v1"]) == 0

    after = there.stat()
    assert (after.st_mode, after.st_nlink, after.st_mtime_ns) == (
        before.st_mode, 1, before.st_mtime_ns)  # fmt: skip
    assert (clone.root / RIGHT).resolve() != there
    assert clone.read(RIGHT) == stored(clone).read_bytes() == FILES[RIGHT] == there.read_bytes()


def test_a_link_to_a_wrong_file_goes_to_quarantine_without_its_target(
    clone: TestClone, tmp_path: Path
) -> None:
    """Only the link was in the tree."""
    (tmp_path / "lab.pth").write_bytes(b"wrong")
    (clone.root / RIGHT).parent.mkdir(parents=True)
    (clone.root / RIGHT).symlink_to(tmp_path / "lab.pth")

    assert fetch.main(["superpoint_v1"]) == 0

    (moved,) = (clone.root / "quarantine").rglob("*.pth")
    assert moved.readlink() == tmp_path / "lab.pth"
    assert (tmp_path / "lab.pth").read_bytes() == b"wrong"
    assert clone.read(RIGHT) == FILES[RIGHT]


def test_a_copied_file_is_adopted_by_a_cache_that_copies(clone: TestClone) -> None:
    """With cache.type copy the file stays separate and writable."""
    (clone.root / ".dvc/config.local").write_text('[cache]\n    type = "copy"\n')
    before = put(clone, RIGHT, FILES[RIGHT])

    clone.run("dvc", "repro", "fetch@superpoint_v1", check=True)

    after = (clone.root / RIGHT).stat()
    assert (after.st_ino, after.st_nlink, after.st_mode) == (
        before.st_ino, 1, before.st_mode)  # fmt: skip
    assert stored(clone).read_bytes() == FILES[RIGHT]


def test_quarantine_keeps_every_wrong_version(clone: TestClone) -> None:
    """Nothing there is overwritten."""
    for content in (b"first", b"second"):
        (clone.root / RIGHT).unlink(missing_ok=True)
        put(clone, RIGHT, content)
        assert fetch.main(["superpoint_v1"]) == 0

    found = {p.read_bytes() for p in (clone.root / "quarantine").rglob("*.pth")}
    assert found == {b"first", b"second"}


def test_a_corrupt_object_is_found_and_downloaded_again(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """DVC trusts the mode 0444; we read an object that has changed."""
    assert fetch.main(["superpoint_v1"]) == 0
    (clone.root / RIGHT).unlink()
    wrong = flip(stored(clone))
    world.clear()

    assert fetch.main(["superpoint_v1"]) == 0

    assert clone.read(RIGHT) == stored(clone).read_bytes() == FILES[RIGHT]
    said = f"{RIGHT}: its object in the cache was corrupt; it is now quarantine/"
    assert said in capsys.readouterr().err
    assert list(aside(clone).values()) == [wrong]
    assert world.served("https://raw.githubusercontent.com/*") == len(FILES[RIGHT])


def test_a_byte_flipped_through_a_hardlink_is_wrong_in_both_places(
    clone: TestClone, world: World
) -> None:
    """File and object are one inode: both go to quarantine, and the file is downloaded."""
    assert fetch.main(["superpoint_v1"]) == 0
    wrong = flip(clone.root / RIGHT)
    assert stored(clone).read_bytes() == wrong
    world.clear()

    done = clone.run("dvc", "repro", "fetch@superpoint_v1")

    assert done.returncode == 0, done.stderr
    assert clone.read(RIGHT) == stored(clone).read_bytes() == FILES[RIGHT]
    assert set(aside(clone).values()) == {wrong}
    assert world.served("https://raw.githubusercontent.com/*") == len(FILES[RIGHT])


@pytest.mark.parametrize("through_dvc", [False, True])
def test_a_correct_file_replaces_a_corrupt_object(
    clone: TestClone,
    world: World,
    through_dvc: bool,  # noqa: FBT001
) -> None:
    """Otherwise DVC's commit would link the corrupt object over the correct file."""
    assert fetch.main(["superpoint_v1"]) == 0
    (clone.root / RIGHT).unlink()
    put(clone, RIGHT, FILES[RIGHT])
    wrong = flip(stored(clone))
    world.clear()

    if through_dvc:
        clone.run("dvc", "repro", "-f", "fetch@superpoint_v1", check=True)
    else:
        assert fetch.main(["superpoint_v1"]) == 0

    assert world.requests == []
    assert clone.read(RIGHT) == stored(clone).read_bytes() == FILES[RIGHT]
    assert list(aside(clone).values()) == [wrong]


def test_only_wrong_and_missing_members_are_extracted(clone: TestClone, world: World) -> None:
    """Three correct ones are kept, a wrong one is replaced, a missing one is added."""
    right, (wrong, missing) = list(RAFT)[:3], list(RAFT)[3:]
    inodes = {path: put(clone, path, FILES[path]).st_ino for path in right}
    put(clone, wrong, b"wrong")

    assert fetch.main(["raft"]) == 0

    assert clone.tree() == {path: FILES[path] for path in RAFT}
    assert {path: (clone.root / path).stat().st_ino for path in right} == inodes
    assert aside(clone) == {wrong: b"wrong"}
    assert (clone.root / missing).exists()
    assert world.served() > 0


def test_dvc_stops_at_a_folder_in_the_place_of_a_file(clone: TestClone, world: World) -> None:
    """Nothing is lost and nothing downloaded; the user must move it."""
    put(clone, f"{RIGHT}/notes.txt", b"mine")

    done = clone.run("dvc", "repro", "fetch@superpoint_v1")

    assert done.returncode == 255
    assert f"{RIGHT} is a folder, but must be a file" in done.stderr
    assert clone.read(f"{RIGHT}/notes.txt") == b"mine"
    assert world.requests == []


@pytest.mark.parametrize("types", ["hardlink", "symlink"])
def test_a_stage_that_runs_again_links_what_dvc_unprotected(
    clone: TestClone, world: World, types: str
) -> None:
    """With persist DVC makes a copy before our command; afterwards it is a link."""
    (clone.root / ".dvc/config.local").write_text(f'[cache]\n    type = "{types}"\n')
    assert fetch.main(["superpoint_v1"]) == 0
    world.clear()

    done = clone.run("dvc", "repro", "-f", "fetch@superpoint_v1")

    assert done.returncode == 0, done.stderr
    assert "kept: already in place" in done.stdout
    assert world.requests == []
    path = clone.root / RIGHT
    assert (path.is_symlink(), path.stat().st_nlink) == (
        (False, 2) if types == "hardlink" else (True, 1)
    )
    assert clone.run("dvc", "status", "fetch@superpoint_v1").stdout == CLEAN
