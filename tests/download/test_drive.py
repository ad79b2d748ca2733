"""Google Drive: partial files of gdown, its failures, and the secrets it must not show."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gdown  # noqa: F401 - its module is changed below
import pytest
from urllib3.util import connection

from scripts.download import drive  # noqa: F401 - imports gdown
from tests.download import transfers
from tests.download.transfers import MIB, assert_failed, assert_placed, attempt, md5, noise
from tests.world import Fault
from tests.world.checkpoints import DRIVE

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    """Pin a file of three MiB there."""
    world.publish(DRIVE, BIG)
    transfers.pin(clone, BIG, path=PATH)
    transfers.limit(clone, retries=0, timeout=60)


@pytest.fixture
def unfinished(clone: TestClone) -> Path:
    """The partial file of gdown after one MiB."""
    folder = clone.root / ".dvc/tmp/fetch"
    folder.mkdir(parents=True)
    path = folder / f"{md5(BIG)}.driveabcdefgh.part"
    path.write_bytes(BIG[:MIB])
    return path


def test_of_two_partial_files_the_longer_one_is_resumed(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """With two, gdown fails; with a complete one, it requests nothing."""
    unfinished.with_name(f"{md5(BIG)}.driveijklmnop.part").write_bytes(BIG[:100])
    unfinished.with_name(f"{md5(BIG)}.drive").write_bytes(b"another run's")

    assert attempt(clone, capsys, NAME).code == 0

    assert_placed(clone, BIG, PATH)
    assert [r.range for r in world.requests if r.range] == [(MIB, None)]


def test_a_resumed_file_with_wrong_bytes_is_downloaded_again(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """Gdown does not notice a file that changed between two runs."""
    unfinished.write_bytes(noise(MIB, 9))

    assert attempt(clone, capsys, NAME).code == 0

    assert_placed(clone, BIG, PATH)
    assert [r.range for r in world.requests if FILE.strip("*") in r.url][-1] is None


def test_a_partial_file_that_cannot_be_resumed_is_downloaded_again(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """It is as long as the file: there is no range after it, and gdown would always fail."""
    unfinished.write_bytes(BIG)

    assert attempt(clone, capsys, NAME).code == 0

    assert_placed(clone, BIG, PATH)
    assert 416 in {request.status for request in world.requests}


def test_without_a_pin_nothing_is_resumed(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """A mix of two versions would not be detected."""
    transfers.unpin(clone, f"fetch@{NAME}")
    unfinished.rename(unfinished.with_name(f"{NAME}.driveabcdefgh.part"))

    run = attempt(clone, capsys, NAME)

    assert run.code == 0
    assert clone.tree() == {PATH: BIG}
    assert [r.range for r in world.requests] == [None] * len(world.requests)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.status(404), "404 Not Found"),
        (Fault.cut(MIB), "was interrupted: IncompleteRead"),
        (Fault.reset(), "no connection"),
        (Fault.stall(MIB), "timed out"),
    ],
)
def test_a_failure_after_the_confirm_page_is_shown_without_its_url(
    clone: TestClone, world: World, capsys: Capture, fault: Fault, words: str
) -> None:
    """attempt() checks the output for confirm= and other secrets."""
    # With a Content-Disposition the status is Drive's response for the file, not a page.
    named = Fault.header("Content-Disposition", "attachment; filename=x")
    world.fault(FILE, fault | named)
    transfers.limit(clone, timeout=0.5 if fault.name.startswith("stall") else 60)

    run = attempt(clone, capsys, NAME)

    assert_failed(clone, run, world, f"error: {NAME}: drive.google.com: ", words)


def test_a_transfer_that_is_always_interrupted_fails(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Gdown's own message would show the URL."""
    transfers.limit(clone, retries=1)
    world.fault(FILE, Fault.reset())

    run = attempt(clone, capsys, NAME)

    assert_failed(clone, run, world, "drive.google.com: ")


Refuse = Callable[..., list[object]]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Iterator[Refuse]:
    """Let so many connections be refused; return a list that grows with all of them."""
    connect, opened, left = connection.create_connection, list[object](), [0]

    def create(address: tuple[str, int], *words: Any, **more: Any) -> socket.socket:  # noqa: ANN401 - as in urllib3
        opened.append(address)
        left[0] -= 1
        return connect(closed.getsockname() if left[0] >= 0 else address, *words, **more)

    def waited(**_: object) -> None:
        raise AssertionError("gdown waits for up to a minute")

    monkeypatch.setattr(connection, "create_connection", create)

    def refuse(times: int, *, proxied: bool = True) -> list[object]:
        left[0] = times
        for name in () if proxied else ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.delenv(name)
        return opened

    monkeypatch.setitem(vars(sys.modules["gdown.download"]), "_wait_or_cancel", waited)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        yield refuse


@pytest.mark.parametrize("proxied", [False, True])
def test_without_a_network_the_next_source_is_tried_soon(
    clone: TestClone, world: World, capsys: Capture, refused: Refuse, *, proxied: bool
) -> None:
    """After three tries, as with any publisher, however many retries are allowed."""
    transfers.limit(clone, retries=6)
    opened = refused(100, proxied=proxied)

    run = attempt(clone, capsys, NAME)

    what = f"no connection{' through the proxy' * proxied}: Connection refused"
    assert_failed(clone, run, world, f"drive.google.com: {what} (given up after 3 tries)")
    assert len(opened) == 3


def test_a_connection_that_is_refused_twice_is_tried_again(
    clone: TestClone, capsys: Capture, refused: Refuse
) -> None:
    """As on a network that comes and goes."""
    transfers.limit(clone, retries=6)
    opened = refused(2)

    assert attempt(clone, capsys, NAME).code == 0

    assert_placed(clone, BIG, PATH)
    assert len(opened) > 3


def test_a_drip_is_given_up(clone: TestClone, world: World, capsys: Capture) -> None:
    """The least rate counts for what gdown reads, too: a chunk of 512 KiB at a time."""
    transfers.limit(clone, least_rate=1_000_000, window=1, timeout=1)
    world.fault(FILE, Fault.slow(20))

    run = attempt(clone, capsys, NAME)

    assert_failed(clone, run, world, "drive.google.com: sent less than 524,288 bytes in 1 s")
