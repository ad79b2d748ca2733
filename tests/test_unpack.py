"""python -m scripts.unpack: pinned members and nothing else, whatever the archive holds."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from tests.files import hostile
from tests.files.hostile import CASES
from tests.world import Fault
from tests.world.checkpoints import ARCHIVES, archive, files, members
from tests.world.formats import tar_gz_of, zip_of
from tests.world.processes import killed_at

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

SCALE = 10_000
PIPS = members()["pips"][hostile.MODEL]
RAFT = {path: files(SCALE)[path] for path in members()["raft"].values()}
GOOD = files(SCALE)[PIPS]
Capture = pytest.CaptureFixture[str]


def held(clone: TestClone) -> tuple[dict[str, bytes], dict[str, bytes], bytes]:
    """Return what a refusal must leave as it was: models/, the cache, the lock."""
    return clone.tree(), clone.objects(), clone.read("dvc.lock")


def left(clone: TestClone) -> set[str]:
    """Return the endings of what lies in .dvc/tmp/fetch."""
    return {path.suffix for path in (clone.root / ".dvc/tmp/fetch").iterdir()}


def everything(clone: TestClone) -> set[str]:
    """Return every path around the clone but its .dvc and .git."""
    found = clone.root.parent.rglob("*")
    return {str(path) for path in found if not {".dvc", ".git"} & set(path.parts)}


def without_pins(clone: TestClone, stage: str) -> None:
    """Let a stage be unknown to dvc.lock, as before its first use."""
    lock = clone.read("dvc.lock").decode()
    begin = lock.index(f"  {stage}:\n")
    end = begin + lock[begin + 3 :].find("\n  ") + 1
    while lock[end + 3] in " -":
        end = end + 3 + lock[end + 3 :].find("\n  ")
    (clone.root / "dvc.lock").write_text(lock[:begin] + lock[end + 1 :])


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_archive_leaves_everything_as_it_was(
    clone: TestClone, world: World, capsys: Capture, case: str
) -> None:
    """One message, exit code 1, the archive dropped; the right archive works afterwards."""
    build, words = CASES[case]
    world.publish(ARCHIVES["pips"], build(GOOD))
    before, around = held(clone), everything(clone)

    code = fetch.main(["pips"])

    message = capsys.readouterr().err
    assert (code, words in message) == (1, True), message
    assert message.startswith("error: pips: ")
    assert "models/ and the cache are as they were" in message
    assert (held(clone), everything(clone)) == (before, around)
    assert left(clone) == {".lock"}
    world.publish(ARCHIVES["pips"], archive("pips", SCALE))
    assert fetch.main(["pips"]) == 0
    assert clone.tree() == {PIPS: GOOD}


def test_a_zip_gives_its_five_files_each_with_its_own_inode_in_the_cache(
    clone: TestClone, capsys: Capture
) -> None:
    """RAFT: five members, five objects, five lines; the zip itself is dropped."""
    code = fetch.main(["raft"])

    assert code == 0
    assert clone.tree() == RAFT
    assert sorted(clone.objects().values()) == sorted(RAFT.values())
    assert left(clone) == {".lock"}
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == list(RAFT)


def test_an_archive_pinned_by_sha256_is_not_even_opened_if_it_is_another(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """RAFT's zip has a pin of its own in params.yaml."""
    world.publish(ARCHIVES["raft"], archive("raft", SCALE) + b"more")

    code = fetch.main(["raft"])

    message = capsys.readouterr().err
    assert code == 1
    assert "pinned  sha256" in message
    assert "got     sha256" in message
    assert left(clone) == {".lock"}


def test_files_in_place_are_kept_and_nothing_is_downloaded(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """An archive whose files are all there is never asked for."""
    fetch.main(["raft"])
    world.clear()
    capsys.readouterr()

    code = fetch.main(["raft"])

    assert (code, world.requests) == (0, [])
    assert clone.tree() == RAFT
    assert capsys.readouterr().out.count("kept: already in place") == 5


def test_files_in_the_cache_are_linked_and_nothing_is_downloaded(
    clone: TestClone, world: World
) -> None:
    """Removing models/ costs no second download."""
    fetch.main(["raft"])
    world.clear()
    for path in RAFT:
        (clone.root / path).unlink()

    code = fetch.main(["raft"])

    assert (code, world.requests) == (0, [])
    assert clone.tree() == RAFT


def test_one_missing_file_brings_that_one_and_keeps_the_others(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The archive comes once more; the four files in place keep their inodes."""
    fetch.main(["raft"])
    inodes = {path: (clone.root / path).stat().st_ino for path in RAFT}
    lost = next(iter(RAFT))
    (clone.root / lost).unlink()
    next(
        p for p in (clone.root / ".dvc/cache").rglob("*") if p.stat().st_nlink == 1 and p.is_file()
    ).unlink()
    world.clear()
    capsys.readouterr()

    code = fetch.main(["raft"])

    assert code == 0
    assert clone.tree() == RAFT
    assert {p for p in RAFT if (clone.root / p).stat().st_ino != inodes[p]} <= {lost}
    assert capsys.readouterr().out.count("downloaded from") == 1


def test_a_server_without_ranges_is_read_in_one_stream(clone: TestClone, world: World) -> None:
    """Dropbox's content host may answer 200 to a Range request."""
    world.fault("https://*.dl.dropboxusercontent.com/*", Fault.no_ranges())

    code = fetch.main(["pips_plus_plus"])

    assert code == 0
    assert len(clone.tree()) == 1


def test_members_without_a_pin_are_trusted_aloud_on_first_use(
    clone: TestClone, capsys: Capture
) -> None:
    """Their hashes are printed, and the files are there for DVC to record."""
    without_pins(clone, "unpack_raft")

    code = fetch.main(["raft"])

    said = capsys.readouterr().out
    assert code == 0
    assert clone.tree() == RAFT
    assert said.count("first use: no pin yet") == 5


def test_two_members_whose_names_differ_in_a_slash_are_not_mixed_up(
    clone: TestClone, world: World
) -> None:
    """While they wait beside the archive, a/b and a-b are two files."""
    without_pins(clone, "unpack_pips")
    params = clone.root / "params.yaml"
    text = params.read_text()
    added = (
        "    - member: reference_model-model-000200000.pth\n      path: models/pips_ckpts/b.pth\n"
    )
    params.write_text(text.replace("  pips_plus_plus:\n", added + "  pips_plus_plus:\n", 1))
    world.publish(
        ARCHIVES["pips"],
        tar_gz_of({hostile.MODEL: b"one", hostile.MODEL.replace("/", "-"): b"two"}),
    )

    code = fetch.main(["pips"])

    assert code == 0
    assert clone.tree() == {PIPS: b"one", "models/pips_ckpts/b.pth": b"two"}


def test_a_member_with_a_long_name_is_taken(clone: TestClone, world: World) -> None:
    """Its name is longer than that of any file may be."""
    without_pins(clone, "unpack_pips")
    params, name = clone.root / "params.yaml", "m" * 300
    params.write_text(params.read_text().replace(hostile.MODEL, name, 1))
    world.publish(ARCHIVES["pips"], tar_gz_of({name: b"weights"}))

    assert fetch.main(["pips"]) == 0
    assert clone.tree() == {PIPS: b"weights"}


def test_a_full_disk_while_extracting_keeps_the_archive(clone: TestClone, world: World) -> None:
    """RLIMIT_FSIZE lets the small packed archive pass and stops the large member."""
    without_pins(clone, "unpack_pips")
    world.publish(ARCHIVES["pips"], zip_of({hostile.MODEL: bytes(300_000)}))
    limit = (100_000, 100_000)
    words = [sys.executable, "-m", "scripts.fetch", "pips"]

    done = clone.run(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))

    assert done.returncode == 1
    assert "error: no room to write" in done.stderr
    assert "Traceback" not in done.stderr
    assert (clone.tree(), clone.objects()) == ({}, {})
    assert ".part" in left(clone)
    assert ".member" not in left(clone)
    world.clear()
    assert clone.run(*words).returncode == 0
    assert clone.read(PIPS) == bytes(300_000)


@pytest.mark.parametrize(
    ("point", "call"),
    [
        ("scripts.files.archive:check", 1),
        ("scripts.files.stream:pour", 2),
        ("scripts.storage.cache:Cache.add", 1),
        ("scripts.storage.cache:Cache.mark_verified", 3),
        ("scripts.checkout.obtain:place", 2),
        ("scripts.storage.cache:Cache.link", 3),
        ("scripts.storage.cache:move", 8),
        ("scripts.storage.cache:Cache.remember", 7),
    ],
)
def test_a_kill_at_any_step_is_made_up_for_by_the_next_run(
    clone: TestClone, point: str, call: int
) -> None:
    """SIGKILL while the archive is taken apart: what is under models/ is right at any time."""
    killed_at(clone, point, call, "scripts.fetch", "raft")

    assert set(clone.tree().items()) <= set(RAFT.items())
    assert fetch.main(["raft"]) == 0
    assert clone.tree() == RAFT
    assert sorted(clone.objects().values()) == sorted(RAFT.values())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "unknown name: nothing"),
        ("sam_vit_b", "scripts.fetch"),
    ],
)
def test_a_name_that_is_no_archive_is_a_usage_error(
    clone: TestClone, world: World, capsys: Capture, name: str, words: str
) -> None:
    """Exit code 2, the archives named, no request made."""
    code = fetch.main([name, "pips"])

    message = capsys.readouterr().err
    assert code == 2
    assert words in message
    assert "params.yaml has: pips, pips_plus_plus, raft" in message
    assert (world.requests, clone.tree()) == ([], {})
