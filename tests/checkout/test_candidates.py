"""The candidates for a file: their order, and what happens if one of them fails."""

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
from scripts.catalogue import lock as sealing
from scripts.checkout.clone import Clone
from scripts.checkout.obtain import obtain
from tests.conftest import SCALE
from tests.download.transfers import MIB, limit, md5, patiently
from tests.world import Fault, clones
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
SECOND = (
    "https://github.com/hkchengrex/Tracking-Anything-with-DEVA/releases/download/v1.0/mobile_sam.pt"
)
REPOSITORY = "github.com/hkchengrex/Tracking-Anything-with-DEVA"
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
    stored = clone.remote / "files/md5" / md5(DATA)[:2] / md5(DATA)[2:]
    stored.parent.mkdir(parents=True)
    stored.write_bytes(data)
    return stored


def obtained(clone: TestClone, *names: str) -> None:
    """Obtain entries in one run, one after another."""
    here = Clone.at(clone.root)
    for entry in here.catalogue.find(names):
        obtain(here, entry)


def test_the_team_is_tried_before_the_publisher(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """What a colleague has pushed is downloaded from there, with no connection to the outside."""
    team(clone)

    assert fetch.main([NAME]) == 0

    assert (clone.tree(), world.requests) == ({PATH: DATA}, [])
    assert f"{PATH}  downloaded from the remote team: " in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"wrong", DATA[:-1] + b"!"])
def test_wrong_bytes_of_the_team_are_reported_and_the_next_candidate_is_tried(
    clone: TestClone, capsys: Capture, data: bytes
) -> None:
    """The pin decides; the remote is not changed."""
    stored = team(clone, data)

    assert fetch.main([NAME]) == 0

    out, err = capsys.readouterr()
    assert err == (
        "sam_mobile_vit_t: bytes from the remote team do not match the pin; trying github.com\n"
    )
    assert "downloaded from github.com" in out
    assert (clone.tree(), stored.read_bytes()) == ({PATH: DATA}, data)


def test_an_object_that_cannot_be_read_means_the_next_candidate(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk of the team fails while it is read."""
    stored = team(clone)
    real = Path.open

    def failing(path: Path, *args: str, **more: str) -> object:
        if path == stored:
            raise OSError(5, "Input/output error")
        return real(path, *args, **more)  # type: ignore[call-overload] # passed on unchanged

    monkeypatch.setattr(Path, "open", failing)

    assert fetch.main([NAME]) == 0
    assert "the remote team: input/output error; trying github.com" in capsys.readouterr().err


def test_a_folder_of_the_team_without_read_permission_is_reported(clone: TestClone) -> None:
    """The message has the system's reason."""
    folder = team(clone).parent
    folder.chmod(0o000)

    done = clone.run(*without_root(), sys.executable, "-m", "scripts.fetch", NAME)

    folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert (
        done.stderr == "sam_mobile_vit_t: the remote team: permission denied; trying github.com\n"
    )


@pytest.mark.parametrize("code", [401, 407])
def test_a_team_that_refuses_the_account_is_tried_once(
    clone: TestClone, world: World, capsys: Capture, code: int
) -> None:
    """A bucket over plain https that needs an account: one line, then the next candidate."""
    clone.run("dvc", "remote", "modify", "--local", "team", "url", "https://bucket.test/prefix")
    world.publish(f"https://bucket.test/prefix/files/md5/{md5(DATA)[:2]}/{md5(DATA)[2:]}", DATA)
    world.fault("https://bucket.test/*", Fault.status(code))

    obtained(clone, NAME, "superpoint_v1")

    said = capsys.readouterr().err.splitlines()
    assert len([request for request in world.requests if request.host == "bucket.test"]) == 1
    assert said[0].startswith(f"sam_mobile_vit_t: the remote team: bucket.test: {code}")
    assert said[0].endswith("; trying github.com")
    assert [line for line in said if "team" in line] == said[:1]


@pytest.fixture
def hasty(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> TestClone:
    """A clone that gives up a silent host soon."""
    limit(clone, timeout=1, retries=1)
    patiently(monkeypatch)
    return clone


def test_a_mirror_that_is_down_is_tried_once(
    hasty: TestClone, world: World, capsys: Capture
) -> None:
    """Its retries are spent on the first file alone."""
    mirrors(hasty, NEAR)
    world.fault(f"{NEAR}/*", Fault.stall(0, seconds=20))
    near(world)

    obtained(hasty, NAME, "superpoint_v1")

    assert len({request.path for request in world.requests if request.host == "near.test"}) == 1
    assert capsys.readouterr().err.count("near.test") == 1


def test_a_mirror_that_announces_more_than_the_disk_holds_means_the_next_candidate(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Without a pinned size a mirror may announce any number."""
    mirrors(clone, NEAR)
    near(world, bytes(MIB))
    lock = clone.read("dvc.lock").decode()
    files, minimal, rest = lock.partition("  fetch_minimal:")
    text = re.sub(r"\n +size: \d+", "", files) + minimal + rest
    (clone.root / "dvc.lock").write_text(text)
    world.fault(f"{NEAR}/*", Fault.announce(10**17))

    assert fetch.main([NAME]) == 0

    said = "sam_mobile_vit_t: the mirror near.test: sam_mobile_vit_t: not enough room in "
    out, err = capsys.readouterr()
    assert err.startswith(said)
    assert "downloaded from github.com" in out


def test_a_mirror_with_an_impossible_path_is_skipped(clone: TestClone) -> None:
    """The home of an unknown user, a name too long for the disk."""
    mirrors(clone, "~nobody-of-this-name/tree", "x" * 300)

    assert fetch.main([NAME]) == 0


def test_a_team_remote_without_account_is_read_without_dvc(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A bucket over plain https: resumable, verified."""
    url = "https://bucket.test/prefix"
    clone.run("dvc", "remote", "modify", "--local", "team", "url", url)
    world.publish(f"{url}/files/md5/{md5(DATA)[:2]}/{md5(DATA)[2:]}", DATA)

    assert fetch.main([NAME]) == 0

    assert {request.host for request in world.requests} == {"bucket.test"}
    assert "downloaded from the remote team" in capsys.readouterr().out


def test_a_remote_with_an_account_is_read_through_dvc(clone: TestClone, world: World) -> None:
    """Here over http; the bytes are verified like those of any candidate."""
    _account(clone, f"{world.http}/prefix")
    world.publish(f"{world.http}/prefix/files/md5/{md5(DATA)[:2]}/{md5(DATA)[2:]}", DATA)

    done = clone.run(sys.executable, "-m", "scripts.fetch", NAME)

    assert "downloaded from the remote team" in done.stdout
    assert all(r.headers["authorization"].startswith("Basic") for r in world.requests)


def test_a_remote_without_the_object_is_reported(clone: TestClone, world: World) -> None:
    """Nobody has pushed it yet."""
    _account(clone, f"{world.http}/prefix")

    done = clone.run(sys.executable, "-m", "scripts.fetch", NAME)

    assert done.returncode == 0
    assert "the remote team does not have it; trying github.com" in done.stderr


@pytest.mark.parametrize("raised", [None, RuntimeError("of a plugin's own")])
def test_a_remote_that_cannot_be_reached_is_reported_once(
    clone: TestClone,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception | None,
) -> None:
    """It is not tried again in this run, whatever kind of error a plugin raises."""
    clone.run("dvc", "remote", "modify", "--local", "team", "url", "ssh://127.0.0.1:1/nowhere")
    if raised:
        monkeypatch.setattr(DataCloud, "get_remote", Mock(side_effect=raised))

    obtained(clone, NAME, "superpoint_v1")

    said = capsys.readouterr().err
    assert len(re.findall("the remote team: .*; trying github.com", said)) == 1
    assert len(said.splitlines()) == 1


def _account(clone: TestClone, url: str) -> None:
    for key, value in (("url", url), ("auth", "basic"), ("user", "u"), ("password", "secret")):
        clone.run("dvc", "remote", "modify", "--local", "team", key, value)


@pytest.mark.parametrize("key", ["version_aware", "worktree"])
def test_a_remote_without_objects_is_not_tried(clone: TestClone, key: str) -> None:
    """It stores files under their own names."""
    clone.run("dvc", "remote", "modify", "--local", "team", "url", "s3://bucket/prefix")
    clone.run("dvc", "remote", "modify", "--local", "team", key, "true")

    assert Clone.at(clone.root).cache.objects.find(md5(DATA)) is None


def test_mirrors_of_the_site_are_tried_in_order_before_the_publisher(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A folder without the file is skipped; the next mirror has it."""
    (clone.root.parent / "empty").mkdir()
    mirrors(clone, "../empty", f"{NEAR}/", "https://never.test/asked")
    near(world)

    assert fetch.main([NAME]) == 0

    assert {request.host for request in world.requests} == {"near.test"}
    out, err = capsys.readouterr()
    assert (f"{PATH}  downloaded from the mirror near.test: " in out, err) == (True, "")


def test_a_folder_can_be_a_mirror(clone: TestClone, world: World, capsys: Capture) -> None:
    """An old tree on a shared disk: copied and verified, and not changed."""
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
def test_a_mirror_that_fails_means_the_next_candidate(
    hasty: TestClone, world: World, capsys: Capture, fault: Fault, says: str
) -> None:
    """One line, then the publisher's bytes."""
    if not fault.name.startswith("stall"):
        limit(hasty, timeout=60)
    mirrors(hasty, NEAR)
    near(world)
    world.fault(f"{NEAR}/*", fault)

    assert fetch.main([NAME]) == 0

    out, err = capsys.readouterr()
    assert says in err
    assert err.endswith("; trying github.com\n")
    assert f"{PATH}  downloaded from github.com" in out
    assert hasty.tree() == {PATH: DATA}


def test_the_mirrors_of_a_source_replace_its_publisher(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """They are tried after the publisher, one after another."""
    world.fault(GITHUB, Fault.status(410))
    world.publish(FIRST, b"another file")
    world.publish(SECOND, DATA)

    assert fetch.main([NAME]) == 0

    assert clone.tree() == {PATH: DATA}
    out, err = capsys.readouterr()
    assert "github.com: 410" in err.splitlines()[0]
    assert "serves a file of a different size" in err.splitlines()[1]
    assert "downloaded from the mirror github.com/hkchengrex/Tracking" in out


def test_a_mirror_with_other_bytes_is_named_and_asked_once(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """By its URL: several mirrors may be on one host. Its bytes are not kept."""
    world.fault(GITHUB, Fault.status(410))
    world.publish(FIRST, DATA[:-1] + b"!")
    world.publish(SECOND, DATA)

    assert fetch.main([NAME]) == 0

    said = capsys.readouterr().err.splitlines()
    what = f"bytes from github.com do not match the pin ({FIRST})"
    assert said[1] == f"{NAME}: {what}; trying the mirror {REPOSITORY}"
    assert len([request for request in world.requests if request.url == FIRST]) == 1
    assert (clone.tree(), list(clone.objects())) == ({PATH: DATA}, [md5(DATA)])


def test_mirrors_with_other_bytes_are_named_if_none_has_the_right_ones(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Each with what it sent; the wrong size by its URL, too."""
    world.fault(GITHUB, Fault.status(410))
    world.publish(FIRST, DATA[:-1] + b"!")
    world.publish(SECOND, DATA[:-1])

    assert fetch.main([NAME]) == 1

    said = capsys.readouterr().err
    assert f"  bytes from github.com do not match the pin ({FIRST})\n" in said
    assert f"  github.com serves a file of a different size ({SECOND})\n" in said
    assert (clone.tree(), clone.objects()) == ({}, {})


def test_the_mirrors_of_one_host_are_told_apart_by_their_repositories(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Each failure has its own line at the end, too; the publisher goes by its host."""
    world.fault(GITHUB, Fault.status(410))

    assert fetch.main([NAME]) == 1

    assert clone.tree() == {}
    said, _, error = capsys.readouterr().err.partition("error: ")
    first = "the mirror github.com/Sanster/models"
    assert f"github.com: 410 Gone; trying {first}\n" in said
    assert f"{first}: 404 Not Found; trying the mirror {REPOSITORY}\n" in said
    lines = [line.strip() for line in error.splitlines()]
    assert lines[0].endswith("sources has it")
    assert f"{first}: 404 Not Found" in lines
    assert f"the mirror {REPOSITORY}: 404 Not Found" in lines


def test_what_concerns_every_source_is_said_once(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that is none is no fault of one of six."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://")

    assert fetch.main([NAME]) == 1

    error = capsys.readouterr().err.partition("error: ")[2]
    assert error.count("not the URL of a proxy") == 1
    assert clone.tree() == {}


def test_an_archive_comes_from_a_mirror_of_it(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The same zip at another address."""
    world.publish(RAFT_MIRROR, published(SCALE)[RAFT])
    world.remove(RAFT)

    assert fetch.main(["raft"]) == 0

    assert len(clone.tree()) == 5
    out = capsys.readouterr().out
    assert out.count("from the mirror dl.dropboxusercontent.com") == 5


def test_a_member_comes_from_its_own_mirror(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The other members are reported as missing; the one that was found stays."""
    release = "https://github.com/sczhou/ProPainter/releases/download/v0.1.0/raft-things.pth"
    world.publish(release, files(SCALE)[THINGS])
    world.remove(RAFT)

    assert fetch.main(["raft"]) == 1

    assert clone.tree() == {THINGS: files(SCALE)[THINGS]}
    said = capsys.readouterr().err
    assert "raft: none of" in said
    assert "raft-small.pth" in said
    assert THINGS not in said


def test_members_come_one_by_one_from_a_mirror_of_the_site(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """It has four of five; the archive is downloaded for the fifth alone."""
    mirrors(clone, NEAR)
    ours = {path: data for path, data in files(SCALE).items() if "raft-" in path}
    for path, data in ours.items():
        if path != THINGS:
            near(world, data, path)

    assert fetch.main(["raft"]) == 0

    assert clone.tree() == ours
    out = capsys.readouterr().out
    assert (out.count("the mirror near.test"), out.count("from www.dropbox.com")) == (4, 1)


def test_a_broken_archive_means_the_next_candidate(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Without a pin of the archive the pins of its members decide."""
    text = re.sub(r"(?m)^    sha256: .*\n(?=    members)", "", clone.read("params.yaml").decode())
    (clone.root / "params.yaml").write_text(text)
    sealing.write(clone.root)
    world.publish(RAFT_MIRROR, published(SCALE)[RAFT])
    world.publish(RAFT, b"PK\x03\x04 and no zip")

    assert fetch.main(["raft"]) == 0
    assert "is broken" in capsys.readouterr().err


def test_without_a_pin_only_the_publisher_is_trusted(clone: TestClone, world: World) -> None:
    """Trust on first use is trust in the publisher."""
    mirrors(clone, NEAR)
    near(world, b"anything")
    clones.unpin(clone.root, f"fetch@{NAME}")
    world.fault(GITHUB, Fault.status(404))

    assert fetch.main(["--trust-first-use", NAME]) == 1

    assert {request.host for request in world.requests} == {"github.com"}
    assert clone.tree() == {}


def test_the_order_can_be_changed(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """All mirrors before the publisher; the team is not tried."""
    monkeypatch.setenv("CHECKPOINTS_SOURCES", "mirrors, publisher")
    team(clone)
    world.publish(FIRST, DATA)

    assert fetch.main([NAME]) == 0

    assert "downloaded from the mirror github.com/Sanster/models: " in capsys.readouterr().out
    assert not [request for request in world.requests if "ChaoningZhang" in request.url]


@pytest.mark.parametrize("there", [True, False])
def test_a_site_can_stay_in_its_network(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture, *, there: bool
) -> None:
    """Cache and team alone: no connection to the outside, whether they have the file or not."""
    monkeypatch.setenv("CHECKPOINTS_SOURCES", "cache,team")
    mirrors(clone, NEAR)
    if there:
        team(clone)

    code = fetch.main([NAME])

    assert code == (0 if there else 1)
    assert (world.requests, world.tunnels) == ([], [])
    if not there:
        said = capsys.readouterr().err
        assert "sam_mobile_vit_t: no allowed source has it" in said
        assert "CHECKPOINTS_SOURCES=cache,team" in said


def test_the_cache_is_enough(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was fetched once needs no source."""
    assert fetch.main([NAME]) == 0
    shutil.rmtree(clone.root / "models")
    monkeypatch.setenv("CHECKPOINTS_SOURCES", "cache")

    assert fetch.main([NAME]) == 0
    assert clone.tree() == {PATH: DATA}


def test_an_empty_order_is_the_default(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A script may leave the variable empty."""
    monkeypatch.setenv("CHECKPOINTS_SOURCES", "")
    team(clone)

    assert fetch.main([NAME]) == 0
    assert "downloaded from the remote team" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["CHECKPOINTS_SOURCES", "SAMPT_SOURCES"])
def test_an_unknown_source_is_a_usage_error(
    name: str, clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The message names the allowed words, and the variable, which may have its old name."""
    monkeypatch.setenv(name, "team,internet")

    assert fetch.main([NAME]) == 2

    assert capsys.readouterr().err.splitlines() == [
        f"error: {name}=team,internet: unknown source 'internet'",
        "  allowed, in any order and separated by commas: cache, team, mirrors, publisher",
    ]
    assert (clone.tree(), world.requests) == ({}, [])
