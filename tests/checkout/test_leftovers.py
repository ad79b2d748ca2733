"""scripts.checkout.leftovers: what a file in place no longer needs goes, and nothing else."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import fetch, remove, repin, tree, verify
from scripts.checkout import leftovers
from scripts.checkout.clone import Clone
from tests.world import Fault
from tests.world.checkpoints import files, members
from tests.world.processes import without_root

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

NAME, PATH = "sam_vit_b", "models/sam_ckpts/sam_vit_b_01ec64.pth"
DATA = files(10_000)[PATH]
POINT = "models/superglue_ckpts/superpoint_v1.pth"
RAFT = list(members()["raft"].values())
KINDS = (".part", ".blocks", ".new", ".whole", ".drive", ".driveABCD1234.part", ".0.member")
Capture = pytest.CaptureFixture[str]


def folder(clone: TestClone) -> Path:
    """Return the folder of partial files, which exists."""
    path = clone.root / ".dvc/tmp/fetch"
    path.mkdir(parents=True, exist_ok=True)
    return path


def begin(clone: TestClone, *keys: str) -> None:
    """Leave what every way of download begins, as a kill does."""
    for key in keys:
        for kind in KINDS:
            (folder(clone) / f"{key}{kind}").write_bytes(b"begun")


def left(clone: TestClone) -> set[str]:
    """Return the names in the folder of partial files."""
    return {path.name for path in folder(clone).iterdir()}


def md5(clone: TestClone, path: str = PATH) -> str:
    """Return the pinned md5 of a file."""
    return str(Clone.at(clone.root).pins[path].md5)


@pytest.mark.parametrize("way", ["in place", "cache", "mirror", "publisher"])
def test_what_was_begun_goes_when_the_file_is_there(
    clone: TestClone, world: World, way: str
) -> None:
    """However it came; another file's bytes, and a release kept for repin, stay."""
    if way in ("in place", "cache"):
        assert fetch.main([NAME]) == 0
    if way == "cache":
        (clone.root / PATH).unlink()
    if way == "mirror":
        (clone.root / "mirror/sam_ckpts").mkdir(parents=True)
        (clone.root / "mirror" / PATH.removeprefix("models/")).write_bytes(DATA)
        params = clone.root / "params.yaml"
        params.write_text(f"{params.read_text()}  mirrors: [mirror]\n")
        world.stop_proxy()
    begin(clone, md5(clone), NAME)
    kept = {f"{NAME}.new.part", f"{NAME}.new.blocks", f"{'0' * 32}.part", "sam_vit_bb.part"}
    for name in kept:
        (folder(clone) / name).write_bytes(b"another's")

    assert fetch.main([NAME]) == 0

    assert clone.tree() == {PATH: DATA}
    assert left(clone) == kept


def test_what_was_begun_of_members_goes_with_that_of_their_archive(clone: TestClone) -> None:
    """A remote that failed left a part of a member; the publisher then served the archive."""
    keys = [md5(clone, path) for path in RAFT]
    begin(clone, "raft", *keys)
    others = {f"{keys[0]}.1.1.link"}
    (folder(clone) / f"{keys[0]}.1.1.link").write_bytes(b"of a process that runs")

    assert fetch.main(["raft"]) == 0

    assert sorted(clone.tree()) == sorted(RAFT)
    assert left(clone) == others


def test_what_another_process_is_at_work_on_stays(clone: TestClone) -> None:
    """It holds the lock of that key."""
    begin(clone, NAME)
    here = Clone.at(clone.root)

    with here.alone(NAME):
        assert fetch.main([NAME]) == 0
        assert left(clone) == {f"{NAME}{kind}" for kind in (*KINDS, ".lock")}

    assert fetch.main([NAME]) == 0
    assert left(clone) == set()


def test_what_cannot_be_removed_is_no_fault(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is in place; the rest only takes room."""
    assert fetch.main([NAME]) == 0
    begin(clone, md5(clone))
    real = Path.unlink

    def refuse(path: Path, *args: bool, **more: bool) -> None:
        if path.suffix == ".whole":
            raise PermissionError(1, "denied")
        real(path, *args, **more)

    monkeypatch.setattr(Path, "unlink", refuse)

    assert fetch.main([NAME]) == 0
    assert left(clone) == {f"{md5(clone)}.whole"}


def test_what_was_begun_stays_if_no_source_has_the_file(clone: TestClone, world: World) -> None:
    """The next run resumes it."""
    begin(clone, NAME)
    world.fault("*", Fault.status(404))

    assert fetch.main([NAME]) == 1

    assert {f"{NAME}{kind}" for kind in KINDS} <= left(clone)


def test_what_was_begun_of_the_old_pin_goes_with_a_repin(clone: TestClone) -> None:
    """And what was begun of the new release another way."""
    assert fetch.main([NAME]) == 0
    begin(clone, md5(clone), f"{NAME}.new")
    (clone.root / "own.pth").write_bytes(b"another release")

    assert repin.main([NAME, "--from", "own.pth", "--accept"]) == 0

    assert clone.tree() == {PATH: b"another release"}
    assert left(clone) == set()


def test_what_was_begun_of_an_entry_goes_with_it(clone: TestClone) -> None:
    """Nobody would ask for it again."""
    begin(clone, "superpoint_v1", md5(clone, POINT), "superpoint_v1.new")

    assert remove.main(["superpoint_v1"]) == 0

    assert left(clone) == set()


@pytest.fixture
def lost(clone: TestClone) -> TestClone:
    """A clone with symlinks whose cache has gone: SAM's, and the five of RAFT."""
    (clone.root / ".dvc/config.local").write_text('[cache]\n    type = "symlink"\n')
    assert fetch.main([NAME, "raft"]) == 0
    shutil.rmtree(clone.root / ".dvc/cache")
    return clone


def links(clone: TestClone) -> set[str]:
    """Return the path of every link under models/."""
    found = (clone.root / "models").rglob("*")
    return {p.relative_to(clone.root).as_posix() for p in found if p.is_symlink()}


def test_fetch_replaces_its_link_and_removes_the_others(lost: TestClone, capsys: Capture) -> None:
    """DVC fails at each of them; the message names the way to the files."""
    capsys.readouterr()

    assert fetch.main([NAME]) == 0

    err = capsys.readouterr().err
    assert links(lost) == {PATH}
    assert lost.tree() == {PATH: DATA}
    assert f"{PATH}: removed a link to " in err
    assert err.endswith("Next: `./checkpoints dvc pull`, or `./checkpoints fetch raft`\n")
    assert not (lost.root / "quarantine").exists()


def test_dvc_works_again_after_a_fetch(lost: TestClone) -> None:
    """Before, it cannot unprotect the link, and our stage never runs."""
    stages = ("dvc", "repro", f"fetch@{NAME}", "unpack_raft")
    assert "can't unprotect non-existing data" in lost.run(*stages).stderr

    assert fetch.main([NAME]) == 0

    lost.run(*stages, check=True)
    assert sorted(lost.tree()) == sorted([PATH, *RAFT])


def test_a_fetch_that_fails_leaves_no_link_that_leads_nowhere(
    lost: TestClone, world: World
) -> None:
    """The next `dvc repro` runs the stage."""
    world.fault("*", Fault.status(404))

    assert fetch.main([NAME]) == 1

    assert links(lost) == set()


def test_tree_removes_them_and_says_what_is_missing(lost: TestClone, capsys: Capture) -> None:
    """The tree is refused, as for any missing file."""
    capsys.readouterr()

    assert tree.main([]) == 1

    err = capsys.readouterr().err
    assert links(lost) == set()
    assert f"`./checkpoints fetch {NAME} raft`" in err
    assert f"\n  missing  {PATH}\n" in err


def test_verify_reports_a_dangling_link_and_changes_nothing(
    lost: TestClone, capsys: Capture
) -> None:
    """A file that was there is gone: exit code 1, and the next step works."""
    capsys.readouterr()

    assert verify.main([]) == 1

    out, err = capsys.readouterr()
    assert f"{PATH}: cannot be read: a link to " in out
    assert "10 missing, 6 dangling\n" in out
    assert f"  dangling    {PATH}\n" in err
    assert f"Next: ./checkpoints verify --repair {NAME} raft\n" in err
    assert links(lost) == {PATH, *RAFT}


def test_a_repair_restores_what_the_links_led_to(lost: TestClone, capsys: Capture) -> None:
    """Nothing goes to quarantine: such a link holds nothing."""
    assert verify.main(["--repair"]) == 0

    assert sorted(lost.tree()) == sorted([PATH, *RAFT])
    assert "Next: `./checkpoints dvc pull`" not in capsys.readouterr().err
    assert not (lost.root / "quarantine").exists()


def test_a_repair_without_a_source_removes_the_links(
    lost: TestClone, world: World, capsys: Capture
) -> None:
    """The file is missing, and said to be."""
    world.fault("*", Fault.status(404))

    assert verify.main(["--repair"]) == 1

    assert links(lost) == set()
    assert f"  missing     {PATH}\n" in capsys.readouterr().err


def test_a_link_of_the_users_own_is_not_removed(clone: TestClone) -> None:
    """Its disk may only be unmounted; what replaces it moves it to quarantine."""
    path = clone.root / PATH
    path.parent.mkdir(parents=True)
    path.symlink_to("/nowhere/sam.pth")

    leftovers.drop_links(Clone.at(clone.root))

    assert path.is_symlink()


def test_a_link_that_another_process_is_at_work_on_stays(lost: TestClone) -> None:
    """It will replace it."""
    here = Clone.at(lost.root)

    with here.alone(md5(lost)):
        leftovers.drop_links(here)

    assert links(lost) == {PATH}


def test_a_link_that_nobody_can_follow_is_not_removed(
    lost: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed folder, or a network disk that does not answer, is no lost cache."""
    here = Clone.at(lost.root)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refuse)
        leftovers.drop_links(here)

    assert links(lost) == {PATH, *RAFT}


def test_a_link_that_cannot_be_removed_stops_no_other_file(lost: TestClone) -> None:
    """The folder of another family is read-only: its own fetch will report that."""
    (lost.root / "models/raft_ckpts").chmod(0o555)

    done = lost.run(*without_root(), sys.executable, "-m", "scripts.fetch", NAME)

    (lost.root / "models/raft_ckpts").chmod(0o755)
    assert (done.returncode, lost.tree()) == (0, {PATH: DATA}), done.stderr
    assert links(lost) == {PATH, *RAFT}
