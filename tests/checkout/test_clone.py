"""scripts.checkout.clone: what a command works on, and the locks between two of them."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.checkout.clone import Clone
from scripts.console.errors import DiskError, UsageError
from tests.world import Fault
from tests.world.checkpoints import files
from tests.world.processes import started

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

PATH = "models/sam_ckpts/sam_vit_b_01ec64.pth"
DATA = files(10_000)[PATH]
Capture = pytest.CaptureFixture[str]


def test_a_folder_that_is_not_a_clone_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Commands run at the root of the repository."""
    monkeypatch.chdir(tmp_path)

    code = fetch.main(["sam_vit_b"])

    assert code == 2
    assert "is not the root of the repository: it has no .dvc folder" in capsys.readouterr().err


def test_a_folder_below_the_root_is_a_usage_error(clone: TestClone) -> None:
    """The root is not searched for."""
    with pytest.raises(UsageError, match="is not the root"):
        Clone.at(clone.root / "scripts")


def test_a_pin_is_read_from_the_lock_and_the_catalogue(clone: TestClone) -> None:
    """Its md5 and size are in dvc.lock, its sha256 in params.yaml."""
    read = Clone.at(clone.root)

    pin = read.pin(read.catalogue.files[PATH])

    assert pin is not None
    assert (pin.md5, pin.size) == (read.pins[PATH].md5, len(DATA))
    assert pin.sha256 == read.catalogue.files[PATH].sha256 is not None


def test_two_processes_download_a_file_once(clone: TestClone, world: World) -> None:
    """Whichever comes second finds the file in place, if need be after it has waited."""
    world.fault("https://dl.fbaipublicfiles.com/*", Fault.delay(0.7), times=1)
    words = [sys.executable, "-m", "scripts.fetch", "sam_vit_b"]

    def start() -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(words, cwd=clone.root, env=dict(clone.env), **pipes)  # type: ignore[call-overload,no-any-return] # noqa: S603

    running = [start(), start()]
    outputs = [process.communicate() for process in running]

    assert [process.returncode for process in running] == [0, 0]
    assert clone.tree() == {PATH: DATA}
    assert world.served() == len(DATA)
    assert sum("downloaded from" in out for out, _ in outputs) == 1


def test_a_process_that_waits_says_for_what(clone: TestClone) -> None:
    """By the name that was typed."""
    held = Clone.at(clone.root)
    words = [sys.executable, "-m", "scripts.fetch", "sam_vit_b"]
    with held.alone(str(held.pins[PATH].md5)), started(clone, *words) as process:
        assert process.stderr
        said = process.stderr.readline()
        process.kill()

    assert said == "sam_vit_b: another process is at work on it; waiting\n"


def test_a_lock_is_released_after_an_error(clone: TestClone) -> None:
    """The next one can take it."""
    read = Clone.at(clone.root)
    with pytest.raises(RuntimeError), read.alone("key"):
        raise RuntimeError

    entered = threading.Event()
    with read.alone("key"):
        entered.set()

    assert entered.is_set()


def test_a_disk_without_locks_is_an_error(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Some network file systems do not support flock."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)

    code = fetch.main(["sam_vit_b"])

    assert code == 1
    assert ".lock: no locks available" in capsys.readouterr().err
    assert clone.tree() == {}


def test_a_folder_that_cannot_be_made_is_an_error(clone: TestClone) -> None:
    """A file has the path of the folder for partial files."""
    (clone.root / ".dvc/tmp").mkdir(exist_ok=True)
    (clone.root / ".dvc/tmp/fetch").write_text("in the way")

    with pytest.raises(DiskError, match="tmp/fetch"), Clone.at(clone.root).alone("key"):
        pytest.fail("the lock cannot have been taken")
