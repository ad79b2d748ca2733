"""Who is asked for the bytes, in which order, and what happens when one does not have them."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from dvc.data_cloud import DataCloud

from scripts import fetch
from scripts.checkout.clone import Clone
from tests.conftest import SCALE
from tests.download.transfers import MIB, md5
from tests.world import Fault
from tests.world.checkpoints import files, published
from tests.world.processes import without_root

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

NAME, PATH = "sam_mobile_vit_t", "models/sam_mobile_ckpts/sam_mobile_vit_t.pth"
DATA = files(SCALE)[PATH]
GITHUB = "https://github.com/ChaoningZhang/*"
FIRST = "https://github.com/Sanster/models/releases/download/MobileSAM/mobile_sam.pt"
RAFT = "https://www.dropbox.com/s/4j4z58wuv8o0mfz/models.zip"
RAFT_MIRROR = "https://dl.dropboxusercontent.com/s/4j4z58wuv8o0mfz/models.zip"
THINGS = "models/raft_ckpts/raft-things.pth"
NEAR = "https://near.test/checkpoints"


def mirrors(clone: TestClone, *bases: object) -> None:
    """Set network.mirrors."""
    with (clone.root / "params.yaml").open("a") as params:
        params.write("  mirrors:\n" + "".join(f"    - {base}\n" for base in bases))


def near(world: World, data: bytes = DATA, path: str = PATH) -> None:
    """Publish a file on the site's mirror."""
    world.publish(f"{NEAR}/{path.removeprefix('models/')}", data)


def team(clone: TestClone, data: bytes = DATA) -> Path:
    """Put an object into the folder that is the team's remote; return its path."""
    held = clone.root.parent / "sam-pt-checkpoints.team/files/md5" / md5(DATA)[:2] / md5(DATA)[2:]
    held.parent.mkdir(parents=True)
    held.write_bytes(data)
    return held


def test_the_team_is_asked_before_the_publisher(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """What a colleague has pushed comes from there, and no connection is opened."""
    team(clone)

    assert fetch.main([NAME]) == 0

    assert (clone.tree(), world.requests) == ({PATH: DATA}, [])
    assert f"{PATH}  downloaded from the remote team: " in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"wrong", DATA[:-1] + b"!"])
def test_wrong_bytes_of_the_team_cost_a_line_and_the_next_is_asked(
    clone: TestClone, capsys: Capture, data: bytes
) -> None:
    """The pin decides; the remote is let be."""
    held = team(clone, data)

    assert fetch.main([NAME]) == 0

    out, err = capsys.readouterr()
    assert err == (
        "sam_mobile_vit_t: bytes from the remote team do not match the pin; asking github.com\n"
    )
    assert "downloaded from github.com" in out
    assert (clone.tree(), held.read_bytes()) == ({PATH: DATA}, data)


def test_an_object_that_cannot_be_read_is_no_reason_to_stop(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk of the team that fails while it is read."""
    held = team(clone)
    real = Path.open

    def failing(path: Path, *args: str, **more: str) -> object:
        if path == held:
            raise OSError(5, "Input/output error")
        return real(path, *args, **more)  # type: ignore[call-overload] # handed on as it came

    monkeypatch.setattr(Path, "open", failing)

    assert fetch.main([NAME]) == 0
    assert "the remote team: input/output error; asking github.com" in capsys.readouterr().err


def test_a_folder_of_the_team_that_may_not_be_read_costs_one_line(clone: TestClone) -> None:
    """Rights that somebody forgot: the first file tells why, the others are not tried there."""
    held = team(clone)
    held.parent.chmod(0o000)
    names = (NAME, "superpoint_v1", "superglue_outdoor")

    done = clone.run(*without_root(), sys.executable, "-m", "scripts.fetch", *names)

    held.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    told = "sam_mobile_vit_t: the remote team: permission denied; asking github.com\n"
    assert done.stderr.startswith(told)
    assert done.stderr.count("the remote team") == 1
    assert len(clone.tree()) == 3


@pytest.mark.parametrize("code", [401, 407])
def test_a_team_that_does_not_know_us_is_asked_once(
    clone: TestClone, world: World, capsys: Capture, code: int
) -> None:
    """A bucket over plain https that wants an account: one line, then on."""
    clone.run("dvc", "remote", "modify", "--local", "team", "url", "https://bucket.test/prefix")
    world.publish(f"https://bucket.test/prefix/files/md5/{md5(DATA)[:2]}/{md5(DATA)[2:]}", DATA)
    world.fault("https://bucket.test/*", Fault.status(code))

    assert fetch.main([NAME, "superpoint_v1"]) == 0

    told = capsys.readouterr().err.splitlines()
    assert len([request for request in world.requests if request.host == "bucket.test"]) == 1
    assert told[0].startswith(f"sam_mobile_vit_t: the remote team: bucket.test: {code}")
    assert told[0].endswith("; asking github.com")
    assert [line for line in told if "team" in line] == told[:1]


def test_a_mirror_that_is_down_is_tried_once(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Its retries are spent on the first file alone."""
    _hasten(clone)
    mirrors(clone, NEAR)
    world.fault(f"{NEAR}/*", Fault.stall(0, seconds=20))
    near(world)

    assert fetch.main([NAME, "superpoint_v1"]) == 0

    assert len({request.path for request in world.requests if request.host == "near.test"}) == 1
    assert capsys.readouterr().err.count("near.test") == 1


def test_a_mirror_that_announces_more_than_a_disk_holds_means_the_next_source(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Of a file whose size nobody pinned, any number may be told."""
    mirrors(clone, NEAR)
    near(world, bytes(MIB))
    lock = clone.read("dvc.lock").decode()
    (clone.root / "dvc.lock").write_text(re.sub(r"\n +size: \d+", "", lock))
    world.fault(f"{NEAR}/*", Fault.announce(10**17))

    assert fetch.main([NAME]) == 0

    told = "sam_mobile_vit_t: the mirror near.test: sam_mobile_vit_t: not enough room in "
    out, err = capsys.readouterr()
    assert err.startswith(told)
    assert "downloaded from github.com" in out


def test_a_mirror_that_cannot_be_looked_at_is_passed_over(clone: TestClone) -> None:
    """A home that nobody has, a name too long for any disk."""
    mirrors(clone, "~nobody-of-this-name/tree", "x" * 300)

    assert fetch.main([NAME]) == 0


def test_a_team_remote_without_account_is_read_by_our_own_transfer(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A bucket over plain https: resumable, verified."""
    url = "https://bucket.test/prefix"
    clone.run("dvc", "remote", "modify", "--local", "team", "url", url)
    world.publish(f"{url}/files/md5/{md5(DATA)[:2]}/{md5(DATA)[2:]}", DATA)

    assert fetch.main([NAME]) == 0

    assert {request.host for request in world.requests} == {"bucket.test"}
    assert "downloaded from the remote team" in capsys.readouterr().out


def test_a_remote_that_only_dvc_can_read_is_read_through_dvc(
    clone: TestClone, world: World
) -> None:
    """One with an account, here over http; the object's bytes are checked like any other's."""
    _account(clone, f"{world.http}/prefix")
    world.publish(f"{world.http}/prefix/files/md5/{md5(DATA)[:2]}/{md5(DATA)[2:]}", DATA)

    done = clone.run(sys.executable, "-m", "scripts.fetch", NAME)

    assert "downloaded from the remote team" in done.stdout
    assert all(r.headers["authorization"].startswith("Basic") for r in world.requests)


def test_a_remote_that_lacks_the_object_is_named_and_the_next_is_asked(
    clone: TestClone, world: World
) -> None:
    """A colleague has not pushed this one."""
    _account(clone, f"{world.http}/prefix")

    done = clone.run(sys.executable, "-m", "scripts.fetch", NAME)

    assert done.returncode == 0
    assert "the remote team does not have it; asking github.com" in done.stderr


@pytest.mark.parametrize("raised", [None, RuntimeError("of a plugin's own")])
def test_a_remote_that_cannot_be_reached_costs_one_line(
    clone: TestClone,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception | None,
) -> None:
    """It is not asked again in this run, whatever kind of error a plugin raises."""
    clone.run("dvc", "remote", "modify", "--local", "team", "url", "ssh://127.0.0.1:1/nowhere")
    if raised:
        monkeypatch.setattr(DataCloud, "get_remote", Mock(side_effect=raised))

    assert fetch.main([NAME, "superpoint_v1"]) == 0

    told = capsys.readouterr().err
    assert len(re.findall("the remote team: .*; asking github.com", told)) == 1
    assert len(told.splitlines()) == 1


def _account(clone: TestClone, url: str) -> None:
    for key, value in (("url", url), ("auth", "basic"), ("user", "u"), ("password", "secret")):
        clone.run("dvc", "remote", "modify", "--local", "team", key, value)


@pytest.mark.parametrize("key", ["version_aware", "worktree"])
def test_a_remote_that_keeps_no_objects_is_not_asked(clone: TestClone, key: str) -> None:
    """There a file lies under its own name."""
    clone.run("dvc", "remote", "modify", "--local", "team", "url", "s3://bucket/prefix")
    clone.run("dvc", "remote", "modify", "--local", "team", key, "true")

    assert Clone.at(clone.root).cache.objects.find(md5(DATA)) is None


def test_mirrors_of_the_site_are_asked_in_order_before_the_publisher(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A directory that lacks the file is passed over; the next has it under its path."""
    (clone.root.parent / "empty").mkdir()
    mirrors(clone, "../empty", f"{NEAR}/", "https://never.test/asked")
    near(world)

    assert fetch.main([NAME]) == 0

    assert {request.host for request in world.requests} == {"near.test"}
    out, err = capsys.readouterr()
    assert (f"{PATH}  downloaded from the mirror near.test: " in out, err) == (True, "")


def test_a_directory_can_be_a_mirror(clone: TestClone, world: World, capsys: Capture) -> None:
    """An old tree on a shared disk: copied and verified, and left as it is."""
    old = clone.root.parent / "old" / PATH.removeprefix("models/")
    old.parent.mkdir(parents=True)
    old.write_bytes(DATA)
    mirrors(clone, clone.root.parent / "old")

    assert fetch.main([NAME]) == 0

    assert (clone.tree(), world.requests) == ({PATH: DATA}, [])
    assert f"the mirror {clone.root.parent / 'old'}" in capsys.readouterr().out
    assert old.stat().st_nlink == 1


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.corrupt(), "bytes from near.test do not match the pin"),
        (Fault.html("Sign in"), "a web page instead of the file"),
        (Fault.status(404), "near.test: 404"),
        (Fault.status(403), "near.test: 403"),
        (Fault.stall(0, seconds=20), "near.test: timed out waiting for data"),
        (Fault.reset(), "near.test: "),
        (Fault.body(b"short"), "near.test serves a file of a different size"),
    ],
)
def test_what_is_wrong_with_a_mirror_means_the_next_source(
    clone: TestClone, world: World, capsys: Capture, fault: Fault, says: str
) -> None:
    """One line, and the publisher's bytes."""
    _hasten(clone)
    mirrors(clone, NEAR)
    near(world)
    world.fault(f"{NEAR}/*", fault)

    assert fetch.main([NAME]) == 0

    out, err = capsys.readouterr()
    assert says in err
    assert err.endswith("; asking github.com\n")
    assert f"{PATH}  downloaded from github.com" in out
    assert clone.tree() == {PATH: DATA}


def _hasten(clone: TestClone) -> None:
    params = clone.root / "params.yaml"
    text = re.sub(r"(?m)^  (timeout|retries): .*$", r"  \1: 1", params.read_text())
    params.write_text(text)


def test_a_publisher_that_is_gone_is_made_up_for_by_its_mirrors(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Those of sources/NAME.dvc, after the publisher, one after another."""
    world.fault(GITHUB, Fault.status(410))
    world.publish(FIRST, b"another file")
    elsewhere = "https://github.com/hkchengrex/Tracking-Anything-with-DEVA/releases/download/v1.0"
    world.publish(f"{elsewhere}/mobile_sam.pt", DATA)

    assert fetch.main([NAME]) == 0

    assert clone.tree() == {PATH: DATA}
    out, err = capsys.readouterr()
    assert "github.com: 410" in err.splitlines()[0]
    assert "serves a file of a different size" in err.splitlines()[1]
    assert "downloaded from the mirror github.com" in out


def test_an_archive_comes_from_a_mirror_of_it(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The same zip at another address."""
    world.publish(RAFT_MIRROR, published(SCALE)[RAFT])
    world.remove(RAFT)

    assert fetch.main(["raft"]) == 0

    assert len(clone.tree()) == 5
    assert capsys.readouterr().out.count("from the mirror dl.dropboxusercontent.com") == 5


def test_a_member_comes_from_a_mirror_of_its_own(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """What nobody else has is missing, and told; what came stays."""
    release = "https://github.com/sczhou/ProPainter/releases/download/v0.1.0/raft-things.pth"
    world.publish(release, files(SCALE)[THINGS])
    world.remove(RAFT)

    assert fetch.main(["raft"]) == 1

    assert clone.tree() == {THINGS: files(SCALE)[THINGS]}
    told = capsys.readouterr().err
    assert "raft: none of" in told
    assert "raft-small.pth" in told
    assert THINGS not in told


def test_members_come_one_by_one_from_who_has_the_tree(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A mirror of the site has four of five; the archive is fetched for the fifth alone."""
    mirrors(clone, NEAR)
    ours = {path: data for path, data in files(SCALE).items() if "raft-" in path}
    for path, data in ours.items():
        if path != THINGS:
            near(world, data, path)

    assert fetch.main(["raft"]) == 0

    assert clone.tree() == ours
    out = capsys.readouterr().out
    assert (out.count("the mirror near.test"), out.count("from www.dropbox.com")) == (4, 1)


def test_an_archive_that_is_broken_means_the_next_source(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Without a pin of its own, what is in it decides."""
    text = re.sub(r"(?m)^    sha256: .*\n(?=    members)", "", clone.read("params.yaml").decode())
    (clone.root / "params.yaml").write_text(text)
    world.publish(RAFT_MIRROR, published(SCALE)[RAFT])
    world.publish(RAFT, b"PK\x03\x04 and no zip")

    assert fetch.main(["raft"]) == 0
    assert "is broken" in capsys.readouterr().err


def test_without_a_pin_only_the_publisher_is_believed(clone: TestClone, world: World) -> None:
    """Trust on first use is trust in the publisher."""
    mirrors(clone, NEAR)
    near(world, b"anything")
    lock = clone.read("dvc.lock").decode()
    (clone.root / "dvc.lock").write_text(lock.replace(f"path: {PATH}", "path: models/other"))
    world.fault(GITHUB, Fault.status(404))

    assert fetch.main([NAME]) == 1

    assert {request.host for request in world.requests} == {"github.com"}
    assert clone.tree() == {}


def test_the_order_can_be_turned(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Mirrors before the publisher, those of the source among them; the team is not asked."""
    monkeypatch.setenv("SAMPT_SOURCES", "mirrors, publisher")
    team(clone)
    world.publish(FIRST, DATA)

    assert fetch.main([NAME]) == 0

    assert "downloaded from the mirror github.com" in capsys.readouterr().out
    assert not [request for request in world.requests if "ChaoningZhang" in request.url]


@pytest.mark.parametrize("there", [True, False])
def test_a_site_may_stay_in_its_network(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture, *, there: bool
) -> None:
    """Cache and team: no connection is opened, whether they have it or not."""
    monkeypatch.setenv("SAMPT_SOURCES", "cache,team")
    mirrors(clone, NEAR)
    if there:
        team(clone)

    code = fetch.main([NAME])

    assert code == (0 if there else 1)
    assert (world.requests, world.tunnels) == ([], [])
    if not there:
        told = capsys.readouterr().err
        assert "sam_mobile_vit_t: nobody who may be asked has it" in told
        assert "SAMPT_SOURCES=cache,team" in told


def test_the_cache_is_enough(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fetched once is linked from there, whoever may be asked."""
    assert fetch.main([NAME]) == 0
    shutil.rmtree(clone.root / "models")
    monkeypatch.setenv("SAMPT_SOURCES", "cache")

    assert fetch.main([NAME]) == 0
    assert clone.tree() == {PATH: DATA}


def test_an_empty_order_is_the_usual_one(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A variable that a script left empty says nothing."""
    monkeypatch.setenv("SAMPT_SOURCES", "")
    team(clone)

    assert fetch.main([NAME]) == 0
    assert "downloaded from the remote team" in capsys.readouterr().out


def test_an_order_that_names_nobody_is_a_usage_error(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """All words that may be said are told."""
    monkeypatch.setenv("SAMPT_SOURCES", "team,internet")

    assert fetch.main([NAME]) == 2

    assert capsys.readouterr().err.splitlines() == [
        "error: SAMPT_SOURCES=team,internet: 'internet' is no source",
        "  it takes, in any order and separated by commas: cache, team, mirrors, publisher",
    ]
    assert (clone.tree(), world.requests) == ({}, [])
