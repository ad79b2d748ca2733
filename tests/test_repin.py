"""python -m scripts.repin: a new release is shown, accepted only with --accept, and undone."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

import pytest

from scripts import repin
from scripts.catalogue import lock, pins, sources
from scripts.console.errors import DiskError
from scripts.storage.cache import Cache
from tests.curation.changing import CLEAN, Ran, dvc, run
from tests.download.transfers import HOST, NAME, PATH, URL, md5, noise, unpin
from tests.world import Fault
from tests.world.checkpoints import ARCHIVES, DRIVE, FBAI, TAPNET, files, members
from tests.world.formats import zip_of
from tests.world.processes import killed_at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

FILES = files(10_000)
NEW = noise(12_345, seed=1)
SAM, SAM_PATH = "sam_vit_b", "models/sam_ckpts/sam_vit_b_01ec64.pth"
SAM_URL = f"{FBAI}/segment_anything/sam_vit_b_01ec64.pth"
SMALL = "models/raft_ckpts/raft-small.pth"
CHAIRS = "models/raft_ckpts/raft-chairs.pth"
DRIVEN = "tapnet_checkpoint_wo_optstate"
AS_IT_WAS = "models/, the cache and the pins are as they were."


def ran(capsys: Capture, *words: str) -> Ran:
    """Run the command in this process."""
    return run(repin.main, capsys, *words)


def state(clone: TestClone) -> dict[str, bytes]:
    """Return what git knows, what lies under models/, and the cache."""
    names = clone.run("git", "ls-files", check=True).stdout.split()
    return {name: clone.read(name) for name in names} | clone.tree() | clone.objects()


def words(clone: TestClone) -> dict[str, bytes]:
    """Return what git knows and what lies under models/: the state without the cache."""
    return {name: data for name, data in state(clone).items() if "." in name}


def raft(**changes: bytes) -> bytes:
    """Return the archive of RAFT with other members (by their names, without raft-)."""
    held = {member: FILES[path] for member, path in members()["raft"].items()}
    new = {f"models/raft-{name}.pth": data for name, data in changes.items()}
    return zip_of({"models/": b"", **held, **new})


def test_what_is_served_as_pinned_is_nothing_to_do(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """The publisher's own hash spares the download; where there is none, the bytes tell."""
    before = state(complete)

    proven = ran(capsys, "tapnet_checkpoint", "--accept")
    before_that = world.served()
    downloaded = ran(capsys, NAME, "--accept")

    assert (proven.code, downloaded.code, before_that) == (0, 0, 0)
    assert "nothing to do: the publisher's own hash is the pinned one" in proven.out
    assert f"nothing to do: {HOST} serves what is pinned" in downloaded.out
    assert state(complete) == before
    assert not list((complete.root / ".dvc/tmp/fetch").glob("*.part"))


def test_a_new_release_is_shown_and_nothing_is_changed(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """Size, md5 and sha256 of both, the publisher's own headers, and the next step."""
    before = state(complete)
    world.publish(SAM_URL, NEW, etag=f'"{md5(NEW)}"')

    done = ran(capsys, SAM)

    old = FILES[SAM_PATH]
    assert (done.code, done.err) == (0, "")
    assert re.findall(r"(?:pinned|served)  (md5 \w+ .*)", done.out) == [
        f"md5 {md5(old)}  {len(old):,} bytes",
        f"md5 {md5(NEW)}  12,345 bytes",
    ]
    sums = [hashlib.sha256(data).hexdigest() for data in (old, NEW)]
    assert re.findall(r"(?:pinned|served)  sha256 (\w+)", done.out) == sums
    assert f"own headers\n    md5 {md5(NEW)}\n    ETag" in done.out
    assert f"{AS_IT_WAS} 12,345 bytes are kept in .dvc/tmp/fetch." in done.out
    assert done.out.endswith(f"`./checkpoints repin {SAM} --accept` accepts this file.\n")
    assert state(complete) == before


def test_what_was_shown_is_not_fetched_again(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """--accept asks whether it is still the same, and takes what is kept."""
    big = noise(3 << 20)
    world.publish(URL, big)
    ran(capsys, NAME)
    once = world.served()

    done = ran(capsys, NAME, "--accept")

    assert done.code == 0, done.err
    assert world.served() - once <= 1 << 20
    assert complete.read(PATH) == big


def test_a_release_after_the_one_shown_is_shown_itself(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """What was kept of the other is of no use."""
    world.publish(URL, noise(3 << 20, seed=2))
    ran(capsys, NAME)
    later = noise(3 << 20, seed=3)
    world.publish(URL, later)

    done = ran(capsys, NAME, "--accept")

    assert f"served  md5 {md5(later)}" in done.out
    assert complete.read(PATH) == later


def test_an_accepted_release_is_in_line_everywhere(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """Lock, seal, sha256, inventory, cache and tree; the old object stays; comments stay."""
    params = complete.read("params.yaml").decode()
    world.publish(SAM_URL, NEW)

    done = ran(capsys, SAM, "--accept")

    old, new = (hashlib.sha256(data).hexdigest() for data in (FILES[SAM_PATH], NEW))
    assert done.code == 0, done.err
    assert f"{SAM}: repinned" in done.out
    assert complete.read(SAM_PATH) == NEW
    assert pins.read(complete.root / "dvc.lock")[SAM_PATH] == pins.Pin(md5(NEW), len(NEW))
    assert complete.read("params.yaml").decode() == params.replace(old, new)
    assert lock.write(complete.root) == []
    assert {md5(NEW), md5(FILES[SAM_PATH])} <= complete.objects().keys()
    assert dvc(capsys, "status") == CLEAN
    assert not list((complete.root / ".dvc/tmp/fetch").glob("*.part"))
    changed = ["dvc.lock", "models.dvc", "models.json", "params.yaml", f"sources/{SAM}.dvc"]
    assert complete.run("git", "diff", "--name-only").stdout.split() == changed


@pytest.mark.parametrize(("name", "url"), [(SAM, SAM_URL), ("raft", ARCHIVES["raft"])])
def test_git_and_dvc_checkout_undo_it(
    name: str, url: str, complete: TestClone, world: World, capsys: Capture
) -> None:
    """Every file is as it was; the cache has both."""
    before = state(complete)
    world.publish(url, raft(small=NEW) if name == "raft" else NEW)
    assert ran(capsys, name, "--accept").code == 0
    assert state(complete).items() != before.items()

    complete.run("git", "checkout", ".", check=True)
    complete.run("dvc", "checkout", check=True)

    after = state(complete)
    assert {key: after[key] for key in before} == before
    assert dvc(capsys, "status") == CLEAN


def test_an_archive_installs_only_its_new_members(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """The archive's own sha256 follows, too; the other four files are let be."""
    served = raft(small=NEW)
    world.publish(ARCHIVES["raft"], served)

    shown, done = ran(capsys, "raft"), ran(capsys, "raft", "--accept")

    assert (shown.code, done.code) == (0, 0), done.err
    assert "raft, the archive\n" in done.out
    assert re.findall(r"^  (models/\S+)", done.out, re.MULTILINE) == [SMALL]
    assert complete.tree() == {**FILES, SMALL: NEW}
    params = complete.read("params.yaml").decode()
    assert params.count(hashlib.sha256(served).hexdigest()) == 1
    assert params.count(hashlib.sha256(NEW).hexdigest()) == 1
    assert dvc(capsys, "status") == CLEAN
    assert not list((complete.root / ".dvc/tmp/fetch").glob("*.member"))


def test_an_archive_that_was_only_repacked_has_another_hash(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """No file changes, and no pin of a file."""
    held = {member: FILES[path] for member, path in members()["raft"].items()}
    world.publish(ARCHIVES["raft"], zip_of(held))

    done = ran(capsys, "raft", "--accept")

    assert done.code == 0, done.err
    assert complete.tree() == FILES
    assert dvc(capsys, "status") == CLEAN
    assert ran(capsys, "pips").out == "pips: nothing to do: www.dropbox.com serves what is pinned\n"


def test_google_drive_is_asked_like_any_other(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """Through gdown."""
    world.publish(DRIVE, NEW, name="checkpoint_wo_optstate.npy")

    done = ran(capsys, DRIVEN, "--accept")

    assert done.code == 0, done.err
    assert NEW in complete.tree().values()
    assert dvc(capsys, "status") == CLEAN


def test_a_clone_without_files_can_be_repinned(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """What is not there is no obstacle; the new file is there afterwards."""
    world.publish(SAM_URL, NEW)

    done = ran(capsys, SAM, "--accept")

    assert done.code == 0, done.err
    assert clone.tree() == {SAM_PATH: NEW}
    assert lock.write(clone.root) == []


def test_a_strange_file_in_its_place_is_kept_aside(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """It is neither the old release nor the new one."""
    (clone.root / SAM_PATH).parent.mkdir(parents=True)
    (clone.root / SAM_PATH).write_bytes(b"mine")
    world.publish(SAM_URL, NEW)

    assert ran(capsys, SAM, "--accept").code == 0

    aside = [p for p in (clone.root / "quarantine").rglob("*") if p.is_file()]
    assert [path.read_bytes() for path in aside] == [b"mine"]
    assert clone.read(SAM_PATH) == NEW


@pytest.mark.parametrize("name", ["dvc.lock", "models.json", f"sources/{SAM}.dvc"])
def test_what_is_not_committed_is_not_written_over(
    name: str, complete: TestClone, world: World, capsys: Capture
) -> None:
    """It is named before the first request; without --accept nothing is written."""
    world.publish(SAM_URL, NEW)
    with (complete.root / name).open("a") as file:
        file.write("# mine\n")
    before = state(complete)

    done = ran(capsys, SAM, "--accept")

    assert (done.code, done.out, world.requests) == (2, "", [])
    assert f" M {name}\n" in done.err
    assert "Next: commit them" in done.err
    assert ran(capsys, SAM).code == 0
    assert state(complete) == before


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.status(404), "gone: dl.fbaipublicfiles.com: 404"),
        (Fault.status(403), "blocked: dl.fbaipublicfiles.com: 403"),
        (Fault.reset(), "unknown: dl.fbaipublicfiles.com: "),
        (Fault.html(), "unknown: dl.fbaipublicfiles.com: sent a web page"),
    ],
)
def test_a_publisher_that_gives_nothing_changes_nothing(
    fault: Fault, said: str, complete: TestClone, world: World, capsys: Capture
) -> None:
    """What happened, the state of the disk, the next step."""
    before = state(complete)
    world.fault(URL, fault)

    done = ran(capsys, NAME, "--accept")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {NAME}: {said}")
    assert AS_IT_WAS in done.err
    assert f"Next: try again later, or check the address in sources/{NAME}.dvc" in done.err
    assert state(complete) == before


def test_bytes_that_the_publisher_itself_disowns_are_refused(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """Its own hash is another one: they were spoilt on the way, and are not kept."""
    url, name = f"{TAPNET}/checkpoint.npy", "tapnet_checkpoint"
    before = state(complete)
    world.publish(url, NEW)
    world.fault(f"GET {url}", Fault.corrupt())

    done = ran(capsys, name, "--accept")

    assert done.code == 1
    assert "the bytes do not match the publisher's own headers" in done.err
    assert f"stated  md5 {md5(NEW)}\n" in done.err
    assert state(complete) == before
    assert not list((complete.root / ".dvc/tmp/fetch").glob("*.new.part"))


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (raft(small=b""), "raft-small.pth would be an empty file"),
        (raft()[:900], "raft.new.part is broken"),
        (zip_of({"models/raft-small.pth": NEW}), "it has no 'models/raft-chairs.pth'"),
        (zip_of({"../raft-small.pth": NEW}), "the name leaves the folder"),
    ],
)
def test_an_archive_that_cannot_be_taken_is_refused(
    served: bytes, said: str, complete: TestClone, world: World, capsys: Capture
) -> None:
    """Nothing of it stays."""
    before = state(complete)
    world.publish(ARCHIVES["raft"], served)

    done = ran(capsys, "raft", "--accept")

    assert done.code == 1
    assert said in done.err
    assert AS_IT_WAS in done.err
    assert state(complete) == before
    assert list((complete.root / ".dvc/tmp/fetch").iterdir()) == []


def test_a_failure_half_way_leaves_every_word_as_it_was(
    complete: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of lock, seal, catalogue and source, or none."""
    before = words(complete)
    world.publish(SAM_URL, NEW)

    def refuse(*_: object, **__: object) -> None:
        raise DiskError("the disk is full")

    monkeypatch.setattr(sources, "record", refuse)

    done = ran(capsys, SAM, "--accept")

    assert (done.code, done.err) == (1, "error: the disk is full\n")
    assert words(complete) == before
    assert complete.run("git", "status", "--short").stdout == ""


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("reason", [DiskError("the disk is full"), KeyboardInterrupt()])
def test_a_third_file_that_cannot_be_placed_takes_the_others_back(
    cached: bool,  # noqa: FBT001
    reason: BaseException,
    complete: TestClone,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One file was right, one was not there, one was the user's; whether the cache had them."""
    (complete.root / CHAIRS).unlink()
    (complete.root / SMALL).unlink()
    (complete.root / SMALL).write_bytes(b"mine")
    for path in () if cached else (CHAIRS, SMALL):
        Cache(complete.root).object(md5(FILES[path])).unlink()
    before, link = words(complete), Cache.link
    world.publish(ARCHIVES["raft"], raft(chairs=NEW, kitti=NEW + b"2", small=NEW + b"3"))

    def refuse(cache: Cache, digest: str, path: Path) -> None:
        link(cache, digest, path)
        if digest == md5(NEW + b"3"):
            raise reason

    monkeypatch.setattr(Cache, "link", refuse)

    assert repin.main(["raft", "--accept"]) in {1, 130}

    assert words(complete) == before
    assert complete.run("git", "status", "--short").stdout == ""


def test_a_kill_half_way_is_undone_the_same_way(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """And the next run takes what is served."""
    before = state(complete)
    world.publish(SAM_URL, NEW)

    killed_at(complete, "scripts.catalogue.sources:record", 1, "scripts.repin", SAM, "--accept")
    complete.run("git", "checkout", ".", check=True)
    complete.run("dvc", "checkout", check=True)

    after = state(complete)
    assert {key: after[key] for key in before} == before
    assert ran(capsys, SAM, "--accept").code == 0
    assert dvc(capsys, "status") == CLEAN


def test_a_folder_in_the_way_is_named_before_anything_is_written(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The words stay as they were, too."""
    (clone.root / SAM_PATH).mkdir(parents=True)
    world.publish(SAM_URL, NEW)

    done = ran(capsys, SAM, "--accept")

    assert done.code == 1
    assert "is a folder, but must be a file" in done.err
    assert clone.run("git", "status", "--short").stdout == ""


def test_a_sha256_that_two_entries_share_is_left_to_the_user(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """Which of them is meant stands in no text; nothing stays half written."""
    params = complete.root / "params.yaml"
    old, other = (hashlib.sha256(FILES[path]).hexdigest() for path in (SAM_PATH, CHAIRS))
    params.write_text(params.read_text().replace(other, old))
    lock.write(complete.root)
    complete.run("git", "commit", "-qam", "the same twice", check=True)
    world.publish(SAM_URL, NEW)

    done = ran(capsys, SAM, "--accept")

    assert done.code == 1
    assert f"params.yaml: a program cannot replace the sha256 of {SAM}" in done.err
    assert complete.run("git", "status", "--short").stdout == ""


def test_an_unknown_name_is_a_usage_error(clone: TestClone, world: World, capsys: Capture) -> None:
    """With the names there are."""
    del clone

    done = ran(capsys, "sam_vit_x", "--accept")

    assert (done.code, world.requests) == (2, [])
    assert done.err.startswith("error: unknown name: sam_vit_x\n")


def test_what_has_no_pin_is_refused(clone: TestClone, world: World, capsys: Capture) -> None:
    """There is nothing to hold a release against."""
    unpin(clone, f"fetch@{SAM}")

    done = ran(capsys, SAM)

    assert (done.code, world.requests) == (2, [])
    assert f"1 of 16 files have no pin: {SAM_PATH}\n" in done.err


def test_help_teaches_how_to_undo(capsys: Capture) -> None:
    """And that nothing is accepted without the option."""
    with pytest.raises(SystemExit):
        repin.main(["--help"])

    printed = capsys.readouterr().out
    assert "git checkout . && ./checkpoints dvc checkout" in printed
    assert "Without --accept no file of the repository is changed" in printed


def test_a_file_of_ones_own_can_become_the_pin(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A rebuilt checkpoint, or a copy of a release that is gone: shown, then taken."""
    own = clone.root.parent / "own.pth"
    own.write_bytes(b"another release")
    given = ["sam_vit_b", "--from", str(own)]

    shown, taken = ran(capsys, *given), ran(capsys, *given, "--accept")

    assert f"--from {own} --accept` accepts this file" in shown.out
    assert "the publisher's own headers" not in shown.out
    assert taken.code == 0, taken.err
    assert list(clone.tree().values()) == [b"another release"]
    assert (world.requests, own.read_bytes()) == ([], b"another release")
    assert "sources/" not in clone.run("git", "status", "--porcelain").stdout


def test_a_fifo_of_ones_own_is_not_read(clone: TestClone, capsys: Capture) -> None:
    """It is named; nothing waits for its writer."""
    os.mkfifo(clone.root / "pipe")

    assert repin.main(["sam_vit_b", "--from", str(clone.root / "pipe"), "--accept"]) == 2
    assert capsys.readouterr().err == f"error: {clone.root}/pipe is a FIFO, not a file\n"


@pytest.mark.parametrize("name", ["none", "x" * 5000])
def test_a_file_of_ones_own_must_be_there(name: str, clone: TestClone, capsys: Capture) -> None:
    """A usage error, and nothing is changed."""
    assert repin.main(["sam_vit_b", "--from", str(clone.root / name)]) == 2
    assert f"{name} is not a file" in capsys.readouterr().err


LARGE, LARGE_URL = "sam_vit_l", f"{FBAI}/segment_anything/sam_vit_l_0b3195.pth"


def test_several_are_accepted_in_one_change(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """A glob shows both, the names accept both; the files of the catalogue agree."""
    world.publish(SAM_URL, NEW)
    world.publish(LARGE_URL, NEW + b"2")

    shown = ran(capsys, "sam_vit_*")
    done = ran(capsys, SAM, LARGE, "--accept")

    assert shown.out.count("the publisher serves another file than the pinned one") == 2
    assert f"`./checkpoints repin {SAM} {LARGE} --accept` accepts these files" in shown.out
    assert done.code == 0, done.err
    assert f"{SAM}, {LARGE}: repinned" in done.out
    held = pins.read(complete.root / "dvc.lock")
    assert held[SAM_PATH] == pins.Pin(md5(NEW), len(NEW))
    assert {NEW, NEW + b"2"} < set(complete.tree().values())
    assert lock.write(complete.root) == []


def test_one_that_fails_accepts_none(complete: TestClone, world: World, capsys: Capture) -> None:
    """The other is shown, and stays as it was."""
    before = state(complete)
    world.publish(SAM_URL, NEW)
    world.remove(LARGE_URL)

    done = ran(capsys, SAM, LARGE, "--accept")

    assert done.code == 1
    assert f"error: {LARGE}: blocked: " in done.err
    assert state(complete) == before


def test_every_publisher_is_asked_and_the_changed_are_shown(
    complete: TestClone, world: World, capsys: Capture
) -> None:
    """By their headers, all at once; only what has changed is downloaded, and nothing accepted."""
    before = state(complete)
    world.publish(SAM_URL, NEW)
    world.remove(LARGE_URL)

    done = ran(capsys, "--all")

    assert re.search(rf"^{SAM} +changed +size pinned", done.out, re.MULTILINE)
    assert re.search(rf"^{LARGE} +blocked +", done.out, re.MULTILINE)
    assert f"served  md5 {md5(NEW)}" in done.out
    assert f"Next: `./checkpoints repin {SAM} --accept` accepts this file." in done.out
    assert re.search(r"^\d+ of 12 are as pinned$", done.out, re.MULTILINE)
    assert state(complete) == before


@pytest.mark.parametrize(
    "given", [[], ["--all", SAM], ["--all", "--accept"], [SAM, "raft", "--from", "x"]]
)
def test_words_that_contradict_each_other_are_a_usage_error(
    given: list[str], capsys: Capture
) -> None:
    """Exit code 2."""
    with pytest.raises(SystemExit) as caught:
        repin.main(given)

    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err
