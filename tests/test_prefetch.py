"""python -m scripts.prefetch: many files side by side, one message for what could not come."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.checkout import obtain, parallel
from scripts.checkout.clone import Clone
from tests.conftest import SCALE
from tests.world import Fault
from tests.world.checkpoints import files
from tests.world.processes import dvc_without_hashing

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.checkout.candidates import Candidate
    from scripts.download.limits import TransferLimits
    from scripts.download.request import Request
    from scripts.files.digests import Digest
    from tests.world import World

    Carry = Callable[[Candidate, Request, TransferLimits], Digest]
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

MINIMAL = {
    "models/cotracker_ckpts/cotracker_stride_4_wind_8.pth",
    "models/samhq_ckpts/sam_hq_vit_h.pth",
}


def minimal() -> dict[str, bytes]:
    """Return what the minimal variant holds."""
    return {path: data for path, data in files(SCALE).items() if path in MINIMAL}


def test_everything_comes_at_once_and_dvc_has_nothing_left_to_do(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """16 lines say which source served which file; then no stage runs, and nothing is hashed."""
    assert fetch.main(["complete"]) == 0

    told = capsys.readouterr()
    assert clone.tree() == files(SCALE)
    assert len([line for line in told.out.splitlines() if "  downloaded from " in line]) == 16
    assert told.out.splitlines()[-1] == "12 of 12 are in place"
    assert re.findall("^licence of (.*?):", told.out, re.MULTILINE) == ["cotracker", "superglue"]
    assert told.err == ""
    world.clear()
    done = dvc_without_hashing(clone, "repro", "models.dvc")
    assert done.returncode == 0, done.stderr
    assert (world.requests, "Running stage 'fetch" in done.stdout) == ([], False)
    assert clone.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize("words", [[], ["minimal"], ["sam_hq_vit_h", "minimal"]])
def test_the_minimal_variant_is_what_its_stage_depends_on(
    clone: TestClone, words: list[str]
) -> None:
    """It is what is brought if nothing is named; a name that is in it comes once."""
    assert fetch.main(words) == 0

    assert clone.tree() == minimal()
    assert "up to date" in clone.run("dvc", "status", "fetch_minimal").stdout


def test_names_of_both_kinds_may_stand_beside_each_other(clone: TestClone) -> None:
    """A published file and an archive."""
    assert fetch.main(["pips", "superpoint_v1"]) == 0
    assert {path.split("/")[1] for path in clone.tree()} == {"pips_ckpts", "superglue_ckpts"}


def test_an_existing_tree_is_checked_and_kept(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """What somebody fetched by hand is adopted, several files at a time."""
    for path, data in files(SCALE).items():
        (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / path).write_bytes(data)

    assert fetch.main(["complete"]) == 0

    assert (world.requests, len(clone.objects())) == ([], 16)
    assert capsys.readouterr().out.count("kept: already in place") == 16


def test_one_archive_lies_on_the_disk_at_a_time(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside its members each is room that nobody counted; other files come meanwhile."""
    real: Carry = obtain.carry  # type: ignore[attr-defined] # where it is looked up
    there: list[str] = []
    most = [0]

    def slow(offer: Candidate, wanted: Request, limits: TransferLimits) -> Digest:
        there.append(wanted.name)
        most.append(len(there))
        time.sleep(0.2)
        try:
            return real(offer, wanted, limits)
        finally:
            there.remove(wanted.name)

    monkeypatch.setattr(obtain, "carry", slow)

    assert fetch.main(["pips", "pips_plus_plus", "raft"]) == 0

    assert max(most) == 1
    assert fetch.main(["sam_vit_b", "sam_vit_l"]) == 0
    assert (max(most), len(clone.tree())) == (2, 9)


def test_hosts_take_turns(clone: TestClone) -> None:
    """The three files of one host do not stand in a row before those of the others."""
    here = Clone.at(clone.root)

    mixed = parallel._mixed(here, parallel.select(here, ["complete"]))  # noqa: SLF001

    assert len(mixed) == 12
    assert {entry.name for entry in mixed[:5]} == {
        "sam_vit_b", "sam_hq_vit_h", "sam_mobile_vit_t", "tapnet_checkpoint",
        "tapnet_checkpoint_wo_optstate",
    }  # fmt: skip


def test_what_cannot_come_is_told_once_and_the_rest_comes(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Every failure with its details, in one message, after all that could be brought."""
    world.fault("*sam_vit_b*", Fault.status(404))
    world.fault("*sam_vit_l*", Fault.corrupt())

    code = fetch.main(["sam_vit_b", "sam_vit_l", "sam_hq_vit_h"])

    told = capsys.readouterr().err
    assert code == 1
    assert list(clone.tree()) == ["models/samhq_ckpts/sam_hq_vit_h.pth"]
    assert told.startswith("error: 2 of 3 could not be brought\n")
    assert "sam_vit_b: dl.fbaipublicfiles.com: 404" in told
    assert "sam_vit_l: bytes from dl.fbaipublicfiles.com do not match the pin" in told


def test_one_that_cannot_come_has_the_message_of_fetch(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """No heading above a single error."""
    world.fault("*", Fault.status(404))

    assert fetch.main(["sam_vit_b"]) == 1

    assert capsys.readouterr().err.startswith("error: sam_vit_b: dl.fbaipublicfiles.com: 404")
    assert clone.tree() == {}


def test_an_unknown_name_stops_all_of_them(clone: TestClone, world: World, capsys: Capture) -> None:
    """Exit code 2 before the first request."""
    assert fetch.main(["minimal", "sam", "hq"]) == 2

    told = capsys.readouterr().err
    assert told.startswith("error: unknown names: sam, hq\n")
    assert "params.yaml has: " in told
    assert (clone.tree(), world.requests) == ({}, [])


@pytest.mark.parametrize(
    "text", ["[]", "stages: 7", "stages: {fetch_minimal: {deps: [1]}}", "stages: {}"]
)
def test_a_pipeline_without_a_minimal_variant_is_a_usage_error(
    clone: TestClone, capsys: Capture, text: str
) -> None:
    """The variant stands in dvc.yaml alone."""
    (clone.root / "dvc.yaml").write_text(text)

    assert fetch.main(["minimal"]) == 2
    assert "stages.fetch_minimal has no list of deps" in capsys.readouterr().err


def test_a_fault_of_our_own_is_not_swallowed(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thread did not expect is raised where it is seen."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(obtain, "bring", broken)
    here = Clone.at(clone.root)

    with pytest.raises(ZeroDivisionError):
        parallel.fetch_all(here, parallel.select(here, ["sam_vit_b"]))


def test_ctrl_c_ends_it_at_once(clone: TestClone, world: World) -> None:
    """No thread is waited for; what has arrived is kept, and the next run completes."""
    world.fault("*", Fault.stall(0))
    words = [sys.executable, "-m", "scripts.fetch", "complete"]
    with subprocess.Popen(  # noqa: S603 - the words are the test's own
        words, cwd=clone.root, env=dict(clone.env), text=True, stderr=subprocess.PIPE
    ) as process:
        until = time.monotonic() + 30
        while len(world.requests) < 4:
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)

    assert process.returncode == 130
    assert told.startswith("error: stopped\n")
    assert "Traceback" not in told
    world.clear()
    assert fetch.main(["minimal"]) == 0
    assert clone.tree() == minimal()
