"""scripts.checkout.parallel: many entries at once, and one message for those that failed."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
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
from tests.world import Fault
from tests.world.checkpoints import files
from tests.world.processes import started, until

if TYPE_CHECKING:
    from scripts.download.request import Request, TransferLimits
    from scripts.files.digests import Digest
    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]


def test_one_archive_at_a_time_is_on_the_disk(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be no room for a second one beside its members; other files are downloaded."""
    real = Candidate.download
    running: list[str] = []
    most = [0]

    def slow(candidate: Candidate, request: Request, limits: TransferLimits) -> Digest:
        running.append(request.name)
        most.append(len(running))
        time.sleep(0.2)
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
    """Each failure is shown with its details."""
    world.fault("*sam_vit_b*", Fault.status(404))
    world.fault("*sam_vit_l*", Fault.corrupt())

    code = fetch.main(["sam_vit_b", "sam_vit_l", "sam_hq_vit_h"])

    said = capsys.readouterr().err
    assert code == 1
    assert list(clone.tree()) == ["models/samhq_ckpts/sam_hq_vit_h.pth"]
    assert said.startswith("error: 2 of 3 not downloaded\n")
    assert "sam_vit_b: dl.fbaipublicfiles.com: 404" in said
    assert "sam_vit_l: bytes from dl.fbaipublicfiles.com do not match the pin" in said


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
        _, said = process.communicate(timeout=20)

    assert process.returncode == 130
    assert said.startswith("error: stopped\n")
    assert "Traceback" not in said
    world.clear()
    assert fetch.main(["minimal"]) == 0
    assert len(clone.tree()) == 2


@pytest.mark.parametrize(
    ("names", "bars"),
    [(["sam_vit_b"], {"sam_vit_b"}), (["sam_vit_b", "pips"], {"all", "sam_vit_b", "pips"})],
)
def test_several_entries_share_a_total(clone: TestClone, names: list[str], bars: set[str]) -> None:
    """On a terminal one entry has a bar of its own; several also have one for all of them."""
    drawn = on_a_terminal(clone, "-m", "scripts.fetch", *names)

    assert {name for name in ("all", "sam_vit_b", "pips") if f"{name}: " in drawn} == bars
    assert len(clone.tree()) == len(names)
    assert clone.tree().items() <= files(SCALE).items()


def on_a_terminal(clone: TestClone, *words: str) -> str:
    """Run Python with stderr as a terminal; return what it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))  # rows, columns
    drawn = b""
    with subprocess.Popen(  # noqa: S603 - the words are the test's own
        [sys.executable, *words],
        cwd=clone.root,
        env=dict(clone.env),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        with suppress(OSError):  # Linux reports the end as an input/output error
            while data := os.read(ours, 1 << 16):
                drawn += data
    os.close(ours)
    assert process.returncode == 0, drawn
    return drawn.decode()
