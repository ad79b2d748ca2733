"""A disk that is full, too small or read-only: the message, and what is kept."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import bom, fetch, seal
from scripts.console.errors import DiskError
from scripts.download import partial
from scripts.files import disk
from tests.checkout.test_obtain import Usage
from tests.curation import changing
from tests.download import transfers
from tests.download.transfers import MIB, NAME, URL, assert_placed, attempt, noise, part_of
from tests.world import Fault, disks
from tests.world.checkpoints import DRIVE
from tests.world.processes import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

BIG = noise(6 * MIB + 4321)
FETCH = (sys.executable, "-m", "scripts.fetch", NAME)
DRIVEN = "tapnet_checkpoint_wo_optstate"
DRIVEN_PATH = "models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy"


@pytest.fixture
def pinned(clone: TestClone, world: World) -> TestClone:
    """A clone in which one file of several blocks is pinned."""
    world.publish(URL, BIG)
    transfers.pin(clone, BIG)
    transfers.limit(clone, retries=1, connections=2)
    return clone


@pytest.fixture
def small(pinned: TestClone) -> Iterator[Path]:
    """A file system of 12 MiB for partial files."""
    folder = pinned.root / ".dvc/tmp/fetch"
    folder.mkdir(parents=True)
    try:
        with disks.small(folder, 12 * MIB) as mounted:
            yield mounted
    except disks.NoRightError as error:
        pytest.skip(f"no small file system: {error}")


@pytest.mark.parametrize("fault", [Fault.none(), Fault.no_ranges()])
def test_too_little_room_is_reported_before_the_first_byte(
    pinned: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """Needed and free bytes are aligned."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9**9, 9**9, 1000))  # noqa: SLF001
    world.fault(URL, fault)

    run = attempt(pinned, capsys)

    assert run.code == 1
    assert run.err.splitlines()[0].startswith(f"error: {NAME}: not enough room in ")
    assert run.err.splitlines()[1:3] == [
        "  needed         6,295,777 bytes", "  free               1,000 bytes",
    ]  # fmt: skip
    assert pinned.tree() == pinned.objects() == {}
    assert not part_of(pinned, BIG).exists()
    assert len(world.requests) == 1


def test_too_little_room_for_a_file_of_google_drive_is_reported(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request is sent."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9**9, 9**9, 1000))  # noqa: SLF001

    run = attempt(clone, capsys, DRIVEN)

    assert run.code == 1
    assert "not enough room" in run.err
    assert world.requests == []


@pytest.mark.parametrize("name", [NAME, DRIVEN])
def test_a_limit_on_the_size_of_files_is_a_full_disk(
    pinned: TestClone, world: World, name: str
) -> None:
    """RLIMIT_FSIZE, like a quota: one message, nothing is lost, and a rerun completes."""
    world.publish(DRIVE, BIG)
    transfers.pin(pinned, BIG, path=DRIVEN_PATH)
    command = (sys.executable, "-m", "scripts.fetch", name)
    limit = (2 * MIB, 2 * MIB)

    stopped = pinned.run(
        *command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    )

    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert stopped.stderr.startswith("error: no room to write ")
    assert "file too large; " in stopped.stderr
    assert "bytes are free\n  Nothing was lost" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert pinned.tree() == pinned.objects() == {}
    assert pinned.run(*command).returncode == 0


def test_a_disk_that_fills_up_during_a_download_keeps_the_partial_file(
    pinned: TestClone, world: World, capsys: Capture, small: Path
) -> None:
    """The message says so; with enough room, a rerun downloads only the rest."""
    world.fault(URL, Fault.slow(4 * MIB))
    with subprocess.Popen(  # noqa: S603
        FETCH, cwd=pinned.root, env=dict(pinned.env), stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: partial.kept(part_of(pinned, BIG)) >= MIB)
        disks.fill(small / "somebody's")
        _, err = process.communicate(timeout=PATIENCE)
    kept = partial.kept(part_of(pinned, BIG))
    world.clear()
    (small / "somebody's").unlink()

    assert process.returncode == 1
    assert "no room to write" in err
    assert "no space left on device; 0 bytes are free" in err
    assert "Traceback" not in err
    assert kept >= MIB
    assert attempt(pinned, capsys).code == 0
    assert_placed(pinned, BIG)
    assert world.served() <= len(BIG) - kept + MIB


WRITERS: dict[str, tuple[Callable[[list[str]], int], list[str]]] = {
    "bom": (bom.main, ["--output", "README.md"]),
    "seal": (seal.main, []),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_leaves_the_old_file_unchanged(
    writer: str, clone: TestClone, capsys: Capture
) -> None:
    """No partial file is left, neither in its place nor beside it."""
    (clone.root / "scripts/tree.py").write_text("# a dep of the stage tree\n")
    before = changing.files(clone)
    main, words = WRITERS[writer]

    with changing.quota(100):
        code = main(words)

    assert (code, changing.files(clone)) == (1, before)
    assert capsys.readouterr().err.startswith("error: no room to write ")


@pytest.mark.parametrize(
    ("number", "words", "next_step"),
    [
        (errno.ENOSPC, "no room to write /f: no space left on device; ", "Next: make room"),
        (errno.EDQUOT, "no room to write /f: disk quota exceeded; ", "Next: make room"),
        (errno.EACCES, "may not write /f: permission denied", "Next: get write permission"),
        (errno.EROFS, "may not write /f: read-only file system", "Next: get write permission"),
        (errno.EIO, "/f: input/output error", "Next: check that path"),
        (None, "the file ends", "Next: check that path"),
    ],
)
def test_an_error_of_the_system_is_explained(
    tmp_path: Path, number: int | None, words: str, next_step: str
) -> None:
    """The message has the path, the reason, and the next step."""
    error = OSError(number, os.strerror(number), "/f") if number else OSError("the file ends")

    with pytest.raises(DiskError) as raised, disk.disk_errors(tmp_path / "none/file"):
        raise error

    assert words in str(raised.value)
    assert any(line.startswith(next_step) for line in raised.value.details)


def test_of_a_copy_the_full_disk_is_the_one_that_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system names both files; the free bytes are those of the target's disk."""
    asked: list[Path] = []

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(9, 9, 0)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    (tmp_path / "models").mkdir()
    error = OSError(errno.ENOSPC, "full", "/cache/object", None, str(tmp_path / "models/b/file"))

    told = str(disk.disk_error(tmp_path / "third", error))

    assert told.startswith(f"no room to write {tmp_path}/models/b/file: no space left on device; 0")
    assert asked == [tmp_path / "models"]


def test_a_full_disk_under_models_is_named(
    clone: TestClone, tmp_path: Path, capsys: Capture
) -> None:
    """The cache is on another disk, which has room: the download is there, and stays."""
    (tmp_path / "models").mkdir()
    (clone.root / ".dvc/config.local").write_text('[cache]\n    type = "copy"\n')
    try:
        with disks.small(tmp_path / "models", 1 << 16) as mounted:
            disks.fill(mounted / "somebody's")
            (clone.root / "models").symlink_to(mounted)

            code = fetch.main(["sam_vit_b"])
            left = [path.name for path in mounted.rglob("*") if path.is_file()]
    except disks.NoRightError as error:
        pytest.skip(f"no small file system: {error}")

    err = capsys.readouterr().err
    assert code == 1
    assert err.startswith(f"error: no room to write {clone.root}/models/sam_ckpts")
    assert "; 0 bytes are free\n" in err
    assert "is kept, in .dvc/tmp/fetch or in the cache" in err
    assert left == ["somebody's"]
    assert len(clone.objects()) == 1


@pytest.mark.parametrize(
    ("closed", "mode", "verb"),
    [
        ("file", 0o000, "read"),
        ("file", 0o444, "write"),
        (".", 0o000, "read"),
        (".", 0o555, "write"),
    ],
)
def test_what_may_not_be_read_is_not_called_unwritable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str, mode: int, verb: str
) -> None:
    """The system says "permission denied" of both; the permissions say which it was."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / closed).chmod(mode)
    real = os.access
    if not os.geteuid():  # root may read everything

        def access(path: Path, needed: int) -> bool:
            own = (path.stat().st_mode >> 6) & 7
            return real(path, needed) and not needed & ~own

        monkeypatch.setattr(os, "access", access)
        monkeypatch.setattr(os.path, "exists", lambda path: closed == "file" and real(path, 0))

    error = disk.disk_error(tmp_path / "file", OSError(errno.EACCES, "denied"))

    (tmp_path / closed).chmod(0o755)
    assert error.what == f"may not {verb} {tmp_path}/file: permission denied"
    assert error.details == (f"Next: get {verb} permission there (or remount it), and run again.",)


def make_socket(path: Path) -> None:
    """Bind a socket to a path, which stays after it is closed."""
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (os.mkfifo, "a FIFO"),
        (os.mkdir, "a folder"),
        (make_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
    ],
    ids=["fifo", "folder", "socket", "device"],
)
def test_only_plain_files_are_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[Path], None], what: str
) -> None:
    """Anything else may never end, or never begin; a link to it is no better."""
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    make(Path("it"))
    Path("link").symlink_to("it")

    for name in ("it", "link"):
        with pytest.raises(OSError, match=f"^{what}, not a file$"):
            disk.open_file(Path(name))


def test_what_becomes_a_fifo_as_it_is_opened_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no writer to wait for."""
    os.mkfifo(tmp_path / "it")
    monkeypatch.setattr(disk, "special", lambda _: None)

    with disk.open_file(tmp_path / "it") as file:
        assert file.read() == b""


def test_a_partial_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nearly full disk may accept only some of the bytes."""
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[:3], at))
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)

    disk.write_at(fd, b"0123456789", 5)

    os.close(fd)
    assert (tmp_path / "file").read_bytes() == bytes(5) + b"0123456789"


def test_a_missing_path_is_on_the_disk_of_the_nearest_folder(
    tmp_path: Path,
) -> None:
    """The nearest one that exists, however far above."""
    assert disk.existing(tmp_path / "a/b/c") == tmp_path
    disk.check_room(tmp_path / "a/b/c", 1, what="file")
