"""A change that is killed at any of its writes: the next command leaves all of it, or nothing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from scripts import import_url, remove, repin, seal
from scripts.checkout import parallel
from scripts.checkout.journal import JOURNAL
from tests.curation.changing import files, folders
from tests.curation.cutting import ends
from tests.download.transfers import noise
from tests.world.checkpoints import ARCHIVES, members
from tests.world.checkpoints import files as synthetic
from tests.world.formats import zip_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]
    Main = Callable[[list[str]], int]

FILES = synthetic(10_000)
EVERY = 13  # one of so many writes; with 1 all of them, which takes minutes
DATA = noise(9_000, seed=7)
URL, PATH = "https://weights.example/New.pth", "models/raft_ckpts/deep/New.pth"
SMALL, CHAIRS = "models/raft_ckpts/raft-small.pth", "models/raft_ckpts/raft-chairs.pth"


def tried(main: Main, *argv: str) -> Callable[[], object]:
    """Return a function that runs a command to a good end."""

    def call() -> None:
        assert main([*argv]) == 0

    return call


def state(clone: TestClone) -> tuple[dict[str, bytes], set[str]]:
    """Return every file and folder; of quarantine/TIME/ without the time."""
    found = {re.sub("^quarantine/[^/]+/", "aside/", name): d for name, d in files(clone).items()}
    return found, folders(clone)


def wholly(clone: TestClone, capsys: Capture, call: Callable[[], object], every: int) -> None:
    """Cut a command at every so-manieth of its writes, in turn, until it is complete.

    After each, the next command must leave every file as before, or as after, and say which.
    """
    before, found, number = state(clone), [], 1
    clone.run("cp", "-a", ".", "../kept", check=True)
    while not ends(call, number):
        capsys.readouterr()
        seal.main([])
        found.append((state(clone), capsys.readouterr().err))
        assert not (clone.root / JOURNAL).exists()
        clone.run("bash", "-c", "rm -rf * .[!.]* && cp -a ../kept/. .", check=True)
        number += every
    after = state(clone)
    for left, said in found:
        made = "after its change was complete" in said
        assert left in ([after] if made else [before] if said else [before, after]), said
    assert len([said for _, said in found if "its change is undone" in said]) > 1


def test_an_import_is_made_or_not(clone: TestClone, world: World, capsys: Capture) -> None:
    """With its source, its file, the folders of that, its stage, its pin."""
    world.publish(URL, DATA)

    wholly(clone, capsys, tried(import_url.main, URL, PATH), EVERY)


LIST_URLS = [f"https://weights.example/{name}.pth" for name in ("one", "two", "three")]
ZIP = "https://weights.example/all.zip"


@pytest.fixture
def listed(clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    """The import of a list: three files, and two out of an archive.

    By one thread: a kill ends them all, and here it would leave the others at work.
    """
    monkeypatch.setattr(parallel, "_ENTRIES", 1)
    for number, url in enumerate(LIST_URLS):
        world.publish(url, noise(3_000, seed=number))
    world.publish(ZIP, zip_of({"in/a": noise(3_000, seed=8), "in/b": noise(3_000, seed=9)}))
    rows = [f"{url},models/new/{url[24:]},," for url in LIST_URLS]
    rows += [f"{ZIP},models/zip/{name}.pth,in/{name},minimal" for name in "ab"]
    (clone.root.parent / "list").write_text("\n".join(["url,path,member,set", *rows]) + "\n")
    return tried(import_url.main, "--from", "../list")


@pytest.mark.torture
def test_a_list_is_imported_or_not_at_each_write(
    clone: TestClone, listed: Callable[[], object], capsys: Capture
) -> None:
    """All of its entries, or none."""
    wholly(clone, capsys, listed, 1)


def test_a_list_that_was_cut_short_continues(
    clone: TestClone, world: World, listed: Callable[[], object]
) -> None:
    """The catalogue is as before; of what had arrived no byte is sent again."""
    before = state(clone)
    assert not ends(listed, 60)
    assert seal.main([]) == 0
    assert state(clone) == before
    arrived = {row[0] for row in map(json.loads, clone.read(".dvc/tmp/arrived.jsonl").splitlines())}
    world.clear()

    listed()

    sent = {request.url for request in world.requests if request.sent}
    assert arrived
    assert not arrived & sent
    assert len(clone.tree()) == 5


def test_a_removal_is_made_or_not(complete: TestClone, capsys: Capture) -> None:
    """Of a right file, of one that is not there, and of the user's own."""
    (complete.root / CHAIRS).unlink()
    (complete.root / SMALL).unlink()
    (complete.root / SMALL).write_bytes(b"mine")

    wholly(complete, capsys, tried(remove.main, "raft"), EVERY)


def test_a_new_pin_is_accepted_or_not(complete: TestClone, world: World, capsys: Capture) -> None:
    """With three new files: one was right, one was not there, one was the user's."""
    (complete.root / CHAIRS).unlink()
    (complete.root / SMALL).unlink()
    (complete.root / SMALL).write_bytes(b"mine")
    held = {member: FILES[path] for member, path in members()["raft"].items()}
    new = {f"models/raft-{name}.pth": DATA + name.encode() for name in ("small", "chairs", "kitti")}
    world.publish(ARCHIVES["raft"], zip_of({**held, **new}))

    wholly(complete, capsys, tried(repin.main, "raft", "--accept"), EVERY)
