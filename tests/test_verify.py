"""scripts.verify: what DVC believes is read, what is wrong is found, and put right on request."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from scripts import verify
from scripts.catalogue import lock
from tests.checkout.test_adoption import CLEAN, aside
from tests.download.transfers import limit
from tests.world import Fault, clones
from tests.world.checkpoints import files
from tests.world.clones import TestClone
from tests.world.processes import killed_at, without_root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World

SCALE = 10_000
FILES = files(SCALE)
POINT = "models/superglue_ckpts/superpoint_v1.pth"
NAME = "superpoint_v1"
SMALL = "models/raft_ckpts/raft-small.pth"
COMMAND = (sys.executable, "-m", "scripts.verify")
Capture = pytest.CaptureFixture[str]


def rot(path: Path) -> bytes:
    """Flip a bit where a file lies, and leave size, time and mode: what a failing disk does."""
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    path.chmod(before.st_mode)
    return bytes(data)


def held(clone: TestClone, path: str) -> Path:
    """Return where the cache holds the object of a file."""
    (found,) = [p for p in clone.objects() if clone.objects()[p] == FILES[path]]
    return clone.root / ".dvc/cache/files/md5" / found[:2] / found[2:]


def rot_both(clone: TestClone) -> bytes:
    """Damage a file and its object, which may be the same."""
    there = held(clone, POINT)
    damaged = rot(clone.root / POINT)
    if not there.samefile(clone.root / POINT):
        rot(there)
    return damaged


def told(capsys: Capture, *words: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and path -> row of what --json says."""
    capsys.readouterr()
    code = verify.main([*words, "--json"])
    return code, {row["path"]: row for row in json.loads(capsys.readouterr().out)["places"]}


@pytest.fixture
def fetched(clone: TestClone) -> TestClone:
    """A clone with SuperPoint and RAFT in place, brought by DVC."""
    clone.run("dvc", "repro", "-q", f"fetch@{NAME}", "unpack_raft", check=True)
    return clone


@pytest.fixture(params=["hardlink", "symlink", "copy"])
def linked(request: pytest.FixtureRequest, clone: TestClone) -> TestClone:
    """The same for every way in which cache and tree can be joined."""
    (clone.root / ".dvc/config.local").write_text(f'[cache]\n    type = "{request.param}"\n')
    clone.run("dvc", "repro", "-q", f"fetch@{NAME}", check=True)
    return clone


def test_a_right_tree_is_right(fetched: TestClone, world: World, capsys: Capture) -> None:
    """Six files in place, 19 never fetched: no fault, nothing requested, nothing changed."""
    world.clear()
    before = fetched.run("git", "status", "--porcelain").stdout

    assert verify.main([]) == 0

    out, err = capsys.readouterr()
    assert (
        out == "6 right, 10 missing\n"
        "Missing files are downloaded by `./checkpoints fetch` or `./checkpoints dvc pull`.\n"
    )
    assert err == ""
    assert world.requests == []
    assert fetched.run("git", "status", "--porcelain").stdout == before


def test_a_bit_that_flipped_in_place_is_found(linked: TestClone, capsys: Capture) -> None:
    """DVC calls it clean, for its time and size have not changed; this reads it."""
    found = rot(linked.root / POINT)
    assert linked.run("dvc", "status", f"fetch@{NAME}").stdout == CLEAN

    assert verify.main([NAME]) == 1

    out, err = capsys.readouterr()
    assert f"bytes from {POINT} do not match the pin\n  pinned  md5 " in out
    assert f"error: 1 of 1 file not what they must be\n  wrong       {POINT}\n" in err
    assert f"Next: ./checkpoints verify --repair {NAME}\n" in err
    assert linked.tree() == {POINT: found}
    assert aside(linked) == {}


def test_dvc_no_longer_vouches_for_what_was_found_wrong(linked: TestClone) -> None:
    """After a mere look, DVC reads the object and drops it, and puts no wrong file back."""
    rot_both(linked)
    assert linked.run("dvc", "status", f"fetch@{NAME}").stdout == CLEAN

    assert verify.main([NAME]) == 1

    assert f"not in cache:       {POINT}" in linked.run("dvc", "status", f"fetch@{NAME}").stdout
    (linked.root / POINT).unlink()
    linked.run("dvc", "checkout", POINT)  # with symlinks it makes one that leads nowhere
    assert linked.tree() == {}


def test_a_damaged_object_and_its_file_are_restored(
    linked: TestClone, world: World, capsys: Capture
) -> None:
    """Both go to quarantine, the publisher is asked again, DVC finds all clean, so does this."""
    lock = linked.read("dvc.lock")
    damaged = rot_both(linked)
    world.clear()

    assert verify.main(["--repair"]) == 0

    out, err = capsys.readouterr()
    assert out.startswith("1 right, 15 missing\n")
    assert f"{POINT}: moved to quarantine/" in err
    assert f"{POINT}  downloaded from github.com: " in err
    assert linked.tree() == {POINT: FILES[POINT]}
    assert held(linked, POINT).read_bytes() == FILES[POINT]
    assert damaged in aside(linked).values()
    assert linked.read("dvc.lock") == lock
    assert linked.run("dvc", "status", f"fetch@{NAME}").stdout == CLEAN
    assert verify.main([NAME]) == 0


@pytest.mark.parametrize("linked", ["copy"], indirect=True)
@pytest.mark.parametrize("of_cache", [False, True])
def test_one_of_two_copies_heals_the_other(
    linked: TestClone,
    world: World,
    capsys: Capture,
    of_cache: bool,  # noqa: FBT001
) -> None:
    """Where the cache's object is a file of its own, nothing is downloaded for one of the two."""
    path = held(linked, POINT) if of_cache else linked.root / POINT
    damaged = rot(path)
    world.clear()

    code, rows = told(capsys, NAME)
    assert code == 1
    assert sorted(row["state"] for row in rows.values()) == ["right", "wrong"]
    assert verify.main([NAME, "--repair"]) == 0

    assert world.requests == []
    assert list(aside(linked).values()) == [damaged]
    assert linked.tree() == {POINT: FILES[POINT]}
    assert held(linked, POINT).read_bytes() == FILES[POINT]


def test_a_member_of_an_archive_is_restored_beside_its_right_siblings(
    fetched: TestClone, capsys: Capture
) -> None:
    """The archive comes again for the one that is wrong; the other four keep their inodes."""
    family = [p for p in FILES if "raft_ckpts" in p and p != SMALL]
    before = [(fetched.root / path).stat().st_ino for path in family]
    rot(fetched.root / SMALL)

    assert verify.main(["raft", "--repair"]) == 0

    assert "5 right\n" in capsys.readouterr().out
    assert fetched.read(SMALL) == FILES[SMALL]
    assert [(fetched.root / path).stat().st_ino for path in family] == before


def test_what_no_source_has_is_still_wrong(
    fetched: TestClone, world: World, capsys: Capture
) -> None:
    """It stays where it is, the cause stands above, the others are repaired."""
    damaged = rot(fetched.root / POINT)
    rot(fetched.root / SMALL)
    limit(fetched, retries=0)
    world.fault("*superpoint*", Fault.status(404))

    assert verify.main(["--repair"]) == 1

    out, err = capsys.readouterr()
    assert "5 right, 10 missing, 1 wrong\n" in out
    assert "404" in err
    assert "error: 1 of 16 files still not what they must be\n  wrong       " + POINT in err
    assert "Next: see the errors above; then again ./checkpoints verify --repair" in err
    assert fetched.read(POINT) == damaged
    assert fetched.read(SMALL) == FILES[SMALL]


def test_a_repair_that_brings_nothing_leaves_the_file_there_was(
    linked: TestClone, world: World, capsys: Capture
) -> None:
    """However it is linked; a later repair replaces it, and puts it aside then."""
    damaged = rot_both(linked)
    world.stop_proxy()

    assert verify.main([NAME, "--repair"]) == 1
    assert linked.tree() == {POINT: damaged}
    assert f"error: 1 of 1 file still not what they must be\n  wrong       {POINT}" in (
        capsys.readouterr().err
    )
    (linked.root / "mirror/superglue_ckpts").mkdir(parents=True)
    (linked.root / "mirror/superglue_ckpts/superpoint_v1.pth").write_bytes(FILES[POINT])
    params = linked.root / "params.yaml"
    params.write_text(f"{params.read_text()}  mirrors: [mirror]\n")

    assert verify.main([NAME, "--repair"]) == 0
    assert linked.tree() == {POINT: FILES[POINT]}
    assert damaged in aside(linked).values()


def test_a_damaged_object_without_its_file_stays_aside(
    fetched: TestClone, world: World, capsys: Capture
) -> None:
    """Nobody would miss it, and DVC might link it."""
    (fetched.root / POINT).unlink()
    damaged = rot(held(fetched, POINT))
    world.stop_proxy()

    assert verify.main(["--repair"]) == 1

    assert "restored" not in capsys.readouterr().err
    assert list(aside(fetched).values()) == [damaged]


@pytest.mark.parametrize(
    "point", ["scripts.checkout.repairs:quarantine", "scripts.checkout.repairs:_obtain"]
)
def test_a_repair_that_is_killed_loses_nothing(fetched: TestClone, point: str) -> None:
    """Between two moves or before the first byte: the next run ends it, by name."""
    damaged = rot(fetched.root / POINT)

    killed_at(fetched, point, 1, "scripts.verify", "--repair")
    assert damaged in {*fetched.tree().values(), *aside(fetched).values()}

    assert verify.main([NAME, "--repair"]) == 0
    assert fetched.read(POINT) == FILES[POINT]
    assert damaged in aside(fetched).values()
    assert fetched.run("dvc", "status", f"fetch@{NAME}").stdout == CLEAN


def test_a_file_that_is_named_must_be_there(clone: TestClone, capsys: Capture) -> None:
    """Without a name it was never fetched; with its name it is missing, and repair brings it."""
    assert verify.main([]) == 0
    capsys.readouterr()
    assert verify.main([NAME]) == 1
    assert capsys.readouterr().err == (
        f"error: 1 of 1 file not here\n  missing     {POINT}\n  Next: ./checkpoints fetch {NAME}\n"
    )

    assert verify.main([NAME, "--repair"]) == 0

    assert clone.tree() == {POINT: FILES[POINT]}


def test_a_missing_file_beside_a_wrong_one_is_fetched(fetched: TestClone, capsys: Capture) -> None:
    """Each has a next step of its own."""
    rot(fetched.root / SMALL)

    assert verify.main(["raft", "sam_vit_b"]) == 1

    err = capsys.readouterr().err
    assert err.startswith("error: 2 of 6 files not what they must be\n")
    assert "Next: ./checkpoints verify --repair raft\n" in err
    assert err.endswith("Next: ./checkpoints fetch sam_vit_b\n")


def test_sha256_of_the_catalogue_counts_too(fetched: TestClone, capsys: Capture) -> None:
    """An md5 can be made to fit; the sha256 of params.yaml cannot."""
    params, known = fetched.root / "params.yaml", hashlib.sha256(FILES[POINT]).hexdigest()
    text = params.read_text()
    assert known in text
    params.write_text(text.replace(known, "a" * 64))
    lock.write(fetched.root)

    assert verify.main([NAME]) == 1

    assert f"  pinned  sha256 {'a' * 64}   (params.yaml)" in capsys.readouterr().out


@pytest.mark.usefixtures("fetched")
def test_json_tells_every_place(capsys: Capture) -> None:
    """Both hashes of what was read, the pin beside them, and where there was nothing."""
    code, rows = told(capsys)

    assert code == 0
    assert len(rows) == 32
    row = rows[POINT]
    assert (row["name"], row["place"], row["state"]) == (NAME, "models", "right")
    assert row["found"]["size"] == len(FILES[POINT])
    assert row["found"]["sha256"] == row["pinned"]["sha256"]
    assert row["found"]["md5"] == row["pinned"]["md5"]
    absent = rows["models/sam_ckpts/sam_vit_b_01ec64.pth"]
    assert (absent["state"], absent["found"]) == ("missing", None)


def test_what_has_no_pin_is_refused(clone: TestClone, capsys: Capture) -> None:
    """There is nothing to hold it against."""
    clones.unpin(clone.root, f"fetch@{NAME}")

    assert verify.main([]) == 2

    assert f"1 of 16 files have no pin: {POINT}\n" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "state"), [(None, "missing"), ("{}", "outdated")])
def test_an_inventory_that_is_wrong_is_a_fault(
    clone: TestClone, capsys: Capture, text: str | None, state: str
) -> None:
    """`dvc checkout` does not restore it: git does, and the message says so."""
    (clone.root / "models.json").unlink()
    clone.run("dvc", "checkout", "--allow-missing")
    if text:
        (clone.root / "models.json").write_text(text)

    assert verify.main([]) == 1

    err = capsys.readouterr().err
    assert err.startswith(f"error: models.json is {state}\n")
    assert "Next: `git checkout models.json`; if you changed the catalogue, `./check" in err
    clone.run("git", "checkout", "models.json", check=True)
    assert verify.main([]) == 0


@pytest.mark.parametrize(("make", "what"), [(os.mkdir, "a folder"), (os.mkfifo, "a FIFO")])
def test_what_is_no_file_is_not_read(
    clone: TestClone,
    capsys: Capture,
    make: Any,  # noqa: ANN401 - either of two
    what: str,
) -> None:
    """A folder or a pipe in a file's place is named; nothing waits for it, nothing moves it."""
    (clone.root / POINT).parent.mkdir(parents=True)
    make(clone.root / POINT)

    assert verify.main(["--repair"]) == 1

    out, err = capsys.readouterr()
    assert f"{POINT}: cannot be read: {what}, not a file\n" in out
    assert f"  unreadable  {POINT}\n" in err
    assert f"move them away; then\n  ./checkpoints verify {NAME}\n" in err
    assert "verify --repair" not in err
    assert (clone.root / POINT).exists()


def test_what_the_user_may_not_read_is_not_called_wrong(fetched: TestClone) -> None:
    """A lack of rights says nothing about bytes: repair leaves the file where it is."""
    (fetched.root / POINT).chmod(0)

    done = fetched.run(*without_root(), *COMMAND, "--repair")

    assert done.returncode == 1
    assert f"{POINT}: cannot be read: permission denied\n" in done.stdout
    assert aside(fetched) == {}


def test_the_next_step_for_an_unreadable_file_is_no_circle(fetched: TestClone) -> None:
    """A repair cannot read it either; the wrong one beside it is repaired."""
    (fetched.root / POINT).chmod(0)
    rot(fetched.root / SMALL)

    done = fetched.run(*without_root(), *COMMAND)

    assert "Next: get read permission for unreadable files, or move them away" in done.stderr
    assert f"./checkpoints verify {NAME}\n" in done.stderr
    assert "Next: ./checkpoints verify --repair raft\n" in done.stderr


def test_bytes_that_the_disk_has_lost_are_wrong_and_replaced(clone: TestClone) -> None:
    """Reading a process' own memory from its start fails as a bad sector does: with EIO."""
    (clone.root / POINT).parent.mkdir(parents=True)
    (clone.root / POINT).symlink_to("/proc/self/mem")

    assert verify.main([]) == 1
    assert verify.main(["--repair"]) == 0

    assert clone.read(POINT) == FILES[POINT]
    assert not (clone.root / POINT).is_symlink()


def test_unknown_names_are_a_usage_error(clone: TestClone, capsys: Capture) -> None:
    """All of them at once, and what there is."""
    assert verify.main(["nobody", "raft", "nothing"]) == 2

    err = capsys.readouterr().err
    assert err.startswith(
        "error: unknown names: nobody, nothing\n  nobody: no name here is like it\n"
    )
    assert clone.tree() == {}


def test_outside_a_clone_it_is_a_usage_error(clone: TestClone, tmp_path: Path) -> None:
    """It says which folder it looked at."""
    done = TestClone(tmp_path, {**clone.env, "PYTHONPATH": str(clone.root)}).run(*COMMAND)

    assert done.returncode == 2
    assert "is not the root of the repository" in done.stderr


def test_help_says_what_the_exit_code_means(capsys: Capture) -> None:
    """And what DVC's own status does not see."""
    with pytest.raises(SystemExit) as stopped:
        verify.main(["--help"])

    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert "trusts a file whose time and size have not changed" in out
    assert "  0    every file that is there is right\n" in out
