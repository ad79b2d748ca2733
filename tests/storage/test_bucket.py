"""The real dvc-gs against a bucket: what DVC does by itself, and where it leaves a gap."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from bench import paper
from tests.world import Fault
from tests.world.checkpoints import MIB
from tests.world.processes import PATIENCE, started, until
from tests.world.teams import FILES, SAM, Team, command, fill, place, project, spoiled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.bucket import Bucket

CLEAN = "Data and pipelines are up to date.\n"
MINIMAL = {
    "models/cotracker_ckpts/cotracker_stride_4_wind_8.pth",
    "models/samhq_ckpts/sam_hq_vit_h.pth",
}
UPLOADS = "POST */upload/*"
FILLING = "POST *upload_id=*"
MEDIA = "GET *alt=media*"


def test_what_one_pushes_a_colleague_pulls(team: Team, bucket: Bucket) -> None:
    """16 objects under their md5; the same tree, a clean status, nothing asked twice."""
    owner, colleague = team.owner(), team.colleague()

    push = owner.run("dvc", "push", check=True)
    status = owner.run("dvc", "status", "-c")
    pull = colleague.run("dvc", "pull")

    assert "16 files pushed" in push.stdout
    assert status.stdout == "Cache and remote 'team' are in sync.\n"
    assert "16 files fetched and 16 files added" in pull.stdout
    assert colleague.tree() == FILES
    assert colleague.run("dvc", "status").stdout == CLEAN
    assert sorted(bucket.objects().values()) == sorted(owner.objects().values())


def test_the_minimal_variant_is_pulled_alone(team: Team, bucket: Bucket) -> None:
    """`dvc pull -d fetch_minimal`: two objects are asked for, two files appear."""
    fill(bucket)
    colleague = team.colleague()
    bucket.clear()

    colleague.run("dvc", "pull", "-d", "fetch_minimal", check=True)

    assert colleague.tree() == {path: FILES[path] for path in MINIMAL}
    assert sum(request.matches(MEDIA) for request in bucket.requests) == 2
    assert colleague.run("dvc", "status", "fetch_minimal").stdout == CLEAN


def test_status_says_what_the_bucket_lacks(team: Team, bucket: Bucket) -> None:
    """`dvc status -c` in the clone that has it, and in the one that has not."""
    owner = team.owner()
    fill(bucket)
    bucket.remove(place(SAM))

    assert f"new:                {SAM}" in owner.run("dvc", "status", "-c").stdout
    assert f"missing:            {SAM}" in team.colleague().run("dvc", "status", "-c").stdout


def test_a_push_that_is_killed_is_made_up_for_by_the_next(team: Team, bucket: Bucket) -> None:
    """No object is half there; what had arrived is not sent twice."""
    owner = team.owner(more="    jobs = 4\n")
    rule = bucket.fault(UPLOADS, *[Fault.none()] * 5, Fault.stall(0))
    with started(owner, "dvc", "push") as push:
        until(lambda: rule.met > 5 and len(bucket.objects()) == 5)
        os.killpg(push.pid, signal.SIGKILL)
        push.communicate(timeout=PATIENCE)
    kept = bucket.objects()
    bucket.clear()

    again = owner.run("dvc", "push")

    assert again.returncode == 0, again.stderr
    assert (len(kept), set(kept.values()) <= set(owner.objects().values())) == (5, True)
    assert sum(request.matches(UPLOADS) for request in bucket.requests) == 16 - 5
    assert sorted(bucket.objects().values()) == sorted(owner.objects().values())


def test_a_large_push_that_is_killed_starts_anew(
    team: Team, bucket: Bucket, tmp_path: Path
) -> None:
    """Above 5 MiB an upload is begun, then filled: a kill in between leaves no object."""
    data = os.urandom(MIB) * 6
    owner = project(team, tmp_path / "project", data)
    rule = bucket.fault(FILLING, Fault.stall(0))
    with started(owner, "dvc", "push") as push:
        until(lambda: rule.met == 1)
        os.killpg(push.pid, signal.SIGKILL)
        push.communicate(timeout=PATIENCE)
    assert bucket.objects() == {}
    bucket.clear()

    again = owner.run("dvc", "push")

    assert again.returncode == 0, again.stderr
    assert list(bucket.objects().values()) == [data]
    assert sum(request.matches(FILLING) for request in bucket.requests) == 1


@pytest.mark.parametrize("fault", [Fault.reset(), Fault.status(503)])
def test_an_upload_that_drops_half_way_is_made_again(
    team: Team, bucket: Bucket, fault: Fault
) -> None:
    """Nothing of it is stored; the client sends the whole once more."""
    owner = team.owner()
    rule = bucket.fault(UPLOADS, fault, times=1)

    push = owner.run("dvc", "push", "fetch@sam_vit_b")

    assert push.returncode == 0, push.stderr
    assert bucket.objects() == {place(SAM): FILES[SAM]}
    assert rule.met == 1
    assert sum(request.matches(UPLOADS) for request in bucket.requests) == 2


def test_a_refused_writer_stores_nothing(team: Team, bucket: Bucket) -> None:
    """403 on every upload: DVC fails, and the bucket is as it was."""
    owner = team.owner()
    bucket.fault(UPLOADS, Fault.status(403))

    push = owner.run("dvc", "push")

    assert (push.returncode, bucket.objects()) == (1, {})
    assert "16 files failed to upload" in push.stderr


def test_a_large_pull_that_is_cut_is_whole_in_the_end(
    team: Team, bucket: Bucket, tmp_path: Path
) -> None:
    """Above 100 MiB gcsfs asks for ranges; two that are cut are asked for once more."""
    data = os.urandom(MIB) * 101
    colleague = project(team, tmp_path / "project", data)
    (md5,) = colleague.objects()
    bucket.put(f"checkpoints/files/md5/{md5[:2]}/{md5[2:]}", data)
    shutil.rmtree(colleague.root / ".dvc/cache")
    bucket.fault(MEDIA, Fault.none(), Fault.cut(1000), Fault.reset(after=1000), Fault.none())

    pull = colleague.run("dvc", "pull")

    assert pull.returncode == 0, pull.stderr
    assert colleague.read("large.bin") == data
    asked = [request for request in bucket.requests if request.matches(MEDIA)]
    assert [request.sent for request in asked].count(1000) == 2
    assert len(asked) == paper.ranges(len(data)) + 2


def test_a_damaged_object_is_refused_named_and_healed(team: Team, bucket: Bucket) -> None:
    """DVC refuses it and names the file; check names the remote, too, and replaces it."""
    owner, colleague = team.owner(), team.colleague()
    fill(bucket)
    bucket.put(place(SAM), spoiled(SAM))

    pull = colleague.run("dvc", "pull")
    told = command(colleague, "check")
    push = owner.run("dvc", "push")
    healed = command(owner, "check", "--repair")
    again = colleague.run("dvc", "pull")

    assert (pull.returncode, f"\n{SAM}\n" in pull.stderr) == (1, True)
    assert (told.returncode, f"damaged  {SAM}" in told.stdout) == (1, True)
    assert f"gs://lab/checkpoints has other bytes than the pinned ones for: {SAM}" in told.stderr
    assert push.stdout == "Everything is up to date.\n"  # DVC alone does not heal it
    assert healed.returncode == 0, healed.stderr
    assert again.returncode == 0, again.stderr
    assert colleague.tree() == FILES


def test_without_verify_a_damaged_object_is_pulled_in_silence(team: Team, bucket: Bucket) -> None:
    """Why .dvc/config says verify = true, and check asks for it."""
    fill(bucket)
    bucket.put(place(SAM), spoiled(SAM))
    careless = team.colleague(more="    verify = false\n")

    pull = careless.run("dvc", "pull", "fetch@sam_vit_b")
    told = command(careless, "check")

    assert pull.returncode == 0
    assert careless.tree() == {SAM: spoiled(SAM)}
    assert "verify   OFF" in told.stdout


def test_an_object_that_is_missing_leaves_one_file_out(team: Team, bucket: Bucket) -> None:
    """The others are pulled; pushing again from a clone that has it completes the bucket."""
    owner, colleague = team.owner(), team.colleague()
    fill(bucket)
    bucket.remove(place(SAM))

    pull = colleague.run("dvc", "pull")
    owner.run("dvc", "push", check=True)
    again = colleague.run("dvc", "pull")

    assert (pull.returncode, f"\n{SAM}\n" in pull.stderr) == (1, True)
    assert "1 file fetched and 1 file added" in again.stdout
    assert colleague.tree() == FILES


def test_a_bucket_that_is_missing_is_an_error_in_all_ways(team: Team, bucket: Bucket) -> None:
    """DVC's own message is the address alone; check says what it means."""
    owner, colleague = team.owner(), team.colleague()
    bucket.vanish()

    assert owner.run("dvc", "push").returncode == 255
    assert colleague.run("dvc", "pull").returncode == 255
    assert colleague.tree() == {}
    assert "bucket lab does not exist" in command(colleague, "check").stderr


def test_a_refused_reader_gets_nothing(team: Team, bucket: Bucket) -> None:
    """403 on everything: DVC names the bucket; nothing half done stays."""
    fill(bucket)
    bucket.fault("*", Fault.status(403))
    colleague = team.colleague()

    pull = colleague.run("dvc", "pull")

    assert (pull.returncode, "Forbidden" in pull.stderr) == (1, True)
    assert (colleague.tree(), colleague.objects()) == ({}, {})


@pytest.mark.parametrize("fault", [Fault.cut(10_000), Fault.reset(after=10_000), Fault.status(503)])
def test_a_connection_that_drops_mid_object_is_made_again(
    team: Team, bucket: Bucket, fault: Fault
) -> None:
    """The client asks again; the file is whole."""
    fill(bucket)
    bucket.clear()
    rule = bucket.fault(MEDIA, fault, times=1)
    colleague = team.colleague()

    pull = colleague.run("dvc", "pull", "fetch@sam_vit_b")

    assert pull.returncode == 0, pull.stderr
    assert colleague.tree() == {SAM: FILES[SAM]}
    first, again = [request for request in bucket.requests if request.matches(MEDIA)]
    assert (rule.met, again.sent) == (1, len(FILES[SAM]))
    assert (first.status, first.sent < len(FILES[SAM])) in {(200, True), (503, True)}


def test_a_slow_bucket_is_waited_for(team: Team, bucket: Bucket) -> None:
    """Bytes that trickle are no failure."""
    fill(bucket)
    bucket.clear()
    rule = bucket.fault(MEDIA, Fault.slow(len(FILES[SAM]) / 2))
    colleague = team.colleague()

    pull = colleague.run("dvc", "pull", "fetch@sam_vit_b")

    assert pull.returncode == 0, pull.stderr
    assert colleague.tree() == {SAM: FILES[SAM]}
    (asked,) = [request for request in bucket.requests if request.matches(MEDIA)]
    assert (rule.met, asked.sent) == (1, len(FILES[SAM]))
    assert asked.ended is not None
    assert asked.ended - asked.started > 1  # the rate was kept: the whole takes two seconds
