"""python -m scripts.tidy: room is made, and nothing is lost that anybody needs."""

from __future__ import annotations

import io
import json
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from scripts import fetch, tidy
from scripts.checkout import journal
from scripts.checkout.clone import Clone
from scripts.files import digests
from scripts.storage.objects import Objects
from tests.curation.changing import CLEAN, dvc, run
from tests.storage.test_garbage import HASHES, STRAY, put
from tests.world import Fault
from tests.world.checkpoints import files
from tests.world.teams import beside

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

NAME, PATH = "sam_vit_b", "models/sam_ckpts/sam_vit_b_01ec64.pth"
RAFT = "models/raft_ckpts/raft-small.pth"
DATA = files(10_000)[PATH]
BEGUN = "raft.part", "raft.blocks", f"{NAME}.new.part"


@pytest.fixture
def full(clone: TestClone) -> TestClone:
    """A clone with one file, begun downloads, a wrong file in quarantine, and a stray object."""
    assert fetch.main([NAME]) == 0
    for name in (f"{pin(clone)}.part", *BEGUN):
        (clone.root / ".dvc/tmp/fetch" / name).write_bytes(bytes(1000))
    aside = clone.root / "quarantine/20260101T000000.000000Z" / PATH
    aside.parent.mkdir(parents=True)
    aside.write_bytes(b"wrong")
    put(clone, STRAY, bytes(2000))
    return clone


def pin(clone: TestClone, path: str = PATH) -> str:
    """Return the pinned md5 of a file."""
    return str(Clone.at(clone.root).pins[path].md5)


def begun(clone: TestClone) -> set[str]:
    """Return what is in the folder of partial files."""
    return {path.name for path in (clone.root / ".dvc/tmp/fetch").iterdir()}


class Terminal(io.StringIO):
    """A terminal on which a user types."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def test_what_takes_room_goes(full: TestClone, capsys: Capture) -> None:
    """Shown with names and bytes; the tree, its objects, and what DVC says stay."""
    objects, status = full.objects(), dvc(capsys, "status", f"fetch@{NAME}")

    done = run(tidy.main, capsys, "--yes")

    assert done.code == 0, done.err
    assert done.out == (
        "begun downloads: 3, 4.0 kB\n"
        f"     1.0 kB  {NAME}\n"
        "     2.0 kB  raft\n"
        f"     1.0 kB  {NAME} (a new release)\n"
        "quarantine: 1, 5 B\n"
        f"        5 B  20260101T000000.000000Z: {PATH}\n"
        "unused objects: 1, 2.0 kB\n"
    )
    assert begun(full) == set()
    assert not (full.root / "quarantine").exists()
    assert full.objects() == {md5: data for md5, data in objects.items() if md5 != STRAY}
    assert full.tree() == {PATH: DATA}
    assert dvc(capsys, "status", f"fetch@{NAME}") == status == CLEAN
    assert run(tidy.main, capsys, "--yes").out == "nothing to remove\n"


def test_a_dry_run_removes_nothing(full: TestClone, capsys: Capture) -> None:
    """It needs no terminal; a program gets the same as JSON."""
    before = begun(full), full.objects()

    done = run(tidy.main, capsys, "--dry-run", "--json")

    report = json.loads(done.out)
    assert (done.code, report["removed"], report["left"]) == (0, False, [])
    assert report["bytes"] == sum(item["bytes"] for item in report["items"]) == 6005
    assert report["items"][-1] == {"kind": "unused objects", "name": STRAY, "bytes": 2000}
    assert (begun(full), full.objects()) == before


@pytest.mark.parametrize(("typed", "gone"), [("y\n", True), ("\n", False), ("", False)])
def test_a_terminal_is_asked(
    full: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture, typed: str, *, gone: bool
) -> None:
    """Nothing but a yes removes anything."""
    monkeypatch.setattr("sys.stdin", Terminal(typed))

    done = run(tidy.main, capsys)

    assert done.code == 0
    assert done.err == "remove 6.0 kB? [y/N] " + (
        "6.0 kB freed\n" if gone else "nothing was removed\n"
    )
    assert (begun(full) == set()) == gone
    assert (STRAY in full.objects()) != gone


def test_without_a_terminal_it_needs_a_word(
    full: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A job must say that it means it."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    done = run(tidy.main, capsys)

    assert done.code == 2
    assert done.err == (
        "error: no terminal to ask whether to remove 6.0 kB\n"
        "  Nothing was removed.\n"
        "  Next: run again with --yes, or with --dry-run to see what would go.\n"
    )
    assert (full.root / "quarantine").exists()


def test_what_another_process_is_at_work_on_stays(full: TestClone, capsys: Capture) -> None:
    """Its partial file is not even shown; objects and quarantine wait until it is done."""
    with Clone.at(full.root).alone("raft"):
        done = run(tidy.main, capsys, "--yes")

    assert done.code == 1
    assert "raft" not in done.out
    assert done.err == (
        "2.0 kB freed\n"
        "error: 2 not removed: another process is at work in this clone\n"
        f"  quarantine: 20260101T000000.000000Z: {PATH}\n"
        f"  unused objects: {STRAY}\n"
        "  Next: wait until it has finished, then run again.\n"
    )
    assert begun(full) == {"raft.part", "raft.blocks"}
    assert STRAY in full.objects()


def test_a_process_that_comes_meanwhile_is_not_disturbed(
    full: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """While the user reads the question, another command starts."""
    here = Clone.at(full.root)
    locks = [here.alone("raft"), journal.locked(full.root)]
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    readline = Terminal.readline

    def slow(terminal: Terminal) -> str:
        for lock in locks:
            lock.__enter__()
        return readline(terminal)

    monkeypatch.setattr(Terminal, "readline", slow)
    done = run(tidy.main, capsys)
    for lock in locks:
        lock.__exit__(None, None, None)

    assert done.code == 1
    assert "error: 3 not removed" in done.err
    assert begun(full) == {"raft.part", "raft.blocks"}


def test_an_object_that_is_in_use_takes_no_room_twice(full: TestClone, capsys: Capture) -> None:
    """With a hard link somewhere else it stays; a sparse partial file has few bytes."""
    (full.root.parent / "mine").hardlink_to(full.root / ".dvc/cache/files/md5/ff" / STRAY[2:])
    with (full.root / ".dvc/tmp/fetch/pips.part").open("wb") as file:
        file.truncate(10**9)

    done = run(tidy.main, capsys, "--dry-run")

    assert "  0 B  pips\n" in done.out
    assert "unused" not in done.out


def test_a_cache_outside_the_clone_needs_a_word(
    full: TestClone, template: Path, capsys: Capture, tmp_path: Path
) -> None:
    """It may be that of other clones; what one that is named uses stays."""
    shutil.move(full.root / ".dvc/cache", tmp_path / "cache")
    (full.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path}/cache\n")
    other = tmp_path / "other"
    shutil.copytree(template, other, symlinks=True)
    lock = other / "dvc.lock"
    lock.write_text(lock.read_text().replace(pin(full, RAFT), HASHES["side"]))
    put(full, HASHES["side"])
    cache = tmp_path / "cache/files/md5"

    done = run(tidy.main, capsys, "--yes")
    assert done.code == 0
    assert f"{cache} is outside this clone; --shared looks there, too\n" in done.err
    assert "unused" not in done.out
    assert (cache / "ff" / STRAY[2:]).exists()

    done = run(tidy.main, capsys, "--yes", "--shared", "--clone", str(other))
    assert done.code == 0
    assert "outside this clone; what other clones use is not known" in done.err
    assert {path.parent.name for path in cache.glob("??/*")} == {HASHES["side"][:2], pin(full)[:2]}


def test_a_folder_that_is_no_clone_is_refused(full: TestClone, capsys: Capture) -> None:
    """What it uses would not be known."""
    done = run(tidy.main, capsys, "--yes", "--clone", "nowhere")

    assert (done.code, done.out) == (2, "")
    assert "error: nowhere is not a clone: it has no .dvc folder\n  Nothing was rem" in done.err
    assert STRAY in full.objects()


def test_the_rest_goes_if_the_commits_cannot_be_read(full: TestClone, capsys: Capture) -> None:
    """Then no object is known to be unused."""
    head = full.run("git", "rev-parse", "HEAD").stdout
    (full.root / ".git/shallow").write_text(head)

    done = run(tidy.main, capsys, "--yes")

    assert done.code == 0
    assert "the cache stays as it is: this clone has a part of the commits only" in done.err
    assert begun(full) == set()
    assert STRAY in full.objects()


def test_a_link_that_a_kill_left_goes(full: TestClone, capsys: Capture) -> None:
    """Half a copy may be gigabytes; one that a process writes stays."""
    folder = full.root / ".dvc/tmp/fetch"
    gone, alive = (folder / f"{STRAY}.{number}.1.link" for number in ("9" * 30, 1))
    for path in (gone, alive):
        path.write_bytes(b"half")

    assert run(tidy.main, capsys, "--yes").code == 0

    assert begun(full) == {alive.name}


def test_a_damaged_object_is_called_by_its_file(full: TestClone, capsys: Capture) -> None:
    """And many things of a kind fit a screen."""
    for number in range(12):
        aside = full.root / f"quarantine/2025{number:02}/cache" / pin(full)
        aside.parent.mkdir(parents=True)
        aside.write_bytes(b"damaged")

    done = run(tidy.main, capsys, "--dry-run")

    assert f"        7 B  202500: the object of {PATH}\n" in done.out
    assert "  and 3 more; --json names all\n" in done.out


def test_files_that_are_not_wanted_go(full: TestClone, world: World, capsys: Capture) -> None:
    """From models/ and from the cache, with what was begun; they can be fetched again."""
    world.clear()

    done = run(tidy.main, capsys, NAME, "raft", "--yes")

    assert done.code == 0, done.err
    size = f"{len(DATA) / 1000:.1f} kB"
    assert done.out == f"  {size}  {NAME}: also at dl.fbaipublicfiles.com alone\n"
    assert done.err == f"{size} freed\nTo get them back: ./checkpoints fetch {NAME}\n"
    assert full.tree() == {}
    assert full.objects().keys() == {STRAY}
    assert not (full.root / "models/sam_ckpts").exists()
    assert begun(full) == {"raft.part", "raft.blocks", f"{NAME}.new.part"}
    assert {request.method for request in world.requests} == {"HEAD"}
    assert run(tidy.main, capsys, NAME).out == "nothing to remove: none of these files is here\n"
    assert fetch.main([NAME]) == 0
    assert full.tree() == {PATH: DATA}


def test_a_member_goes_alone(clone: TestClone, capsys: Capture) -> None:
    """SELECT is that of fetch: here a file of an archive, by a glob."""
    assert fetch.main(["raft"]) == 0
    before = clone.tree()

    done = run(tidy.main, capsys, "raft-sm*", "--yes")

    assert done.code == 0, done.err
    assert clone.tree() == {path: data for path, data in before.items() if path != RAFT}
    assert pin(clone, RAFT) not in clone.objects()
    assert run(tidy.main, capsys, "raft-smal").code == 2


@pytest.mark.parametrize("other", ["changed", "gone"])
def test_the_last_copy_stays(full: TestClone, world: World, capsys: Capture, other: str) -> None:
    """No team, no mirror, and the publisher has it no more: only a word of its own removes it."""
    url = "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth"
    world.fault(url, Fault.status(404)) if other == "gone" else world.publish(url, DATA + b"new")

    done = run(tidy.main, capsys, NAME, "--yes")

    assert done.code == 1
    assert done.out.endswith(f"{NAME}: no other source has it\n")
    assert f"not removed, as no other source has it: {NAME}\n" in done.err
    assert full.tree() == {PATH: DATA}
    assert pin(full) in full.objects()

    assert run(tidy.main, capsys, NAME, "--yes", "--last-copy").code == 0
    assert full.tree() == {}
    assert pin(full) not in full.objects()


def test_a_copy_of_the_team_or_a_mirror_is_enough(
    full: TestClone, world: World, capsys: Capture
) -> None:
    """A folder each; the publisher is down."""
    world.stop_proxy()
    beside(full, PATH).parent.mkdir(parents=True)
    beside(full, PATH).write_bytes(DATA)
    (full.root / "mirror/sam_ckpts").mkdir(parents=True)
    (full.root / "mirror" / PATH.removeprefix("models/")).write_bytes(DATA)
    params = full.root / "params.yaml"
    params.write_text(f"{params.read_text()}  mirrors: [mirror]\n")

    done = run(tidy.main, capsys, NAME, "--dry-run", "--json")

    (entry,) = json.loads(done.out)["entries"]
    assert entry["sources"] == ["the remote team", "the mirror mirror"]
    assert (entry["files"], entry["objects"], entry["bytes"]) == ([PATH], 1, len(DATA))


@pytest.mark.parametrize("held", [DATA, b""])
def test_a_remote_that_dvc_opens_is_asked(
    full: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture, held: bytes
) -> None:
    """Of an object in a bucket one byte is read."""
    world.stop_proxy()
    monkeypatch.setattr(Objects, "find", lambda *_: partial(io.BytesIO, held))

    done = run(tidy.main, capsys, NAME, "--dry-run")

    assert done.out.endswith(f"{NAME}: also at the remote team alone\n") == bool(held)
    assert done.code == (0 if held else 1)
    assert full.tree() == {PATH: DATA}


def test_a_file_that_is_not_the_pinned_one_stays(full: TestClone, capsys: Capture) -> None:
    """It is the user's own; the pinned bytes go from the cache."""
    (full.root / PATH).unlink()
    (full.root / PATH).write_bytes(b"mine")

    done = run(tidy.main, capsys, NAME, "--yes")

    assert done.code == 0
    assert f"  {PATH} is not the pinned file, and stays\n" in done.out
    assert full.tree() == {PATH: b"mine"}
    assert pin(full) not in full.objects()


def test_a_file_that_changes_meanwhile_stays(
    full: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """While the user reads the question."""
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))

    def change(_: Terminal) -> str:
        (full.root / PATH).unlink()
        (full.root / PATH).write_bytes(b"mine")
        return "y\n"

    monkeypatch.setattr(Terminal, "readline", change)

    assert run(tidy.main, capsys, NAME).code == 0
    assert full.tree() == {PATH: b"mine"}


def test_a_file_that_is_being_fetched_is_left(full: TestClone, capsys: Capture) -> None:
    """Its lock is held."""
    with Clone.at(full.root).alone(NAME):
        done = run(tidy.main, capsys, NAME, "--yes")

    assert done.code == 1
    assert f"error: 1 not removed: another process is at work in this clone\n  {NAME}\n" in done.err
    assert full.tree() == {PATH: DATA}


def test_a_file_in_place_is_not_read_again(
    full: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """DVC's state knows it."""
    monkeypatch.setattr(digests, "of_file", None)

    assert run(tidy.main, capsys, NAME, "--yes").code == 0
    assert full.tree() == {}


def test_an_object_of_a_shared_cache_stays_for_others(
    full: TestClone, capsys: Capture, tmp_path: Path
) -> None:
    """Only the link in models/ goes, which frees nothing."""
    shutil.move(full.root / ".dvc/cache", tmp_path / "cache")
    (full.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path}/cache\n")

    done = run(tidy.main, capsys, NAME, "--yes")

    assert done.out.startswith(f"      0 B  {NAME}")
    assert full.tree() == {}
    assert (tmp_path / "cache/files/md5" / pin(full)[:2] / pin(full)[2:]).exists()
