"""One cache for many nodes, readers without an account, and a remote that is a disk."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.world import Fault, World
from tests.world.processes import started, until
from tests.world.teams import FILES, KEPT, Team, apart, command, fill, place

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.bucket import Bucket

MEDIA = "GET *alt=media*"
HTTPS = "https://storage.googleapis.com/lab/checkpoints"
PUBLIC = "['remote \"public\"']\n    url = {}\n    verify = true\n"


def shared(folder: Path) -> str:
    """Return the configuration of a node whose cache is the cluster's."""
    return f"[cache]\n    dir = {folder}\n    shared = group\n"


def objects(cache: Path) -> list[Path]:
    """Return every file of a cache, wherever it lies, but what a killed pull left behind."""
    return [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".tmp"]


@pytest.mark.torture
def test_eight_nodes_fill_one_cache_at_once_three_of_them_killed(
    team: Team, bucket: Bucket, tmp_path: Path
) -> None:
    """All end complete and identical, some by a second pull; each object is in the cache once."""
    fill(bucket)
    nodes = [team.colleague(f"node{n}", more=shared(tmp_path / "cache")) for n in range(8)]
    bucket.clear()
    slow = bucket.fault(MEDIA, Fault.slow(60_000))

    with ExitStack() as stack:
        pulls = [stack.enter_context(started(node, "dvc", "pull")) for node in nodes]
        until(lambda: len(objects(tmp_path / "cache")) > 5)
        for pull in pulls[:3]:
            os.killpg(pull.pid, signal.SIGKILL)
            pull.communicate()
            assert pull.returncode == -signal.SIGKILL
        assert all(node.tree() != FILES for node in nodes[:3])
        pulls[:3] = [stack.enter_context(started(node, "dvc", "pull")) for node in nodes[:3]]
        told = [pull.communicate(timeout=200) for pull in pulls]

    # Of an object that another node was moving as this one looked, DVC says it is not in the cache.
    for node, pull, (_, err) in zip(nodes, pulls, told, strict=True):
        assert pull.returncode == 0 or "Checkout failed" in err, err
        if pull.returncode:
            node.run("dvc", "pull", check=True)
    assert [node.tree() for node in nodes] == [FILES] * 8
    assert slow.met >= 16
    held = [path.read_bytes() for path in objects(tmp_path / "cache")]
    assert sorted(held) == sorted(FILES.values())
    assert len(held) == len(set(held)) == 16
    assert [node.objects() for node in nodes] == [{}] * 8


def test_a_node_copies_nothing_out_of_a_warm_cache(
    team: Team, bucket: Bucket, tmp_path: Path
) -> None:
    """Not a byte from the bucket, and the same inodes under models/; the group may write."""
    fill(bucket)
    first, second = (team.colleague(n, more=shared(tmp_path / "cache")) for n in ("one", "two"))
    first.run("dvc", "pull", check=True)
    bucket.clear()

    second.run("dvc", "pull", check=True)

    assert not any(request.matches(MEDIA) for request in bucket.requests)
    for path in FILES:
        assert (second.root / path).stat().st_ino == (first.root / path).stat().st_ino
    folders = [p for p in (tmp_path / "cache").rglob("*") if p.is_dir()]
    assert {stat.S_IMODE(p.stat().st_mode) for p in folders} == {0o2775}


def test_a_node_out_of_reach_of_the_bucket_links_a_warm_cache(
    team: Team, bucket: Bucket, tmp_path: Path
) -> None:
    """`dvc pull` asks the bucket first, and fails; `dvc checkout` asks nobody."""
    fill(bucket)
    first, second = (team.colleague(n, more=shared(tmp_path / "cache")) for n in ("one", "two"))
    first.run("dvc", "pull", check=True)
    bucket.clear()
    refused = bucket.fault("*", Fault.status(403))

    pull = second.run("dvc", "pull")
    met, linked = refused.met, second.tree()
    checkout = second.run("dvc", "checkout")

    assert (pull.returncode, linked, met > 0) == (1, {}, True)
    assert checkout.returncode == 0, checkout.stderr
    assert (refused.met, second.tree()) == (met, FILES)
    assert second.run("dvc", "status").stdout == "Data and pipelines are up to date.\n"


@pytest.fixture
def published(team: Team, world: World, bucket: Bucket) -> None:
    """Let everybody read over https what was published to the bucket."""
    owner = team.owner(url="", more=PUBLIC.format("gs://lab/checkpoints"))
    done = command(owner, "publish", "public")
    assert done.returncode == 0, done.stderr
    for name, data in bucket.objects().items():
        world.publish(f"https://storage.googleapis.com/lab/{name}", data)


@pytest.mark.parametrize("hidden", [404, 403])
@pytest.mark.usefixtures("published")
def test_readers_without_an_account_are_told_where_the_rest_is(
    team: Team, world: World, hidden: int
) -> None:
    """14 files over plain https; the command that check prints brings the two others.

    A bucket that everybody may read and nobody list says 403 of what it does not hold.
    """
    reader = team.colleague(url="", more=PUBLIC.format(HTTPS))
    for path in KEPT:
        world.fault(f"https://storage.googleapis.com/lab/{place(path)}", Fault.status(hidden))

    pull = reader.run("dvc", "pull", "-r", "public")
    told = apart(reader, "check", "-r", "public")
    advice = told.stderr.split("dvc repro ")[1].split("\n")[0]
    reader.run("dvc", "repro", *advice.split(), check=True)

    assert (pull.returncode, "14 files fetched and 14 files added" in pull.stdout) == (1, True)
    assert all(f"\n{path}\n" in pull.stderr for path in KEPT)
    assert "rights   read yes, write no" in told.stdout
    assert told.stdout.count("missing ") == 2
    assert reader.tree() == FILES
    assert reader.run("dvc", "status").stdout == "Data and pipelines are up to date.\n"
    assert world.refused == []


def test_a_public_remote_is_written_through_its_bucket(team: Team) -> None:
    """Over https nothing can be pushed: publish says what to set."""
    reader = team.owner("reader", url="", more=PUBLIC.format(HTTPS))

    done = command(reader, "publish", "public")

    assert done.returncode == 1
    assert "; nothing was pushed" in done.stderr
    assert "`./checkpoints dvc remote modify --local public url gs://BUCKET/PREFIX" in done.stderr


def test_a_site_that_is_not_public_says_so(team: Team, world: World) -> None:
    """Every object forbidden: not `all missing`, but that nobody may read there."""
    world.fault(f"{HTTPS}/*", Fault.status(403))
    reader = team.colleague(url="", more=PUBLIC.format(HTTPS))

    done = apart(reader, "check", "-r", "public")

    assert done.returncode == 2
    assert f"no permission to read {HTTPS}" in done.stderr
    assert "roles/storage.objectViewer" in done.stderr
