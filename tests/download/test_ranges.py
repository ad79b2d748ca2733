"""Several connections for one file: the division of the blocks, and the common end."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from scripts.catalogue.params import Network
from tests.download import transfers
from tests.download.transfers import MIB, URL, assert_failed, assert_placed, attempt, noise, part_of
from tests.world import Fault

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

BIG = noise(12 * MIB + 4321)  # thirteen blocks of one MiB


@pytest.fixture(autouse=True)
def _pinned(clone: TestClone, world: World) -> None:
    """Pin a file of many blocks."""
    world.publish(URL, BIG)
    transfers.pin(clone, BIG)
    transfers.limit(clone, retries=2, timeout=60)


@pytest.mark.parametrize("connections", [1, 8])
def test_each_block_is_requested_once(
    clone: TestClone, world: World, capsys: Capture, connections: int
) -> None:
    """Together the ranges are the file, and no more connections are open than allowed."""
    transfers.limit(clone, connections=connections)

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    ranges = sorted(request.range for request in world.requests if request.range)
    assert [first for first, _ in ranges] == list(range(0, len(BIG), MIB))
    assert world.served() == len(BIG)
    assert len({request.connection for request in world.requests}) <= connections


def test_a_slow_line_is_not_divided_among_connections(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Each would get too little to fill a TLS record before the timeout."""
    transfers.limit(clone, connections=8)
    world.fault(URL, Fault.slow(1500) | Fault.cut(1000), Fault.status(404))

    assert attempt(clone, capsys).code == 1

    assert len(world.requests) == 2


def test_two_hashes_are_computed_in_the_same_pass(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A pinned sha256 is checked beside the md5."""
    params = clone.root / "params.yaml"
    digest = hashlib.sha256(BIG).hexdigest()
    line = f"path: {transfers.PATH}\n"
    params.write_text(params.read_text().replace(line, f'{line}    sha256: "{digest}"\n', 1))

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG)


def test_a_publisher_that_rejects_connections_gets_few_requests(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Some responses are 503 while others send bytes: the download succeeds."""
    transfers.limit(clone, backoff=0.05, connections=4)
    world.fault(URL, Fault.none(), *[Fault.slow(20 * MIB), Fault.status(503)] * 60)

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert len(world.requests) < 50


@pytest.mark.parametrize(
    ("fault", "words"),
    [(Fault.status(404), "404"), (Fault.html(), "a web page")],
)
def test_a_final_error_of_one_connection_stops_the_others(
    clone: TestClone, world: World, capsys: Capture, fault: Fault, words: str
) -> None:
    """Its error is shown, without a wait for stalled connections."""
    transfers.limit(clone, timeout=600, connections=4)
    world.fault(URL, Fault.none(), Fault.stall(1000), Fault.delay(60), Fault.none(), fault)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, words)
    assert "given up" not in run.err


def test_a_disk_error_of_one_worker_stops_all_and_is_shown(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write is no network error, and is not retried."""
    write = os.pwrite

    def failing(fd: int, data: memoryview, offset: int) -> int:
        if threading.current_thread() is not threading.main_thread():
            raise OSError(5, "Input/output error")
        return write(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", failing)
    world.fault(URL, Fault.none(), Fault.slow(MIB))

    run = attempt(clone, capsys)

    assert run.code == 1
    assert "input/output error" in run.err
    assert clone.tree() == clone.objects() == {}
    assert len(world.requests) <= 1 + Network().connections
    assert part_of(clone, BIG).exists()


def test_a_disk_error_of_the_hash_is_shown(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For ranges and streams: bytes that cannot be read back are not verified."""

    def failing(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", failing)
    for fault in (Fault.none(), Fault.no_ranges()):
        world.clear()
        world.fault(URL, fault)
        run = attempt(clone, capsys)
        assert (run.code, "input/output error" in run.err) == (1, True)
        assert clone.tree() == clone.objects() == {}
