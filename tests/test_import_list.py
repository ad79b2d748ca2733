"""./checkpoints import-url --from LIST: a list goes in by one command and one commit, or not."""

from __future__ import annotations

import io
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from scripts import import_url
from scripts.catalogue import lock, params, sources
from scripts.curation import arrived
from tests.curation.changing import CLEAN, dvc, files, folders, keep, run, undo
from tests.download.transfers import md5, noise
from tests.pickles.pickling import RUN, torch
from tests.world import Fault
from tests.world.formats import zip_of
from tests.world.processes import until
from tests.world.publishers import BRANCH_HEAD

if TYPE_CHECKING:
    from tests.curation.changing import Ran
    from tests.world import World
    from tests.world.clones import TestClone
    from tests.world.records import Request
    from tests.world.reply import Reply

    Capture = pytest.CaptureFixture[str]

HOSTS = ("https://weights.example", "https://other.example", "https://third.example")
DATA = {f"w{number}.pth": noise(9_000 + number, seed=number) for number in range(6)}
ADDRESSES = {name: f"{HOSTS[i % 3]}/v1/{name}" for i, name in enumerate(DATA)}
ARCHIVE = {"a/one.pth": noise(5_000, seed=11), "a/two.pth": noise(5_000, seed=12)}
ZIP = "https://weights.example/all.zip"


@pytest.fixture
def published(world: World) -> World:
    """All of it is served."""
    for name, url in ADDRESSES.items():
        world.publish(url, DATA[name])
    world.publish(ZIP, zip_of(ARCHIVE))
    return world


def ran(clone: TestClone, capsys: Capture, text: str, *words: str, name: str = "list") -> Ran:
    """Run the command with a list of this text."""
    (clone.root.parent / name).write_text(text)
    return run(import_url.main, capsys, "--from", f"../{name}", *words)


def plain(*names: str) -> str:
    """Return a csv of files."""
    rows = [f"{ADDRESSES[name]},models/new_ckpts/{name}" for name in names or DATA]
    return "\n".join(["url,path", *rows]) + "\n"


@pytest.mark.usefixtures("published")
def test_a_list_goes_in_by_one_commit(clone: TestClone, capsys: Capture) -> None:
    """Plain files, an archive of two, a set; pinned, sealed, linked; DVC has nothing to do."""
    text = (
        "url,path,member,set,license\n"
        f"{ADDRESSES['w0.pth']},models/new_ckpts/w0.pth,,minimal paper,MIT\n"
        f"{ZIP},models/zip_ckpts/one.pth,a/one.pth,paper,\n"
        "# a comment, and an empty line\n\n"
        f"{ZIP},models/zip_ckpts/two.pth,a/two.pth,,\n"
    )
    done = ran(clone, capsys, text)

    assert done.code == 0, done.err
    zipped = {f"models/zip_ckpts/{n[2:]}": d for n, d in ARCHIVE.items()}
    assert clone.tree() == {"models/new_ckpts/w0.pth": DATA["w0.pth"], **zipped}
    assert lock.write(clone.root) == []
    holds = params.read(clone.root / "params.yaml")
    assert [file.member for file in holds.published["zip"].files] == ["a/one.pth", "a/two.pth"]
    assert holds.sets["paper"] == ("models/new_ckpts/w0.pth", "models/zip_ckpts/one.pth")
    assert "models/new_ckpts/w0.pth" in holds.sets["minimal"]
    assert dvc(capsys, "status", "fetch@w0", "unpack_zip") == CLEAN
    keep(clone, done.err)
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert clone.run("git", "log", "-1", "--format=%s").stdout == "Add w0, zip\n"


@pytest.mark.usefixtures("published")
def test_a_list_for_another_program_is_read_from_stdin(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of aria2c, with a dead publisher: a mirror serves what has a hash. Undone to the letter."""
    dead, live = "https://gone.example/w1.pth", ADDRESSES["w1.pth"]
    text = f"{dead}\t{live}\n out=b.pth\n checksum=md5={md5(DATA['w1.pth'])}\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    before = files(clone), folders(clone)

    done = run(import_url.main, capsys, "--from", "-", "--to", "models/new_ckpts")

    assert done.code == 0, done.err
    assert clone.tree() == {"models/new_ckpts/b.pth": DATA["w1.pth"]}
    source = sources.read(clone.root / "sources", "b")
    assert (source.url, source.mirrors) == (dead, (sources.Mirror(live),))
    assert [r for r in world.requests if r.url == live]
    undo(clone, done.err)
    assert (files(clone), folders(clone)) == before


def unchanged(clone: TestClone, capsys: Capture, text: str, *words: str, code: int = 1) -> str:
    """Import a list that must fail; return the message once every file is as it was."""
    before = files(clone), folders(clone)
    done = ran(clone, capsys, text, *words)
    assert (done.code, done.out) == (code, ""), done.err
    assert (files(clone), folders(clone)) == before
    return done.err


def test_a_list_is_checked_whole_before_anything_is_requested(
    clone: TestClone, published: World, capsys: Capture
) -> None:
    """What the list itself says, and what the catalogue has: all faults, each with its line."""
    (clone.root / "models/x").mkdir(parents=True)
    (clone.root / "models/x/there.pth").write_bytes(b"mine")
    host = HOSTS[0]
    text = (
        "url,path,name\n"
        f"{ADDRESSES['w0.pth']},models/new_ckpts/w0.pth,\n"
        f"{host}/a.pth,models/x/a.pth,raft\n"
        f"{host}/b.pth,models/raft_ckpts/raft-small.pth,\n"
        f"{host}/c.pth,models/raft_ckpts/RAFT-small.pth,c\n"
        f"{host}/d.pth,models/x/there.pth,\n"
        f"{host}/e.pth,models/x/e.pth,raft_chairs\n"
        "http://weights.example/f.pth,models/x/f.pth,\n"
        "https://huggingface.co/o/r/tree/main,models/x/g.pth,\n"
        f"{host}/h.pth,models/raft_ckpts,\n"
    )
    message = unchanged(clone, capsys, text, code=2)

    assert message.startswith("error: ../list: 8 faults\n  line 3: the name raft is taken: models/")
    for line, said in {
        4: "models/raft_ckpts/raft-small.pth is in the catalogue already",
        5: "c cannot be added: params.yaml would not be valid; ",
        6: "models/x/there.pth exists already, and is not in the catalogue",
        7: "the name raft-chairs is taken: models/raft_ckpts/raft-chairs.pth",
        8: "not the URL of a file: ",
        9: "not the URL of a file: ",
        10: "raft_ckpts cannot be added: params.yaml would not be valid; ",
    }.items():
        assert f"  line {line}: {said}" in message
    assert (published.requests, published.tunnels) == ([], [])


def test_one_that_fails_changes_nothing_and_the_next_run_continues(
    clone: TestClone, published: World, capsys: Capture
) -> None:
    """What has arrived is not downloaded again, and is still said to be trusted on first use."""
    published.remove(ADDRESSES["w2.pth"])
    message = unchanged(clone, capsys, plain())
    assert "error: ../list: 1 line failed\n  line 4: w2: third.example: 404" in message
    assert "or give --keep-going, and run again: what has arrived is kept." in message
    published.clear()
    published.publish(ADDRESSES["w2.pth"], DATA["w2.pth"])

    again = ran(clone, capsys, plain())

    assert again.code == 0, again.err
    assert set(clone.tree().values()) == set(DATA.values())
    bodies = {r.url for r in published.requests if r.sent}
    assert bodies == {ADDRESSES["w2.pth"]}
    assert again.out.count("first use: no pin yet") == len(DATA)
    assert "where an import that was cut short has left it" in again.out
    assert "URL was not requested" not in again.err
    assert not (clone.root / ".dvc/tmp/arrived.jsonl").exists()


def test_the_others_are_added_if_asked_for(
    clone: TestClone, published: World, capsys: Capture
) -> None:
    """Of two that fail the lines are named, exit code 1; nothing of them is left in any file."""
    evil, gone = torch(RUN), ADDRESSES["w2.pth"]
    published.publish(ADDRESSES["w4.pth"], evil)
    published.remove(gone)

    done = ran(clone, capsys, plain(), "--keep-going")

    assert done.code == 1
    assert "error: ../list: 2 lines failed\n  line 4: w2: third.example: 404" in done.err
    assert "  line 6: models/new_ckpts/w4.pth: loading it would run more" in done.err
    assert "  4 files added, as shown above.\n" in done.err
    assert len(clone.tree()) == 4
    assert evil not in {*clone.tree().values(), *clone.objects().values()}
    assert lock.write(clone.root) == []
    keep(clone, done.err)
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert not {"w2", "w4"} & params.read(clone.root / "params.yaml").published.keys()


def test_nothing_that_arrives_changes_nothing(clone: TestClone, capsys: Capture) -> None:
    """Even with --keep-going; without a hash no mirror may take the publisher's place."""
    text = f"{plain()}https://mirror.example/w0.pth,models/new_ckpts/w0.pth\n"

    message = unchanged(clone, capsys, text, "--keep-going")

    assert "6 lines failed" in message
    assert message.count("Its mirrors were not asked: without a hash") == 1
    assert "The catalogue is unchanged." in message


def test_the_same_bytes_are_stored_once(
    clone: TestClone, published: World, capsys: Capture
) -> None:
    """Under two names of a list, without a hash; and those of the catalogue, by a hash."""
    twin = "https://other.example/twin.pth"
    published.publish(twin, DATA["w0.pth"])
    text = f"{plain('w0.pth')}{twin},models/new_ckpts/twin.pth\n"
    first = ran(clone, capsys, text)
    assert first.code == 0, first.err
    keep(clone, first.err)
    published.clear()
    third = f"url,path,md5\n{HOSTS[0]}/none,models/x/3.pth,{md5(DATA['w0.pth'])}\n"

    second = ran(clone, capsys, third)

    assert second.code == 0, second.err
    names = ("models/new_ckpts/w0.pth", "models/new_ckpts/twin.pth", "models/x/3.pth")
    assert len({(clone.root / name).stat().st_ino for name in names}) == 1
    assert published.requests == []
    assert "URL was not requested: the file was available locally" in second.err


def test_a_branch_is_replaced_by_its_commit_and_one_that_is_gone_fails(
    clone: TestClone, published: World, capsys: Capture
) -> None:
    """Before the first download; the other lines are added if asked for."""
    hub = "https://huggingface.co/o/r"
    published.publish(f"{hub}/resolve/main/w.pth", b"headers")
    published.publish(f"{hub}/resolve/{BRANCH_HEAD}/w.pth", DATA["w5.pth"])
    text = f"{hub}/blob/main/w.pth\n{hub}/blob/main/none.pth\n"

    done = ran(clone, capsys, text, "--keep-going", "--to", "models/x")

    assert done.code == 1
    assert "line 2: huggingface.co: does not report the commit of this revision" in done.err
    assert sources.read(clone.root / "sources", "w").url.endswith(f"/{BRANCH_HEAD}/w.pth")
    assert clone.tree() == {"models/x/w.pth": DATA["w5.pth"]}


@pytest.mark.parametrize(
    "words", [[], ["URL"], ["URL", "P", "--to", "models"], ["--from", "x", "URL"],
              ["--from", "x", "--md5", "0" * 32], ["URL", "P", "--keep-going"]],
)  # fmt: skip
def test_words_of_two_forms_are_a_usage_error(words: list[str], capsys: Capture) -> None:
    """One file, or a list."""
    with pytest.raises(SystemExit) as caught:
        import_url.main(words)

    assert caught.value.code == 2
    assert "--from" in capsys.readouterr().err


@pytest.mark.usefixtures("clone")
def test_a_list_that_cannot_be_read_is_said(capsys: Capture) -> None:
    """No such file; not a text."""
    assert "none: no such file" in run(import_url.main, capsys, "--from", "none").err
    assert "is not a text in UTF-8" in run(import_url.main, capsys, "--from", sys.executable).err


def test_what_arrives_after_ctrl_c_is_not_put_in_place(
    clone: TestClone, published: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other threads go on until the process ends; the change is undone before."""
    late, held = DATA["w1.pth"], threading.Event()

    def hold(_: Request, reply: Reply) -> Reply:
        assert held.wait(60)
        return reply

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    published.fault(f"GET {ADDRESSES['w1.pth']}", Fault("hold", hold), times=1)
    monkeypatch.setattr(arrived, "remember", stopped)
    before = files(clone), folders(clone)

    done = ran(clone, capsys, plain())
    held.set()
    until(lambda: md5(late) in clone.objects())
    time.sleep(0.05)  # it would be linked at once

    assert done.code == 130
    assert md5(late) in clone.objects()
    assert (files(clone), folders(clone)) == before
