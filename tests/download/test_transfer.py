"""What an earlier run left: what is gone on with, what is asked for again, what is not trusted."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

BIG = noise(6 * MIB + 4321)  # seven blocks, the last one short
WIDE = noise(40 * MIB)  # twenty blocks of two MiB
FETCH = (sys.executable, "-m", "scripts.fetch", NAME)


@pytest.fixture(autouse=True)
def _pinned(clone: TestClone, world: World) -> None:
    """Pin one file of several blocks."""
    world.publish(URL, BIG)
    transfers.pin(clone, BIG)
    transfers.limit(clone, retries=2, timeout=5, connections=2)


@pytest.fixture
def begun(clone: TestClone, world: World, capsys: Capture) -> Path:
    """Return a partial file of which some blocks have arrived, as a failed run leaves it."""
    world.fault(URL, *[Fault.none()] * 4, Fault.status(404))
    assert attempt(clone, capsys).code == 1
    world.clear()
    part = part_of(clone, BIG)
    assert 2 * MIB <= partial.kept(part) < len(BIG)
    return part


def start(clone: TestClone) -> subprocess.Popen[str]:
    """Start the command as a user does."""
    return subprocess.Popen(  # noqa: S603 - the words are the test's own
        FETCH, cwd=clone.root, env=dict(clone.env), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(world: World, served: int) -> None:
    """Wait until the world has served so many bytes."""
    until = time.monotonic() + 30
    while world.served() < served:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("moment", [0.2, 0.6, 0.95])
def test_after_kill_9_only_unfinished_blocks_are_fetched_again(
    clone: TestClone, world: World, capsys: Capture, moment: float
) -> None:
    """The second run asks for what is missing, and at most one block per connection again."""
    world.publish(URL, WIDE)
    transfers.pin(clone, WIDE)
    world.fault(URL, Fault.slow(20 * MIB))
    with start(clone) as process:
        wait_for(world, int(moment * len(WIDE)))
        process.kill()
    kept = partial.kept(part_of(clone, WIDE))
    world.clear()

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, WIDE)
    assert kept >= moment * len(WIDE) - 3 * 2 * MIB
    assert world.served() <= len(WIDE) - kept + MIB


def test_a_rerun_fetches_the_missing_blocks_alone(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """What the journal vouches for is not asked for again, and the first question is not wasted."""
    kept = partial.kept(begun)

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG) - kept
    assert {request.headers["if-range"] for request in world.requests} != {None}


def test_a_partial_file_that_is_complete_is_only_verified(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """Killed between the last byte and the rename, a run leaves nothing to fetch."""
    begun.write_bytes(BIG)
    with partial.journal_of(begun).open("a") as journal:
        journal.write("".join(f"{n:08d}\n" for n in range(25)))

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() <= MIB


# What a journal may have become -> how many bytes of it may still be believed.
SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "garbage": lambda _: b"\xff\x00garbage\n1\n2\n",
    "no object": lambda _: b"[]\n00000000\n",
    "a number": lambda _: b"7\n00000000\n",
    "deep": lambda _: b"[" * 100_000,
    "header cut": lambda text: text[:40],
    "other pin": lambda text: text.replace(b'pin": "', b'pin": "0'),
    "other source of another pin": lambda text: text.replace(
        HOST.encode(), b"mirror.test"
    ).replace(b'pin": "', b'pin": "0'),
    "other version": lambda text: text.replace(b'validator": "', b'validator": "x'),
    "header of no header": lambda text: text.replace(b'validator": "', b'validator": "\\n\\u1234'),
    "other size": lambda text: text.replace(b'size": 6', b'size": 5'),
    "size of no kind": lambda text: text.replace(b'size": 6', b'size": "6').replace(
        b'77, "', b'77", "'
    ),
    "older boot": lambda text: text.replace(b'boot": "', b'boot": "1'),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
def test_a_journal_that_does_not_vouch_for_this_file_costs_a_new_start(
    clone: TestClone, world: World, capsys: Capture, begun: Path, how: str
) -> None:
    """No message, no wrong byte: the file is downloaded from its first byte."""
    journal = partial.journal_of(begun)
    journal.write_bytes(SPOILT[how](journal.read_bytes()))

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert len(BIG) <= world.served() <= len(BIG) + 6 * MIB  # a whole answer, broken off


def test_what_one_source_began_another_goes_on_with(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """The pin decides in the end, so no byte of a host that died is asked for again."""
    kept = partial.kept(begun)
    journal = partial.journal_of(begun)
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
def test_an_answer_without_ranges_leaves_what_was_begun(
    clone: TestClone, world: World, capsys: Capture, begun: Path, fault: Fault
) -> None:
    """A portal on the way, or a server that lost its ranges: the next run goes on."""
    kept = partial.kept(begun)
    transfers.limit(clone, retries=1)
    world.fault(URL, fault)

    assert attempt(clone, capsys).code == 1

    assert partial.kept(begun) == kept
    world.clear()
    assert attempt(clone, capsys).code == 0
    assert world.served() == len(BIG) - kept


def test_two_sources_that_do_not_fit_together_cost_a_new_start(
    clone: TestClone, capsys: Capture, begun: Path
) -> None:
    """Bytes of a source that lied are found out by the pin, and downloaded from the other."""
    journal = partial.journal_of(begun)
    journal.write_text(journal.read_text().replace(HOST, "mirror.test"))
    with begun.open("r+b") as file:
        file.write(b"a lie")

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)


def test_a_journal_of_an_older_boot_counts_as_far_as_it_was_synced(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """A power cut may lose what was not yet on the disk; what was is gone on with."""
    journal = partial.journal_of(begun)
    header, *lines = journal.read_text().splitlines()
    other = json.dumps(json.loads(header) | {"boot": "another"})
    text = "\n".join([other, *lines[:8], "synced 00000008", *lines[8:], ""])
    journal.write_text(text)

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert len(BIG) - 2 * MIB <= world.served() <= len(BIG) - MIB


@pytest.mark.parametrize("torn", ["0000000", "00000005\n0000", "synced 0000000", "99999999\n"])
def test_a_torn_line_of_the_journal_is_not_believed(
    clone: TestClone, world: World, capsys: Capture, begun: Path, torn: str
) -> None:
    """Alone or with what was written after it, half a line names no cell."""
    journal = partial.journal_of(begun)
    header = journal.read_text().splitlines()[0]
    journal.write_text(f"{header}\n00000000\n{torn.replace('00000005', '00000000')}")

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG) - MIB // 4


@pytest.mark.parametrize("size", [0, 3 * MIB, len(BIG) + 1])
def test_a_partial_file_cut_behind_our_back_is_begun_anew(
    clone: TestClone, world: World, capsys: Capture, begun: Path, size: int
) -> None:
    """A file that is not as long as its journal says holds nothing to be trusted."""
    with begun.open("r+b") as file:
        file.truncate(size)

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG)


def test_a_lost_partial_file_is_begun_anew(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """A journal without its file is worth nothing."""
    begun.unlink()

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == len(BIG)


def test_resumed_bytes_that_are_wrong_are_fetched_once_more(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """A disk that lied is no reason to fail: the second pass starts from the first byte."""
    kept = partial.kept(begun)
    with begun.open("r+b") as file:
        file.write(b"wrong")

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)
    assert world.served() == 2 * len(BIG) - kept


def test_resumed_bytes_of_a_publisher_that_has_others_are_reported(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """Once more, not for ever."""
    kept = partial.kept(begun)
    world.fault(URL, Fault.corrupt(len(BIG) - 1))

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "do not match the pin")
    assert world.served() == 2 * len(BIG) - kept
    assert not begun.exists()


def test_another_version_at_the_publisher_is_not_spliced(
    clone: TestClone, world: World, capsys: Capture, begun: Path
) -> None:
    """If-Range brings the new version whole, and what was kept of the old one is dropped."""
    assert begun.exists()
    newer = noise(len(BIG), 3)
    world.publish(URL, newer)
    transfers.pin(clone, newer)
    shutil.move(begun, part_of(clone, newer))
    shutil.move(partial.journal_of(begun), partial.journal_of(part_of(clone, newer)))

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, newer)


def test_without_a_pin_the_file_is_trusted_on_first_use_and_resumed_by_its_etag(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The hashes are said aloud; the ETag alone keeps two versions apart."""
    transfers.unpin(clone)
    world.fault(URL, *[Fault.none()] * 4, Fault.status(404))
    assert attempt(clone, capsys).code == 1
    kept = partial.kept(clone.root / f".dvc/tmp/fetch/{NAME}.part")
    world.clear()

    run = attempt(clone, capsys)

    assert run.code == 0
    assert f"md5 {transfers.md5(BIG)}  sha256 " in run.out
    assert clone.tree() == {PATH: BIG}
    late = 600_000  # of the first run, whose connections end while the second begins
    assert len(BIG) - kept <= world.served() <= len(BIG) - kept + late


def test_without_a_pin_and_without_a_validator_one_stream_brings_it(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Nothing would notice two versions spliced: no ranges, no resume."""
    transfers.unpin(clone)
    world.fault(URL, Fault.without("ETag", "Last-Modified"))

    run = attempt(clone, capsys)

    assert run.code == 0
    assert clone.tree() == {PATH: BIG}
    assert [request.range for request in world.requests] == [(0, MIB - 1), None]


def test_a_pin_without_a_size_allows_any_size(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Seventeen pins ship without one: the hash alone decides, and both sizes are not aligned."""
    world.publish(URL, BIG[1:])
    transfers.pin(clone, BIG, size=False)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "size not pinned", f"{len(BIG) - 1:,} bytes")


def test_an_empty_file_is_a_file(clone: TestClone, world: World, capsys: Capture) -> None:
    """No range of it can be satisfied; it arrives all the same."""
    world.publish(URL, b"")
    transfers.pin(clone, b"")

    assert attempt(clone, capsys).code == 0

    assert clone.tree() == {PATH: b""}


@pytest.mark.parametrize(
    "faults",
    [[Fault.none()] * 3 + [Fault.delay(60)], [Fault.stall(300_000)], [Fault.delay(60)]],
    ids=["heads", "bodies", "first"],
)
def test_ctrl_c_ends_a_stalled_transfer_at_once(
    clone: TestClone, world: World, faults: list[Fault]
) -> None:
    """Exit code 130, one message, no thread that holds the process for the timeout."""
    transfers.limit(clone, timeout=600, connections=4)
    world.fault(URL, *faults)
    with start(clone) as process:
        until = time.monotonic() + 30
        while len(world.requests) < len(faults) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.3)  # until all connections wait
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=5)

    assert (process.returncode, out) == (130, "")
    assert err.startswith("error: stopped\n")
    assert "Traceback" not in err
    assert part_of(clone, BIG).exists() == (len(faults) > 1 or faults[0].name.startswith("stall"))
    assert clone.tree() == clone.objects() == {}


def test_two_processes_share_one_download(clone: TestClone, world: World) -> None:
    """The second one waits, then finds the file in place."""
    transfers.limit(clone, connections=4)
    world.fault(URL, Fault.slow(4 * MIB))
    with start(clone) as first, start(clone) as second:
        said = [first.communicate(timeout=60), second.communicate(timeout=60)]

    assert (first.returncode, second.returncode) == (0, 0)
    assert_placed(clone, BIG)
    assert world.served() == len(BIG)
    assert sorted("downloaded from" in out for out, _ in said) == [False, True]
    assert sorted(err.endswith("waiting\n") for _, err in said) == [False, True]
