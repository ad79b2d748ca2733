"""Members of an archive: pinned ones alone are extracted, and nothing of a hostile archive."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.console.progress import human
from tests.conftest import SCALE
from tests.files import hostile
from tests.files.hostile import CASES, MODEL
from tests.world import clones
from tests.world.checkpoints import ARCHIVES, archive, files, members
from tests.world.formats import tar_gz_of, zip_of
from tests.world.processes import killed_at

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

PIPS = members()["pips"][MODEL]
RAFT = {path: files(SCALE)[path] for path in members()["raft"].values()}
GOOD = files(SCALE)[PIPS]
Capture = pytest.CaptureFixture[str]


def suffixes(clone: TestClone) -> set[str]:
    """Return the suffixes of the files in .dvc/tmp/fetch."""
    return {path.suffix for path in (clone.root / ".dvc/tmp/fetch").iterdir()}


def unpin(clone: TestClone, stage: str) -> list[str]:
    """Take the pins of a stage; return the words that fetch it all the same."""
    clones.unpin(clone.root, stage)
    return ["--trust-first-use", stage.removeprefix("unpack_")]


# tests/files refuses every case; what a refusal leaves behind is the same for all of a kind.
@pytest.mark.parametrize("case", ["parent folder", "truncated", "wrong bytes", "zip: bomb"])
def test_a_hostile_archive_changes_nothing(
    clone: TestClone, world: World, capsys: Capture, case: str
) -> None:
    """One message, exit code 1, the archive removed; the correct archive works afterwards."""
    build, words = CASES[case]
    world.publish(ARCHIVES["pips"], build(GOOD))
    around = {path for path in clone.root.parent.rglob("*") if ".dvc" not in path.parts}

    assert fetch.main(["pips"]) == 1

    message = capsys.readouterr().err
    assert message.startswith("error: pips: ")
    assert words in message
    assert "models/ and the cache are as they were" in message
    assert {path for path in clone.root.parent.rglob("*") if ".dvc" not in path.parts} == around
    assert (clone.objects(), suffixes(clone)) == ({}, set())
    world.publish(ARCHIVES["pips"], archive("pips", SCALE))
    assert fetch.main(["pips"]) == 0
    assert clone.tree() == {PIPS: GOOD}


def test_an_archive_with_a_wrong_sha256_is_not_opened(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """RAFT's zip has a pin of its own in params.yaml."""
    world.publish(ARCHIVES["raft"], archive("raft", SCALE) + b"more")

    assert fetch.main(["raft"]) == 1

    message = capsys.readouterr().err
    assert "pinned  sha256" in message
    assert "got     sha256" in message
    assert suffixes(clone) == set()


def test_each_member_is_reported_with_its_own_size(clone: TestClone, capsys: Capture) -> None:
    """The rate is the archive's."""
    assert fetch.main(["raft"]) == 0

    assert clone.tree() == RAFT
    out, whole = capsys.readouterr().out, human(len(archive("raft", SCALE)))
    for path, data in RAFT.items():
        how = f"{human(len(data))} of an archive of {whole} in "
        assert f"{path}  downloaded from www.dropbox.com: {how}" in out


def test_the_first_use_of_members_is_reported(clone: TestClone, capsys: Capture) -> None:
    """Their hashes are printed, and the files are in place for DVC to record."""
    trusting = unpin(clone, "unpack_raft")

    assert fetch.main(trusting) == 0

    assert clone.tree() == RAFT
    assert capsys.readouterr().out.count("first use: no pin yet") == 5


def test_members_whose_names_differ_in_a_slash_are_two_files(
    clone: TestClone, world: World
) -> None:
    """Before they are installed, a/b and a-b do not share a path."""
    trusting = unpin(clone, "unpack_pips")
    params, flat = clone.root / "params.yaml", MODEL.replace("/", "-")
    added = f"    - member: {flat}\n      path: models/pips_ckpts/b.pth\n  pips_plus_plus:\n"
    params.write_text(params.read_text().replace("  pips_plus_plus:\n", added, 1))
    world.publish(ARCHIVES["pips"], tar_gz_of({MODEL: b"one", flat: b"two"}))

    assert fetch.main(trusting) == 0
    assert clone.tree() == {PIPS: b"one", "models/pips_ckpts/b.pth": b"two"}


def test_the_name_of_a_member_may_be_longer_than_a_file_name(
    clone: TestClone, world: World
) -> None:
    """No file on the disk gets its name."""
    trusting = unpin(clone, "unpack_pips")
    params, name = clone.root / "params.yaml", "m" * 300
    params.write_text(params.read_text().replace(MODEL, name, 1))
    world.publish(ARCHIVES["pips"], tar_gz_of({name: b"weights"}))

    assert fetch.main(trusting) == 0
    assert clone.tree() == {PIPS: b"weights"}


def test_a_full_disk_during_extraction_keeps_the_archive(clone: TestClone, world: World) -> None:
    """RLIMIT_FSIZE allows the small archive and stops the large member."""
    trusting = unpin(clone, "unpack_pips")
    world.publish(ARCHIVES["pips"], zip_of({hostile.MODEL: bytes(300_000)}))
    limit = (100_000, 100_000)
    words = [sys.executable, "-m", "scripts.fetch", *trusting]

    done = clone.run(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))

    assert done.returncode == 1
    assert "error: no room to write" in done.stderr
    assert "Traceback" not in done.stderr
    assert (clone.tree(), clone.objects()) == ({}, {})
    assert suffixes(clone) & {".part", ".member"} == {".part"}
    world.clear()
    assert fetch.main(trusting) == 0
    assert clone.read(PIPS) == bytes(300_000)


@pytest.mark.parametrize(
    ("point", "call"),
    [
        ("scripts.files.archive:extract", 1),
        ("scripts.files.digests:write", 2),
        ("scripts.storage.cache:Cache.add", 3),
        ("scripts.checkout.obtain:place", 2),
        ("scripts.storage.cache:Cache.link", 3),
    ],
)
def test_the_next_run_completes_what_a_kill_stopped(
    clone: TestClone, point: str, call: int
) -> None:
    """SIGKILL during extraction or installation: models/ has correct files alone at any time."""
    killed_at(clone, point, call, "scripts.fetch", "raft")

    assert set(clone.tree().items()) <= set(RAFT.items())
    assert fetch.main(["raft"]) == 0
    assert clone.tree() == RAFT
    assert sorted(clone.objects().values()) == sorted(RAFT.values())
