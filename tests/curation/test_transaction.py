"""scripts.curation.transaction: what a user is told, whatever happens to a change."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import TYPE_CHECKING, TextIO

import pytest

from scripts import import_url, remove, seal
from scripts.checkout import journal
from scripts.console import progress
from scripts.console.errors import DiskError
from scripts.curation import git
from tests.curation.changing import files, folders, run
from tests.download.transfers import noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

URL, PATH = "https://weights.example/New.pth", "models/new/deep/New.pth"
MADE = "error: stopped after the change was complete\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_too_late_is_said(
    number: int, clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is shown with the lines to undo it; nobody is told to run it again."""
    done = journal.Journal.done

    def late(kept: journal.Journal, *words: object) -> None:
        os.kill(os.getpid(), number)
        done(kept, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(journal.Journal, "done", late)
    ran = run(remove.main, capsys, "raft")

    assert ran.code == 128 + number
    assert ran.out.startswith("diff --git ")
    assert "to undo it:  git checkout" in ran.err
    assert MADE in ran.err
    assert "run" not in ran.err.partition(MADE)[2]
    assert not (clone.root / journal.JOURNAL).exists()
    assert run(seal.main, capsys).err == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_end_of_a_job_restores_everything(
    number: int, clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ctrl-C does."""
    world.publish(URL, noise(9_000))
    before, write = (files(clone), folders(clone)), journal.Journal.write

    def stopped(kept: journal.Journal, *words: object) -> None:
        write(kept, *words)  # type: ignore[arg-type]
        if "dvc.lock" in kept.before:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(journal.Journal, "write", stopped)
    ran = run(import_url.main, capsys, URL, PATH)

    assert (ran.code, ran.out) == (128 + number, "")
    assert ran.err.startswith("error: stopped; run the same command again\n")
    assert (files(clone), folders(clone)) == before
    assert run(seal.main, capsys).err == ""


def failing(error: OSError) -> Callable[[str, TextIO], None]:
    """Return what prints on stderr, and fails on stdout."""

    def write(text: str, stream: TextIO) -> None:
        if stream is sys.stdout:
            raise error
        print(text, file=stream)

    return write


def test_a_diff_that_cannot_be_printed_does_not_hide_the_change(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines to keep or undo it are printed all the same."""
    monkeypatch.setattr("scripts.console.command._drop_output", lambda: None)
    monkeypatch.setattr(progress, "_write", failing(OSError(errno.ENOSPC, "full")))
    ran = run(remove.main, capsys, "raft")

    assert ran.code == 74
    assert "to undo it:  git checkout" in ran.err
    assert "error: the change is made, but not all of it was shown: the result could" in ran.err
    assert "no space left on device\n  Next: see `git diff`" in ran.err
    assert b"raft" not in clone.read("params.yaml")


def test_a_reader_that_goes_does_not_hide_the_change(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `... | head -1`."""
    monkeypatch.setattr("scripts.console.command._drop_output", lambda: None)
    monkeypatch.setattr(progress, "_write", failing(BrokenPipeError()))
    ran = run(remove.main, capsys, "raft")

    assert ran.code == 141
    assert "the change is made; the reader of its diff has gone" in ran.err
    assert b"raft" not in clone.read("params.yaml")


def test_a_diff_that_git_cannot_make_does_not_hide_the_change(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as on a full disk, which git needs for its index."""
    monkeypatch.setattr(git, "diff", lambda root: git.run(root, "no-such-word"))

    ran = run(remove.main, capsys, "raft")

    assert ran.code == 74
    assert "the change is made, but not all of it was shown: git no-such-word failed" in ran.err
    assert b"raft" not in clone.read("params.yaml")


def test_a_change_that_cannot_be_undone_at_once_is_undone_later(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next command, once there is room again; the first error is told, too."""
    before = files(clone)

    def full(*_: object) -> None:
        raise DiskError("no room to write dvc.lock")

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "done", full)
        patch.setattr(journal.Journal, "undo", full)
        ran = run(remove.main, capsys, "raft")
    healed = run(seal.main, capsys)

    later = "no room to write dvc.lock: the change is not undone yet; the next command does it\n"
    assert (ran.code, ran.err) == (1, f"{later}error: no room to write dvc.lock\n")
    assert healed.err.startswith("remove raft was cut short; its change is undone")
    assert files(clone) == before
