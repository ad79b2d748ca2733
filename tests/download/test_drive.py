"""Google Drive: what gdown leaves behind, what it gives up on, and what it must not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.download import drive
from tests.download import transfers
from tests.download.transfers import MIB, assert_failed, assert_placed, attempt, md5, noise
from tests.world import Fault
from tests.world.checkpoints import DRIVE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

NAME = "tapnet_checkpoint_wo_optstate"
PATH = "models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy"
BIG = noise(3 * MIB)
FILE = "*confirm=t*"


@pytest.fixture(autouse=True)
def _pinned(clone: TestClone, world: World) -> None:
    """Pin a file of some MiB there."""
    world.publish(DRIVE, BIG)
    transfers.pin(clone, BIG, path=PATH)
    transfers.limit(clone, retries=0, timeout=1)


@pytest.fixture
def begun(clone: TestClone) -> Path:
    """What gdown leaves of a transfer that was cut after a MiB."""
    folder = clone.root / ".dvc/tmp/fetch"
    folder.mkdir(parents=True)
    path = folder / f"{md5(BIG)}.driveabcdefgh.part"
    path.write_bytes(BIG[:MIB])
    return path


@pytest.mark.parametrize("url", [DRIVE, "https://drive.google.com/uc?id=x"])
def test_its_addresses_are_known(url: str) -> None:
    """And no other's."""
    assert drive.serves(url)
    assert not drive.serves(url.replace("drive.google.com", "drive.google.com.test"))


def test_of_two_begun_files_the_longer_one_is_gone_on_with(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """With two, gdown gives up; with a whole one, it asks nothing."""
    begun.with_name(f"{md5(BIG)}.driveijklmnop.part").write_bytes(BIG[:100])
    begun.with_name(f"{md5(BIG)}.drive").write_bytes(b"another run's")

    assert attempt(clone, capsys, NAME).code == 0

    assert_placed(clone, BIG, PATH)
    assert [r.range for r in world.requests if r.range] == [(MIB, None)]


def test_begun_bytes_that_are_wrong_are_fetched_once_more(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """Gdown does not notice that a file changed between two runs."""
    begun.write_bytes(noise(MIB, 9))

    assert attempt(clone, capsys, NAME).code == 0

    assert_placed(clone, BIG, PATH)
    assert [r.range for r in world.requests if FILE.strip("*") in r.url][-1] is None


def test_a_begun_file_that_cannot_be_gone_on_with_is_begun_anew(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """It is as long as the whole: there is no range behind it, and gdown would fail for ever."""
    begun.write_bytes(BIG)

    assert attempt(clone, capsys, NAME).code == 0

    assert_placed(clone, BIG, PATH)
    assert 416 in {request.status for request in world.requests}


def test_without_a_pin_nothing_is_gone_on_with(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """Nothing would notice two versions spliced."""
    transfers.unpin(clone)
    begun.rename(begun.with_name(f"{NAME}.driveabcdefgh.part"))

    run = attempt(clone, capsys, NAME)

    assert run.code == 0
    assert clone.tree() == {PATH: BIG}
    assert [r.range for r in world.requests] == [None] * len(world.requests)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.status(404), "404 Not Found"),
        (Fault.cut(MIB), "broke off: IncompleteRead"),
        (Fault.reset(after=MIB), "broke off: "),
        (Fault.reset(), "no connection"),
        (Fault.stall(MIB), "timed out"),
    ],
)
def test_what_fails_behind_the_confirm_page_is_told_without_its_address(
    clone: TestClone, world: World, capsys: Capture, fault: Fault, words: str
) -> None:
    """attempt() looks for confirm= and the like in what is shown."""
    # A status with a Content-Disposition is what Drive gives instead of a page.
    named = Fault.header("Content-Disposition", "attachment; filename=x")
    world.fault(FILE, fault | named)

    run = attempt(clone, capsys, NAME)

    assert_failed(clone, run, world, f"error: {NAME}: drive.google.com: ", words)


def test_a_transfer_that_breaks_off_again_and_again_is_given_up(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Gdown's own words would show the address."""
    transfers.limit(clone, retries=1)
    world.fault(FILE, Fault.reset())

    run = attempt(clone, capsys, NAME)

    assert_failed(clone, run, world, "drive.google.com: ")
