"""scripts.checkout.local: what is on the disk already is reused, replaced, or left alone."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.catalogue.pins import Pin
from scripts.checkout import local
from scripts.checkout.clone import Clone
from scripts.console.errors import DiskError
from scripts.files import digests
from scripts.storage.cache import Cache
from tests.download.transfers import md5
from tests.world import clones
from tests.world.checkpoints import files
from tests.world.processes import without_root

if TYPE_CHECKING:
    from scripts.checkout.workspace import Outcome
    from scripts.files.digests import Digest
    from tests.world import World
    from tests.world.clones import TestClone

NAME, PATH = "sam_vit_b", "models/sam_ckpts/sam_vit_b_01ec64.pth"
DATA = files(10_000)[PATH]
Capture = pytest.CaptureFixture[str]


def put(clone: TestClone, data: bytes, path: str = PATH) -> Path:
    """Write a file of the clone by hand."""
    target = clone.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def aside(clone: TestClone) -> dict[str, bytes]:
    """Return name -> bytes of the files in quarantine, without the time in their paths."""
    found = (p for p in (clone.root / "quarantine").rglob("*") if p.is_file())
    folder = clone.root / "quarantine"
    return {"/".join(p.relative_to(folder).parts[1:]): p.read_bytes() for p in found}


def unsize(clone: TestClone) -> None:
    """Remove the size from the pin of PATH."""
    text = clone.read("dvc.lock").decode()
    entry = rf"(- path: {re.escape(PATH)}\n +hash: md5\n +md5: \w+\n) +size: \d+\n"
    (clone.root / "dvc.lock").write_text(re.sub(entry, r"\1", text))


def reused(clone: TestClone) -> Outcome | None:
    """Reuse the file at PATH."""
    read = Clone.at(clone.root)
    return local.reuse_local(read, read.catalogue.files[PATH])


def test_a_missing_file_is_not_reused(clone: TestClone) -> None:
    """The check makes no folder."""
    assert reused(clone) is None
    assert not (clone.root / "models").exists()


def test_a_file_of_another_size_is_not_read(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pinned size decides, and the file stays in its place."""
    put(clone, DATA[1:])
    monkeypatch.setattr(digests, "of_file", pytest.fail)

    assert reused(clone) is None
    assert clone.tree() == {PATH: DATA[1:]}


def test_a_file_that_dvc_remembers_is_not_read_again(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has not changed since DVC hashed it."""
    assert fetch.main([NAME]) == 0
    monkeypatch.setattr(digests, "of_file", pytest.fail)

    outcome = reused(clone)

    assert outcome is not None
    assert outcome.how == "kept: already in place"


@pytest.mark.parametrize("lost", [PATH, "cache"])
def test_the_file_and_its_object_replace_each_other(
    clone: TestClone, world: World, lost: str
) -> None:
    """One of them is enough; the other is linked to it again."""
    assert fetch.main([NAME]) == 0
    path = clone.root / PATH
    stored = next((clone.root / ".dvc/cache/files/md5").glob("??/*"))
    (path if lost == PATH else stored).unlink()
    world.clear()

    assert fetch.main([NAME]) == 0

    assert world.requests == []
    assert path.samefile(stored)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("cached", [False, True])
def test_a_file_that_changes_while_it_is_checked_is_not_trusted(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch, *, cached: bool
) -> None:
    """Another process is still copying it: the hashed bytes are no longer there."""
    assert fetch.main([NAME]) == 0
    path, (stored,) = clone.root / PATH, clone.objects()
    if not cached:
        shutil.rmtree(clone.root / ".dvc/cache")
    path.unlink()
    path.write_bytes(DATA)
    real = digests.of_file

    def slow(read: Path, *, sha256: bool = True) -> Digest:
        digest = real(read, sha256=sha256)
        read.write_bytes(b"written meanwhile")
        return digest

    monkeypatch.setattr(digests, "of_file", slow)

    assert fetch.main([NAME]) == 1

    assert "was written to while it was checked" in capsys.readouterr().err
    assert path.read_bytes() == b"written meanwhile"
    assert clone.objects() == ({stored: DATA} if cached else {})
    assert "changed outs" in clone.run("dvc", "status", f"fetch@{NAME}").stdout


@pytest.mark.parametrize("closed", ["models/sam_ckpts", ".dvc/cache/files/md5"])
def test_a_folder_without_read_permission_is_one_message(clone: TestClone, closed: str) -> None:
    """There is no traceback."""
    assert fetch.main([NAME]) == 0
    if not closed.startswith("models"):
        shutil.rmtree(clone.root / "models")
    (clone.root / closed).chmod(0o000)

    done = clone.run(*without_root(), sys.executable, "-m", "scripts.fetch", NAME)

    (clone.root / closed).chmod(0o755)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: may not ")
    assert "Traceback" not in done.stderr


def test_a_folder_in_the_place_of_a_file_is_left_alone(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The user put it there, and must move it."""
    put(clone, b"mine", f"{PATH}/notes")

    code = fetch.main([NAME])

    assert code == 1
    assert f"{PATH} is a folder, but must be a file" in capsys.readouterr().err
    assert clone.tree() == {f"{PATH}/notes": b"mine"}
    assert world.requests == []


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize("what", ["a FIFO", "a device"])
def test_what_is_no_file_is_neither_read_nor_moved(
    clone: TestClone, world: World, capsys: Capture, what: str, *, pinned: bool
) -> None:
    """One message, at once: nothing waits for the writer of a FIFO."""
    path = put(clone, b"")
    path.unlink()
    if what == "a FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    words = [NAME] if pinned else ["--trust-first-use", NAME]
    if not pinned:
        clones.unpin(clone.root, f"fetch@{NAME}")

    code = fetch.main(words)

    err = capsys.readouterr().err
    assert (code, world.requests) == (1, [])
    assert err == f"error: {PATH} is {what}, but must be a file\n  Next: move it away.\n"
    assert os.path.lexists(path)


def test_a_fifo_in_the_place_of_an_object_is_refused(clone: TestClone, capsys: Capture) -> None:
    """Of a pin without a size it would be read."""
    unsize(clone)
    stored = clone.root / ".dvc/cache/files/md5" / md5(DATA)[:2] / md5(DATA)[2:]
    stored.parent.mkdir(parents=True)
    os.mkfifo(stored)

    assert fetch.main([NAME]) == 1

    assert f"error: {stored}: a FIFO, not a file\n" in capsys.readouterr().err


def test_a_sha256_alone_is_compared_with_the_bytes(clone: TestClone) -> None:
    """DVC remembers md5s only: what it knows nothing of is read."""
    path = put(clone, b"wrong")
    read = Clone.at(clone.root)
    sha256 = Pin(None, None, digests.of_file(path).sha256)

    right = local.identify(read.cache, path, sha256)
    wrong = local.identify(read.cache, path, Pin(None, None, "0" * 64))

    assert right == Pin(md5(b"wrong"), 5, sha256.sha256)
    assert wrong is None


@pytest.mark.parametrize("where", ["models", "models/sam_ckpts"])
def test_a_file_in_the_place_of_a_folder_is_left_alone(
    clone: TestClone, world: World, capsys: Capture, where: str
) -> None:
    """The error comes before the download."""
    put(clone, b"mine", where)

    code = fetch.main([NAME])

    assert code == 1
    assert f"{where} is not a folder, but must be one" in capsys.readouterr().err
    assert clone.read(where) == b"mine"
    assert world.requests == []


def test_a_dangling_link_in_the_place_of_a_folder_is_left_alone(
    clone: TestClone, capsys: Capture
) -> None:
    """The disk may only be unmounted."""
    (clone.root / "models").symlink_to("/nowhere/at/all")

    code = fetch.main([NAME])

    assert code == 1
    assert "models is not a folder" in capsys.readouterr().err
    assert (clone.root / "models").is_symlink()


def test_a_tree_on_another_disk_is_filled_through_its_link(
    clone: TestClone, tmp_path: Path
) -> None:
    """models/ may be a link to a folder."""
    (tmp_path / "disk").mkdir()
    (clone.root / "models").symlink_to(tmp_path / "disk")

    assert fetch.main([NAME]) == 0

    assert (tmp_path / "disk/sam_ckpts/sam_vit_b_01ec64.pth").read_bytes() == DATA


def test_a_dangling_link_in_the_place_of_a_file_goes_to_quarantine(clone: TestClone) -> None:
    """The link itself is kept."""
    put(clone, b"").unlink()
    (clone.root / PATH).symlink_to("/nowhere/file.pth")

    assert fetch.main([NAME]) == 0

    (moved,) = (clone.root / "quarantine").rglob("*.pth")
    assert moved.readlink() == Path("/nowhere/file.pth")
    assert clone.read(PATH) == DATA


def test_a_wrong_file_is_restored_if_the_correct_one_cannot_be_linked(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Only a file that was replaced stays in quarantine."""
    put(clone, b"wrong")

    def full(*_: object) -> None:
        raise DiskError("no room")

    monkeypatch.setattr(Cache, "link", full)

    code = fetch.main([NAME])

    assert code == 1
    assert "error: no room" in capsys.readouterr().err
    assert clone.tree() == {PATH: b"wrong"}
    assert aside(clone) == {}


def test_a_file_without_a_pin_is_trusted_in_its_place(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """First use: its hashes are printed, and nothing is downloaded."""
    clones.unpin(clone.root, f"fetch@{NAME}")
    put(clone, b"whatever")

    code = fetch.main(["--trust-first-use", NAME])

    printed = capsys.readouterr().out
    assert (code, world.requests) == (0, [])
    assert "first use: no pin yet" in printed
    assert "md5 008c5926ca861023c1d2a36653fd88e2" in printed
    assert clone.tree() == {PATH: b"whatever"}


@pytest.mark.parametrize(
    ("folder", "there", "named"),
    [
        ("models", None, "models/sam_ckpts"),
        ("models/sam_ckpts", b"wrong", PATH),
    ],
)
def test_a_read_only_tree_is_one_message(
    clone: TestClone, folder: str, there: bytes | None, named: str
) -> None:
    """It names the path; the old file is kept, and the download is not repeated."""
    if there:
        put(clone, there)
    (clone.root / folder).mkdir(parents=True, exist_ok=True)
    (clone.root / folder).chmod(0o555)
    words = (*without_root(), sys.executable, "-m", "scripts.fetch", NAME)

    done = clone.run(*words)

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"error: may not write {clone.root / named}: permission denied" in done.stderr
    assert clone.tree() == ({PATH: there} if there else {})
    assert aside(clone) == {}
    (clone.root / folder).chmod(0o755)
    assert "linked from the cache" in clone.run(*words).stdout
