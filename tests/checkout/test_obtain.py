"""scripts.obtain: the sources in their order, and verified bytes at their place after any kill."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from scripts import fetch
from tests.world import Fault
from tests.world.checkpoints import DRIVE, files
from tests.world.processes import killed_at

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

SCALE = 10_000
NAME, PATH = "sam_vit_b", "models/sam_ckpts/sam_vit_b_01ec64.pth"
DATA = files(SCALE)[PATH]
HOST = "https://dl.fbaipublicfiles.com/*"
Capture = pytest.CaptureFixture[str]


class Usage(NamedTuple):
    """What shutil.disk_usage returns, in bytes."""

    total: int
    used: int
    free: int


def unpinned(clone: TestClone) -> None:
    """Let the lock know nothing of PATH."""
    lock = clone.read("dvc.lock").decode()
    (clone.root / "dvc.lock").write_text(lock.replace(f"path: {PATH}", "path: models/other"))


@pytest.mark.parametrize(
    ("point", "call"),
    [
        ("scripts.download.transfer:download", 1),
        ("scripts.storage.cache:Cache.add", 1),
        ("scripts.storage.cache:move", 1),
        ("scripts.storage.cache:Cache.mark_verified", 1),
        ("scripts.storage.cache:Cache.remember", 1),
        ("scripts.checkout.obtain:place", 1),
        ("scripts.storage.cache:Cache.link", 1),
        ("scripts.storage.cache:move", 2),
        ("scripts.storage.cache:Cache.remember", 2),
    ],
)
@pytest.mark.parametrize("there", [None, b"wrong"])
def test_a_kill_at_any_step_is_made_up_for_by_the_next_run(
    clone: TestClone, point: str, call: int, there: bytes | None
) -> None:
    """SIGKILL: models/ holds the old file, none, or the right one; then the right one."""
    if there:
        (clone.root / PATH).parent.mkdir(parents=True)
        (clone.root / PATH).write_bytes(there)
        call += point.endswith(":move") and call == 2  # one more moves the wrong file aside

    killed_at(clone, point, call, "scripts.fetch", NAME)

    assert clone.tree() in ({}, {PATH: DATA}, {PATH: there})
    assert fetch.main([NAME]) == 0
    assert clone.tree() == {PATH: DATA}
    assert list(clone.objects().values()) == [DATA]
    kept = [p.read_bytes() for p in (clone.root / "quarantine").rglob("*") if p.is_file()]
    assert kept == ([there] if there else [])


def test_a_user_without_roots_rights_goes_on_after_a_kill(clone: TestClone) -> None:
    """The part is made read-only only where it is an object: it can be written again."""
    killed_at(clone, "scripts.storage.cache:Cache.mark_verified", 1, "scripts.fetch", NAME)
    (held,) = (clone.root / ".dvc/cache/files/md5").glob("??/*")

    assert fetch.main([NAME]) == 0

    assert held.stat().st_mode & 0o777 == 0o444
    assert held.samefile(clone.root / PATH)


def test_google_drive_is_asked_through_gdown_and_checked_like_any_other(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The confirm page, the file, the pin."""
    path = "models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy"

    code = fetch.main(["tapnet_checkpoint_wo_optstate"])

    assert code == 0
    assert clone.tree() == {path: files(SCALE)[path]}
    assert "downloaded from drive.google.com" in capsys.readouterr().out
    assert {r.host for r in world.requests} == {"drive.google.com", "drive.usercontent.google.com"}


def test_wrong_bytes_from_google_drive_are_refused(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Gdown verifies nothing; the pin does."""
    world.publish(DRIVE, b"another file")

    code = fetch.main(["tapnet_checkpoint_wo_optstate"])

    assert code == 1
    assert "do not match the pin" in capsys.readouterr().err
    assert (clone.tree(), clone.objects()) == ({}, {})


def test_wrong_bytes_leave_everything_as_it_was(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Both values, the state of the disk, the next step; nothing of them is kept."""
    world.fault(HOST, Fault.corrupt())
    lock = clone.read("dvc.lock")

    code = fetch.main([NAME])

    told = capsys.readouterr().err.splitlines()
    assert code == 1
    assert told[0].startswith("error: sam_vit_b: bytes from dl.fbaipublicfiles.com do not match")
    assert told[1].split()[:2] == ["pinned", "md5"]
    assert told[2].split()[:2] == ["got", "md5"]
    assert "models/ and the cache are as they were." in {line.strip() for line in told}
    assert f"put it at {PATH}: it is checked and kept." in told[-1]
    assert (clone.tree(), clone.objects(), clone.read("dvc.lock")) == ({}, {}, lock)


def test_what_has_arrived_is_named_in_the_error(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """It is not asked for again."""
    url = "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth"
    unpinned(clone)
    world.publish(url, bytes(3 << 20))
    world.fault(f"GET {url}", Fault.none(), Fault.status(404) | Fault.delay(1))

    assert fetch.main([NAME]) == 1

    assert "1,048,576 bytes are kept for the next run" in capsys.readouterr().err
    world.clear()
    assert fetch.main([NAME]) == 0
    assert world.served() == 2 << 20
    assert clone.tree() == {PATH: bytes(3 << 20)}


def test_room_for_an_archive_includes_what_is_taken_out_of_it(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that holds the zip but not its files refuses before the download."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10_000, 0, 10_000))

    code = fetch.main(["raft"])

    assert code == 1
    assert "raft: not enough room" in capsys.readouterr().err
    assert world.served("*dropboxusercontent*") < 20_000
    assert clone.tree() == {}


def test_a_source_that_is_no_import_is_a_usage_error(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The address stands in sources/NAME.dvc alone."""
    (clone.root / f"sources/{NAME}.dvc").unlink()

    code = fetch.main([NAME])

    assert code == 2
    assert "sam_vit_b.dvc" in capsys.readouterr().err
    assert world.requests == []


def test_first_use_is_said_aloud_and_recorded_by_dvc(clone: TestClone) -> None:
    """No pin: the bytes are trusted, their hashes printed."""
    unpinned(clone)

    done = clone.run(sys.executable, "-m", "scripts.fetch", NAME)

    assert done.returncode == 0
    assert "first use: no pin yet" in done.stdout
    assert f"{len(DATA):,} bytes" in done.stdout
    assert clone.tree() == {PATH: DATA}
