"""scripts.checkout.parallel: many entries at once, and one message for those that failed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.catalogue import sources
from scripts.catalogue.selection import select
from scripts.catalogue.urls import host_of
from scripts.checkout import parallel
from scripts.checkout.candidates import Candidate
from scripts.checkout.clone import Clone
from tests.conftest import SCALE
from tests.console.screens import terminal
from tests.world import Fault
from tests.world.checkpoints import files
from tests.world.processes import PATIENCE, started, until

if TYPE_CHECKING:
    from scripts.download.request import Request, TransferLimits
    from scripts.files.digests import Digest
    from tests.console.screens import Screen
    from tests.world import Request as Received
    from tests.world import World
    from tests.world.clones import TestClone
    from tests.world.reply import Reply

    Capture = pytest.CaptureFixture[str]


def test_one_archive_at_a_time_is_on_the_disk(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be no room for a second one beside its members; other files are downloaded."""
    real = Candidate.download
    running: list[str] = []
    most = [0]
    together = threading.Barrier(2)

    def slow(candidate: Candidate, request: Request, limits: TransferLimits) -> Digest:
        running.append(request.name)
        most.append(len(running))
        if request.name.startswith("sam_"):
            together.wait(PATIENCE)
        else:
            time.sleep(0.2)  # in which a second one would begin
        try:
            return real(candidate, request, limits)
        finally:
            running.remove(request.name)

    monkeypatch.setattr(Candidate, "download", slow)

    assert fetch.main(["pips", "pips_plus_plus", "raft"]) == 0

    assert max(most) == 1
    assert fetch.main(["sam_vit_b", "sam_vit_l"]) == 0
    assert (max(most), len(clone.tree())) == (2, 9)


def test_hosts_alternate(clone: TestClone) -> None:
    """No host is used twice before each of them is used once."""
    here = Clone.at(clone.root)
    entries = select(here.catalogue, ["complete"]).entries

    mixed = parallel._interleaved(here, entries)  # noqa: SLF001

    hosts = [host_of(sources.read(here.root / "sources", entry.name).url) for entry in mixed]
    assert {entry.name for entry in mixed} == {entry.name for entry in entries}
    assert len(set(hosts[: len(set(hosts))])) == len(set(hosts)) > 1


def test_failures_are_one_message_after_the_others_are_fetched(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Each is shown with its reason; what to do comes once, at the end."""
    world.fault("*sam_vit_b*", Fault.status(404))
    world.fault("*sam_vit_l*", Fault.corrupt())

    code = fetch.main(["sam_vit_b", "sam_vit_l", "sam_hq_vit_h"])

    said = capsys.readouterr().err
    assert code == 1
    assert list(clone.tree()) == ["models/samhq_ckpts/sam_hq_vit_h.pth"]
    assert said.startswith("error: 2 of 3 not downloaded\n")
    assert "sam_vit_b: dl.fbaipublicfiles.com: 404" in said
    assert "sam_vit_l: bytes from dl.fbaipublicfiles.com do not match the pin" in said
    assert said.endswith("`./checkpoints list` shows: it is checked and kept.\n")
    assert (said.count("Next: "), said.count("as they were")) == (1, 0)


def test_a_bug_is_not_hidden(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception of a thread is raised in the main thread."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(parallel, "obtain", broken)
    here = Clone.at(clone.root)

    with pytest.raises(ZeroDivisionError):
        parallel.fetch_all(here, here.catalogue.find(["sam_vit_b", "sam_vit_l"]))


def test_ctrl_c_ends_it_at_once(clone: TestClone, world: World) -> None:
    """It waits for no thread; downloads are kept, and the next run completes them."""
    world.fault("*", Fault.stall(0))
    with started(clone, sys.executable, "-m", "scripts.fetch", "complete") as process:
        until(lambda: len(world.requests) >= 4)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130
    assert said == f"error: {parallel._STOPPED}\n"  # noqa: SLF001
    world.clear()
    assert fetch.main(["minimal"]) == 0
    assert len(clone.tree()) == 2


@pytest.mark.parametrize(
    ("names", "shown"), [(["sam_vit_b"], "sam_vit_b"), (["sam_vit_b", "pips"], "0/2")]
)
def test_what_is_drawn_on_a_terminal_goes_without_a_trace(
    clone: TestClone, world: World, names: list[str], shown: str
) -> None:
    """One entry goes by its name; of several, the files are counted."""
    seen = threading.Event()

    def hold(_: Received, reply: Reply) -> Reply:
        assert seen.wait(PATIENCE)
        return reply

    world.fault("*", Fault("hold", hold))
    with terminal() as screen, on(screen, clone, "-m", "scripts.fetch", *names) as process:
        until(lambda: shown in screen.read())
        seen.set()
        assert process.wait() == 0
        assert screen.read() == ""

    assert len(clone.tree()) == len(names)
    assert clone.tree().items() <= files(SCALE).items()


def test_a_narrower_terminal_and_ctrl_c_leave_no_bar(clone: TestClone, world: World) -> None:
    """The lines fit again after a resize; the error is all that stays."""
    world.fault("*", Fault.stall(1))
    words = "-m", "scripts.fetch", "sam_vit_b", "tapnet_checkpoint_wo_optstate"
    with terminal(80) as screen, on(screen, clone, *words) as process:
        until(lambda: "0/2" in screen.read())
        screen.resize(40)
        process.send_signal(signal.SIGWINCH)
        until(lambda: all(len(line) < 40 for line in screen.read().splitlines()))
        assert screen.read().count("0/2") == 1
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert screen.read() == f"error: {parallel._STOPPED}\n"  # noqa: SLF001


def on(screen: Screen, clone: TestClone, *words: str) -> subprocess.Popen[bytes]:
    """Run Python with a terminal as its stderr."""
    return subprocess.Popen(  # noqa: S603 - the words are the test's own
        [sys.executable, *words],
        cwd=clone.root,
        env={**clone.env, "TERM": "xterm", "NO_COLOR": ""},
        stdout=subprocess.DEVNULL,
        stderr=screen.stream,
    )
