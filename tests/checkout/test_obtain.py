"""scripts.checkout.obtain: verified bytes in their place, also after a kill at any step."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from scripts import fetch
from scripts.download import partial
from tests.world import Fault, clones
from tests.world.checkpoints import DRIVE, files
from tests.world.processes import killed_at, until

if TYPE_CHECKING:
    from tests.world import Request, World
    from tests.world.clones import TestClone
    from tests.world.reply import Reply

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


def unpinned(clone: TestClone) -> list[str]:
    """Take the pin of PATH; return the words that fetch it all the same."""
    clones.unpin(clone.root, f"fetch@{NAME}")
    return ["--trust-first-use", NAME]


@pytest.mark.parametrize(
    ("point", "call", "there"),
    [
        ("scripts.download.transfer:download", 1, None),
        ("scripts.storage.cache:Cache.add", 1, None),
        ("scripts.storage.cache:move", 1, None),
        ("scripts.storage.cache:Cache.mark_verified", 1, None),
        ("scripts.storage.cache:Cache.remember", 1, None),
        ("scripts.checkout.obtain:place", 1, None),
        ("scripts.storage.cache:Cache.link", 1, b"wrong"),
        ("scripts.storage.cache:move", 2, None),
        ("scripts.storage.cache:move", 3, b"wrong"),  # the second moves the wrong file aside
        ("scripts.storage.cache:Cache.remember", 2, b"wrong"),
    ],
)
def test_the_next_run_completes_what_a_kill_stopped(
    clone: TestClone, point: str, call: int, there: bytes | None
) -> None:
    """SIGKILL: models/ has the old file, none, or the correct one; then the correct one."""
    if there:
        (clone.root / PATH).parent.mkdir(parents=True)
        (clone.root / PATH).write_bytes(there)

    killed_at(clone, point, call, "scripts.fetch", NAME)

    assert clone.tree() in ({}, {PATH: DATA}, {PATH: there})
    assert fetch.main([NAME]) == 0
    assert clone.tree() == {PATH: DATA}
    assert list(clone.objects().values()) == [DATA]
    kept = [p.read_bytes() for p in (clone.root / "quarantine").rglob("*") if p.is_file()]
    assert kept == ([there] if there else [])


def test_a_partial_file_stays_writable_until_it_is_an_object(clone: TestClone) -> None:
    """A user who is not root can resume after a kill."""
    killed_at(clone, "scripts.storage.cache:Cache.mark_verified", 1, "scripts.fetch", NAME)
    (stored,) = (clone.root / ".dvc/cache/files/md5").glob("??/*")

    assert fetch.main([NAME]) == 0

    assert stored.stat().st_mode & 0o777 == 0o444
    assert stored.samefile(clone.root / PATH)


def test_google_drive_is_read_through_gdown(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Gdown answers the confirm page; the file is verified like any other."""
    path = "models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy"

    code = fetch.main(["tapnet_checkpoint_wo_optstate"])

    assert code == 0
    assert clone.tree() == {path: files(SCALE)[path]}
    assert "downloaded from drive.google.com" in capsys.readouterr().out
    assert {r.host for r in world.requests} == {"drive.google.com", "drive.usercontent.google.com"}


def test_wrong_bytes_from_google_drive_are_refused(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Gdown does not verify the file; we do."""
    world.publish(DRIVE, b"another file")

    code = fetch.main(["tapnet_checkpoint_wo_optstate"])

    assert code == 1
    assert "do not match the pin" in capsys.readouterr().err
    assert (clone.tree(), clone.objects()) == ({}, {})


def test_wrong_bytes_leave_everything_as_it_was(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The message has both values, the state of the disk, and the next step."""
    world.fault(HOST, Fault.corrupt())
    lock = clone.read("dvc.lock")

    code = fetch.main([NAME])

    lines = capsys.readouterr().err.splitlines()
    assert code == 1
    assert lines[0].startswith("error: sam_vit_b: bytes from dl.fbaipublicfiles.com do not match")
    assert lines[1].split()[:2] == ["pinned", "md5"]
    assert lines[2].split()[:2] == ["got", "md5"]
    assert "models/ and the cache are as they were." in {line.strip() for line in lines}
    assert f"put it at {PATH}: it is checked and kept." in lines[-1]
    assert (clone.tree(), clone.objects(), clone.read("dvc.lock")) == ({}, {}, lock)


def test_the_error_states_the_bytes_that_are_kept(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """They are not downloaded again."""
    url = "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth"
    trusting = unpinned(clone)
    world.publish(url, bytes(3 << 20))
    part = clone.root / f".dvc/tmp/fetch/{NAME}.part"

    def hold(_: Request, reply: Reply) -> Reply:
        until(lambda: partial.kept(part) == 1 << 20)
        return reply

    world.fault(f"GET {url}", Fault.none(), Fault.status(404) | Fault("hold", hold))

    assert fetch.main(trusting) == 1

    assert "1,048,576 bytes are kept for the next run" in capsys.readouterr().err
    world.clear()
    assert fetch.main(trusting) == 0
    assert world.served() == 2 << 20
    assert clone.tree() == {PATH: bytes(3 << 20)}


def test_room_for_an_archive_includes_its_members(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with room for the zip but not for its files is refused before the download."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10_000, 0, 10_000))

    code = fetch.main(["raft"])

    assert code == 1
    assert "raft: not enough room" in capsys.readouterr().err
    assert world.served("*dropboxusercontent*") < 20_000
    assert clone.tree() == {}


def test_a_missing_source_is_a_usage_error(clone: TestClone, world: World, capsys: Capture) -> None:
    """Only sources/NAME.dvc has the URL."""
    (clone.root / f"sources/{NAME}.dvc").unlink()

    code = fetch.main([NAME])

    assert code == 2
    assert "sam_vit_b.dvc" in capsys.readouterr().err
    assert world.requests == []


def test_first_use_is_reported(clone: TestClone, capsys: Capture) -> None:
    """Without a pin the bytes are trusted, and their hashes printed."""
    trusting = unpinned(clone)

    assert fetch.main(trusting) == 0

    said = capsys.readouterr().out
    assert "first use: no pin yet" in said
    assert f"{len(DATA):,} bytes" in said
    assert clone.tree() == {PATH: DATA}


def test_another_way_to_a_file_is_shown_if_its_publisher_fails(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """It is the text of meta: alternative: in sources/NAME.dvc."""
    with (clone.root / f"sources/{NAME}.dvc").open("a") as source:
        source.write("meta:\n  alternative: Ask a colleague.\n")
    world.fault(HOST, Fault.status(404))
    said = []

    for order in ("publisher", "cache"):
        monkeypatch.setenv("CHECKPOINTS_SOURCES", order)
        assert fetch.main([NAME]) == 1
        said.append(capsys.readouterr().err)

    assert "\n  Ask a colleague.\n  models/ and" in said[0]
    assert "Ask a colleague" not in said[1]


def test_linking_does_not_import_what_downloads_need(clone: TestClone) -> None:
    """A stage that only links a file loads neither requests nor gdown."""
    assert fetch.main([NAME]) == 0
    (clone.root / PATH).unlink()
    code = (
        "import sys; from scripts import fetch; code = fetch.main(sys.argv[1:])\n"
        "sys.exit(code or str({'requests', 'gdown'} & set(sys.modules)))"
    )

    done = clone.run(sys.executable, "-c", code, NAME)

    assert done.stderr == "set()\n"
    assert clone.tree() == {PATH: DATA}
