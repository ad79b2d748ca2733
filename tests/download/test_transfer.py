"""What an earlier run left: what is resumed, what is downloaded again, what is not trusted."""

from __future__ import annotations

import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from scripts.download import partial
from tests.download import transfers
from tests.download.transfers import (
    HOST,
    MIB,
    NAME,
    PATH,
    URL,
    assert_failed,
    assert_placed,
    attempt,
    noise,
    part_of,
)
from tests.world import Fault
from tests.world.processes import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import Request, World
    from tests.world.clones import TestClone
    from tests.world.reply import Reply

    Capture = pytest.CaptureFixture[str]

BIG = noise(6 * MIB + 4321)  # seven blocks, the last one short
WIDE = noise(32 * MIB)  # sixteen blocks of two MiB
FETCH = (sys.executable, "-m", "scripts.fetch", NAME)


@pytest.fixture(autouse=True)
def _pinned(clone: TestClone, world: World) -> None:
    """Pin a file of several blocks."""
    world.publish(URL, BIG)
    transfers.pin(clone, BIG)
    transfers.limit(clone, retries=2, timeout=60, connections=2)


@pytest.fixture
def unfinished(clone: TestClone, world: World, capsys: Capture) -> Path:
    """Return the partial file of a failed run, with some of its blocks."""
    world.fault(URL, *[Fault.none()] * 4, Fault.status(404))
    assert attempt(clone, capsys).code == 1
    world.clear()
    part = part_of(clone, BIG)
    assert 2 * MIB <= partial.kept(part) < len(BIG)
    return part


def start(clone: TestClone) -> subprocess.Popen[str]:
    """Start the command as users do."""
    return subprocess.Popen(  # noqa: S603 - the words are the test's own
        FETCH, cwd=clone.root, env=dict(clone.env), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(world: World, served: int) -> None:
    """Wait until the publishers have served so many bytes."""
    until(lambda: world.served() >= served)


def test_after_kill_9_only_unfinished_blocks_are_downloaded_again(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The second run requests what is missing; `make torture` kills at random moments."""
    world.publish(URL, WIDE)
    transfers.pin(clone, WIDE)
    world.fault(URL, Fault.slow(20 * MIB))
    with start(clone) as process:
        wait_for(world, len(WIDE) // 2)
        process.kill()
    kept = partial.kept(part_of(clone, WIDE))
    world.clear()

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, WIDE)
    assert kept >= len(WIDE) // 2 - 3 * 2 * MIB
    assert world.served() <= len(WIDE) - kept + MIB


def test_a_rerun_downloads_only_the_missing_blocks(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """No block in the journal is requested again, and the first response is used."""
    kept = partial.kept(unfinished)

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG) - kept
    assert not any("if-range" in request.headers for request in world.requests)


def test_a_partial_file_that_is_complete_is_only_verified(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """A run killed between the last byte and the rename leaves nothing to download."""
    unfinished.write_bytes(BIG)
    with partial.journal_of(unfinished).open("a") as journal:
        journal.write("".join(f"{n:08d}\n" for n in range(25)))

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() <= MIB


def test_another_source_resumes_a_partial_file(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """The pin verifies the whole, so no byte of a host that is down is requested again."""
    kept = partial.kept(unfinished)
    journal = partial.journal_of(unfinished)
    journal.write_text(journal.read_text().replace(HOST, "mirror.test"))

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG) - kept


@pytest.mark.parametrize(
    "fault",
    [
        Fault.no_ranges() | Fault.body(bytes(1000)),
        Fault.no_ranges() | Fault.cut(1000),
    ],
    ids=["another size", "cut short"],
)
def test_a_response_without_ranges_leaves_the_partial_file(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path, fault: Fault
) -> None:
    """A captive portal, or a server that no longer supports ranges: the next run resumes."""
    kept = partial.kept(unfinished)
    transfers.limit(clone, retries=1)
    world.fault(URL, fault)

    assert attempt(clone, capsys).code == 1

    assert partial.kept(unfinished) == kept
    world.clear()
    assert attempt(clone, capsys).code == 0
    assert world.served() == len(BIG) - kept


def test_wrong_bytes_of_another_source_are_downloaded_again(
    clone: TestClone, capsys: Capture, unfinished: Path
) -> None:
    """The pin detects them, and the other source replaces them."""
    journal = partial.journal_of(unfinished)
    journal.write_text(journal.read_text().replace(HOST, "mirror.test"))
    with unfinished.open("r+b") as file:
        file.write(b"wrong")

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)


def test_a_truncated_partial_file_is_downloaded_again(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """If its size is not that in the journal, nothing in it is trusted."""
    with unfinished.open("r+b") as file:
        file.truncate(3 * MIB)

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG)


def test_wrong_resumed_bytes_are_downloaded_again(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """A disk error is corrected: the second pass starts from the first byte."""
    kept = partial.kept(unfinished)
    with unfinished.open("r+b") as file:
        file.write(b"wrong")

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == 2 * len(BIG) - kept


def test_a_resumed_download_that_stays_wrong_is_an_error(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """It is repeated only once."""
    kept = partial.kept(unfinished)
    world.fault(URL, Fault.corrupt(len(BIG) - 1))

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "do not match the pin")
    assert world.served() == 2 * len(BIG) - kept
    assert not unfinished.exists()


def test_what_was_begun_under_another_etag_is_kept(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """The servers of a CDN need not agree on one: the pin decides."""
    kept = partial.kept(unfinished)
    world.fault(URL, Fault.etag())

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG) - kept


def test_a_mix_of_two_versions_is_downloaded_again_as_one(
    clone: TestClone, world: World, capsys: Capture, unfinished: Path
) -> None:
    """The pin detects the bytes of the old version; the second pass is bound to the new one."""
    newer, kept = noise(len(BIG), 3), partial.kept(unfinished)
    journal, part = partial.journal_of(unfinished), part_of(clone, newer)
    world.publish(URL, newer)
    transfers.pin(clone, newer)
    shutil.move(unfinished, part)
    text = journal.read_text().replace(transfers.md5(BIG), transfers.md5(newer))
    partial.journal_of(part).write_text(text)
    journal.unlink()

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, newer)
    assert world.served() == 2 * len(BIG) - kept
    assert "if-range" in world.requests[-1].headers


OTHER = Fault.etag('"other"') | Fault.corrupt(MIB + 5)  # a server with another version


@pytest.mark.parametrize(
    ("later", "bound"),
    [(Fault.none(), True), (Fault.etag(), False), (Fault.without("ETag", "Last-Modified"), False)],
    ids=["one version", "one response", "no validator"],
)
def test_wrong_bytes_of_one_server_are_downloaded_again_as_one_version(
    clone: TestClone, world: World, capsys: Capture, later: Fault, *, bound: bool
) -> None:
    """If no validator holds, a single response is one version."""
    transfers.limit(clone, connections=1)
    world.fault(URL, Fault.none(), OTHER, *[Fault.none()] * 5, later)

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    last = world.requests[-1]
    assert ("if-range" in last.headers, last.range is not None) == (bound, bound)


def test_without_validators_wrong_bytes_are_downloaded_again_in_one_response(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Ranges that nothing identifies may be of several versions."""
    transfers.limit(clone, connections=1)
    anonymous = Fault.without("ETag", "Last-Modified")
    world.fault(URL, anonymous, anonymous | Fault.corrupt(MIB + 5), anonymous)

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert [request.range for request in world.requests[-2:]] == [(0, MIB - 1), None]


def test_a_server_with_another_size_is_refused_and_the_partial_file_is_kept(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """It cannot be the pinned file: the next source, or the next run, resumes."""
    transfers.limit(clone, connections=1)
    world.fault(URL, Fault.none(), Fault.none(), Fault.body(BIG + b"more"))

    run = attempt(clone, capsys)

    assert_failed(
        clone, run, world, "serves a file of a different size", "2,097,152 bytes are kept"
    )
    world.clear()
    assert attempt(clone, capsys).code == 0
    assert world.served() == len(BIG) - 2 * MIB


def test_a_pass_bound_to_one_version_is_resumed(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Its bytes are kept like any other's if the publisher fails."""
    transfers.limit(clone, connections=1)
    world.fault(URL, Fault.none(), OTHER, *[Fault.none()] * 8, Fault.status(404))
    assert attempt(clone, capsys).code == 1
    kept = partial.kept(part_of(clone, BIG))
    assert kept == 3 * MIB
    world.clear()

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG) - kept


def test_without_a_pin_the_file_is_trusted_on_first_use_and_resumed_by_its_etag(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The hashes are shown; only the ETag distinguishes two versions."""
    transfers.unpin(clone)
    world.fault(URL, *[Fault.none()] * 4, Fault.status(404))
    assert attempt(clone, capsys).code == 1
    kept = partial.kept(clone.root / f".dvc/tmp/fetch/{NAME}.part")
    world.clear()

    run = attempt(clone, capsys)

    assert run.code == 0
    assert f"md5 {transfers.md5(BIG)}  sha256 " in run.out
    assert clone.tree() == {PATH: BIG}
    late = 600_000  # of the first run, whose connections end while the second starts
    assert len(BIG) - kept <= world.served() <= len(BIG) - kept + late


def test_without_a_pin_and_without_a_validator_one_stream_is_used(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A mix of two versions would not be detected: no ranges, no resume."""
    transfers.unpin(clone)
    world.fault(URL, Fault.without("ETag", "Last-Modified"))

    run = attempt(clone, capsys)

    assert run.code == 0
    assert clone.tree() == {PATH: BIG}
    assert [request.range for request in world.requests] == [(0, MIB - 1), None]


def test_a_pin_without_a_size_allows_any_size(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Only the hash is compared, and the error says that no size is pinned."""
    world.publish(URL, BIG[1:])
    transfers.pin(clone, BIG, size=False)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "size not pinned", f"{len(BIG) - 1:,} bytes")


def test_an_empty_file_is_a_file(clone: TestClone, world: World, capsys: Capture) -> None:
    """No range of it can be satisfied."""
    world.publish(URL, b"")
    transfers.pin(clone, b"")

    assert attempt(clone, capsys).code == 0

    assert clone.tree() == {PATH: b""}


@pytest.mark.parametrize(
    "faults",
    [[Fault.none()] * 3 + [Fault.delay(600)], [Fault.stall(300_000)], [Fault.delay(600)]],
    ids=["headers", "bodies", "first"],
)
def test_ctrl_c_ends_a_stalled_transfer_at_once(
    clone: TestClone, world: World, faults: list[Fault]
) -> None:
    """Exit code 130, one message, and no thread that delays the exit until the timeout."""
    transfers.limit(clone, timeout=600, connections=4)
    world.fault(URL, *faults)
    part, begun = part_of(clone, BIG), len(faults) > 1 or faults[0].name.startswith("stall")
    with start(clone) as process:
        until(lambda: len(world.requests) >= len(faults) and part.exists() == begun)
        time.sleep(0.3)  # until all connections wait
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)

    assert (process.returncode, out) == (130, "")
    assert err.startswith("error: stopped; partial downloads are kept: ")
    assert err.count("\n") == 1
    assert part.exists() == begun
    assert clone.tree() == clone.objects() == {}


def test_two_processes_share_one_download(clone: TestClone, world: World) -> None:
    """The second one waits, then reuses the file."""
    transfers.limit(clone, connections=4)
    waiting = threading.Event()

    def hold(_: Request, reply: Reply) -> Reply:
        assert waiting.wait(PATIENCE)
        return reply

    world.fault(URL, Fault("hold", hold))
    with start(clone) as first, start(clone) as second:
        said = [process.stderr for process in (first, second) if process.stderr]
        assert select.select(said, [], [], PATIENCE)[0]
        waiting.set()
        outputs = [first.communicate(timeout=PATIENCE), second.communicate(timeout=PATIENCE)]

    assert (first.returncode, second.returncode) == (0, 0)
    assert_placed(clone, BIG)
    assert world.served() == len(BIG)
    assert sorted("downloaded from" in out for out, _ in outputs) == [False, True]
    assert sorted(err.endswith("waiting\n") for _, err in outputs) == [False, True]
