"""scripts.cache against the real DVC: every private fact it uses, in every configuration."""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from dvc.repo import Repo
from dvc_objects.fs.local import localfs

from scripts import fetch
from scripts.console.errors import CheckpointError, DiskError
from scripts.storage import cache
from scripts.storage.cache import Cache
from tests.world.checkpoints import files
from tests.world.processes import dvc_without_hashing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world import World
    from tests.world.clones import TestClone

SCALE = 10_000
PATH = "models/sam_mobile_ckpts/sam_mobile_vit_t.pth"
DATA = files(SCALE)[PATH]
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
NAME = "sam_mobile_vit_t"
STAGE = f"fetch@{NAME}"
CLEAN = "Data and pipelines are up to date.\n"
ORDERS = ["hardlink", "symlink", "copy", "reflink,hardlink", "reflink,copy", "symlink,hardlink"]
Capture = pytest.CaptureFixture[str]


def configured(clone: TestClone, text: str, name: str = ".dvc/config.local") -> None:
    """Write a configuration of the clone, by default the one git does not track."""
    (clone.root / name).write_text(text)


def known(clone: TestClone, path: Path) -> str | None:
    """Return what DVC itself remembers of a file, without reading it."""
    repo = Repo(str(clone.root))
    try:
        _, found = repo.state.get(str(path), localfs)
        return found.value if found else None
    finally:
        repo.close()


def kind(path: Path) -> str:
    """Return the type of link a file is."""
    if path.is_symlink():
        return "symlink"
    return "hardlink" if path.stat().st_nlink > 1 else "copy"


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another file system than the clone's."""
    memory = Path("/dev/shm")  # noqa: S108 - not for its being temporary
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == Path.cwd().stat().st_dev:
        pytest.skip(f"{memory} is no other file system that may be written")
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_an_object_lies_where_dvc_looks_for_it(clone: TestClone) -> None:
    """files/md5/ab/cdef..., read-only, which DVC takes for verified."""
    assert fetch.main([NAME]) == 0

    repo = Repo(str(clone.root))
    found = Path(repo.cache.local.oid_to_path(MD5))
    repo.close()
    assert found == Cache(clone.root).object(MD5)
    assert found.read_bytes() == DATA
    assert stat.S_IMODE(found.stat().st_mode) == 0o444 == repo.cache.local.CACHE_MODE


def test_the_state_is_where_dvc_keeps_it(clone: TestClone) -> None:
    """The formula equals Repo.site_cache_dir, before and after DVC's first command."""
    ours = Cache(clone.root)._state.folder  # noqa: SLF001 - a private fact, held against DVC's
    repo = Repo(str(clone.root))
    theirs = repo.site_cache_dir
    repo.close()

    assert ours == Path(theirs)
    assert Cache(clone.root)._state.folder == Path(theirs)  # noqa: SLF001


def test_the_state_follows_a_configured_folder(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """core.site_cache_dir counts where the environment names none."""
    monkeypatch.delenv("DVC_SITE_CACHE_DIR")
    configured(clone, f"[core]\n    site_cache_dir = {tmp_path}/site\n")

    ours = Cache(clone.root)._state.folder  # noqa: SLF001

    assert Path(str(ours)).parent == tmp_path / "site" / "repo"
    assert known(clone, clone.root / "params.yaml") is None
    assert Path(str(ours)).is_dir()


@pytest.mark.parametrize("types", ORDERS)
def test_dvc_knows_a_fetched_file_without_reading_it(clone: TestClone, types: str) -> None:
    """Place and object are both remembered, whatever the type of link."""
    configured(clone, f'[cache]\n    type = "{types}"\n')

    assert fetch.main([NAME]) == 0

    assert known(clone, clone.root / PATH) == MD5
    assert known(clone, Cache(clone.root).object(MD5)) == MD5


@pytest.mark.parametrize("types", ORDERS)
def test_dvc_hashes_nothing_of_what_was_linked(clone: TestClone, types: str) -> None:
    """DVC's own commit keeps the type of link, and `dvc status` is clean, without a read."""
    configured(clone, f'[cache]\n    type = "{types}"\n')
    assert fetch.main([NAME]) == 0
    linked = kind(clone.root / PATH)

    commit = dvc_without_hashing(clone, "commit", "-f", STAGE)
    status = dvc_without_hashing(clone, "status", STAGE)

    assert (commit.returncode, commit.stderr) == (0, "")
    assert (status.returncode, status.stdout) == (0, CLEAN)
    assert linked == kind(clone.root / PATH) == types.replace("reflink,", "").partition(",")[0]
    assert clone.read(PATH) == DATA


@pytest.mark.parametrize("types", ["hardlink", "copy", "reflink,hardlink,symlink,copy"])
def test_dvc_copies_nothing_of_what_was_linked(clone: TestClone, types: str) -> None:
    """The inode is the same after DVC's commit, which makes the link of a lone file anew.

    Where `reflink` stands first and neither it nor a hardlink works, DVC copies once more.
    """
    configured(clone, f'[cache]\n    type = "{types}"\n')
    assert fetch.main([NAME]) == 0
    before = (clone.root / PATH).stat()

    clone.run("dvc", "commit", "-f", STAGE, check=True)

    after = (clone.root / PATH).stat()
    assert (after.st_ino, after.st_nlink) == (before.st_ino, before.st_nlink)


def test_dvc_would_read_a_file_that_changed_since(clone: TestClone) -> None:
    """The tests around this one would notice a hashing."""
    assert fetch.main([NAME]) == 0
    os.utime(clone.root / PATH, (1, 1))

    done = dvc_without_hashing(clone, "status", STAGE)

    assert "hashed again: " in done.stderr


@pytest.mark.parametrize("types", ["hardlink", "symlink", "copy"])
def test_a_stage_that_runs_reads_nothing_twice(clone: TestClone, types: str) -> None:
    """A whole `dvc repro`: our command verifies while it downloads, DVC believes it."""
    configured(clone, f'[cache]\n    type = "{types}"\n')

    repro = dvc_without_hashing(clone, "repro", STAGE)
    again = dvc_without_hashing(clone, "repro", STAGE)

    assert repro.returncode == 0, repro.stderr
    assert "downloaded from" in repro.stdout
    assert again.stdout.startswith(f"Stage '{STAGE}' didn't change, skipping\n")
    assert kind(clone.root / PATH) == types


@pytest.mark.parametrize(
    ("level", "dir_", "expected"),
    [
        ("config.local", "shared", ".dvc/shared"),
        ("config.local", "../../beside", "../beside"),
        ("config", "{absolute}", "{absolute}"),
    ],
)
def test_the_cache_may_be_configured_elsewhere(
    clone: TestClone, tmp_path: Path, level: str, dir_: str, expected: str
) -> None:
    """Relative to .dvc/, or absolute, in either file, as `dvc cache dir` says it."""
    absolute = str(tmp_path / "absolute")
    text = f"[cache]\n    dir = {dir_}\n".replace("{absolute}", absolute)
    configured(clone, text, f".dvc/{level}")
    told = clone.run("dvc", "cache", "dir").stdout.strip()

    assert fetch.main([NAME]) == 0

    folder = (clone.root / expected.replace("{absolute}", absolute)).resolve()
    assert (clone.root / told).resolve() == folder
    assert (folder / "files/md5" / MD5[:2] / MD5[2:]).read_bytes() == DATA
    assert clone.objects() == {}
    assert clone.run("dvc", "status", STAGE).stdout == CLEAN


def test_where_nothing_is_configured_dvcs_own_order_holds(clone: TestClone) -> None:
    """Without cache.type DVC clones the extents or copies; so do we."""
    configured(clone, "[core]\n    remote = team\n", ".dvc/config")

    assert fetch.main([NAME]) == 0

    assert kind(clone.root / PATH) == "copy"
    assert dvc_without_hashing(clone, "status", STAGE).stdout == CLEAN


@pytest.mark.parametrize("types", ["hardlink,symlink", "reflink,hardlink,copy", "copy"])
def test_a_cache_on_another_file_system_is_linked_or_copied(
    clone: TestClone, elsewhere: Path, types: str
) -> None:
    """A hardlink is impossible there; the object is whole and the status clean."""
    configured(clone, f'[cache]\n    dir = {elsewhere}\n    type = "{types}"\n')

    repro = clone.run("dvc", "repro", STAGE)

    assert repro.returncode == 0, repro.stderr
    assert Cache(clone.root).object(MD5).read_bytes() == clone.read(PATH) == DATA
    assert kind(clone.root / PATH) == ("symlink" if "symlink" in types else "copy")
    assert clone.run("dvc", "status", STAGE).stdout == CLEAN
    assert list((clone.root / ".dvc/tmp/fetch").glob("*.link")) == []
    assert [p.name for p in elsewhere.rglob(".*")] == []


def test_a_file_in_place_is_adopted_into_a_cache_on_another_file_system(
    clone: TestClone, elsewhere: Path
) -> None:
    """It is copied, and keeps its inode."""
    configured(clone, f"[cache]\n    dir = {elsewhere}\n")
    (clone.root / PATH).parent.mkdir(parents=True)
    (clone.root / PATH).write_bytes(DATA)
    before = (clone.root / PATH).stat().st_ino

    assert fetch.main([NAME]) == 0

    assert (clone.root / PATH).stat().st_ino == before
    assert Cache(clone.root).object(MD5).read_bytes() == DATA


def test_a_cache_shared_by_a_group_is_open_to_it(clone: TestClone, tmp_path: Path) -> None:
    """Every folder we make may be written by the group, as those DVC makes."""
    configured(clone, f"[cache]\n    dir = {tmp_path}/lab\n    shared = group\n")

    assert fetch.main([NAME]) == 0

    folders = [p for p in (tmp_path / "lab").rglob("*") if p.is_dir()]
    assert len(folders) == 3
    assert {stat.S_IMODE(p.stat().st_mode) for p in folders} == {0o2775}
    assert clone.run("dvc", "status", STAGE).stdout == CLEAN


def test_a_foreign_object_that_may_not_be_changed_is_used_as_it_is(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a shared cache the mode of an object is its owner's matter."""
    assert fetch.main([NAME]) == 0
    (clone.root / PATH).unlink()

    def denied(*_: object) -> None:
        raise PermissionError(1, "not the owner")

    monkeypatch.setattr(Path, "chmod", denied)

    assert fetch.main([NAME]) == 0
    assert clone.read(PATH) == DATA


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\0" + bytes(4000)])
def test_a_corrupt_state_costs_time_and_nothing_else(clone: TestClone, content: bytes) -> None:
    """Without a readable database the file is hashed, and right."""
    folder = Path(str(Cache(clone.root)._state.folder))  # noqa: SLF001
    for database in folder.rglob("cache.db*"):
        database.write_bytes(content)

    done = clone.run(sys.executable, "-m", "scripts.fetch", NAME)
    again = clone.run(sys.executable, "-m", "scripts.fetch", NAME)

    assert (done.returncode, done.stderr) == (0, "")
    assert clone.read(PATH) == DATA
    assert "kept: already in place" in again.stdout


@pytest.mark.parametrize("where", ["dvc_site_cache_dir", "dvc_site_cache_dir/repo"])
def test_a_state_that_cannot_be_written_costs_time_and_nothing_else(
    clone: TestClone, where: str
) -> None:
    """A file stands where DVC's folder should be."""
    site = Path(clone.env["DVC_SITE_CACHE_DIR"])
    target = site if where == site.name else site / "repo"
    if target == site:
        site.rmdir()
    target.write_text("in the way")

    done = clone.run(sys.executable, "-m", "scripts.fetch", NAME)

    assert (done.returncode, done.stderr) == (0, "")
    assert clone.read(PATH) == DATA
    assert clone.objects() == {MD5: DATA}


def test_a_clone_without_git_is_served_all_the_same(clone: TestClone) -> None:
    """A snapshot without .git: DVC itself refuses to work in it, our command does not."""
    shutil.rmtree(clone.root / ".git")

    done = clone.run(sys.executable, "-m", "scripts.fetch", NAME)

    assert (done.returncode, done.stderr) == (0, "")
    assert clone.read(PATH) == DATA


@pytest.mark.parametrize(
    "text", ["[cache\n", '[cache]\n    type = "teleport"\n', "\xff", "[cache]\n    dir = %(x)s\n"]
)
@pytest.mark.parametrize("name", ["config", "config.local"])
def test_a_broken_configuration_is_told_before_anything_is_fetched(
    clone: TestClone, world: World, capsys: Capture, text: str, name: str
) -> None:
    """Exit code 2, the file named; no traceback, no request."""
    (clone.root / ".dvc" / name).write_bytes(text.encode("latin-1"))

    code = fetch.main([NAME])

    message = capsys.readouterr().err
    assert code == 2
    assert message.startswith(f"error: .dvc/{name}: 1 fault\n")
    assert world.requests == []


def test_a_configuration_that_cannot_be_read_is_told(clone: TestClone) -> None:
    """A folder stands in the file's place."""
    (clone.root / ".dvc/config.local").mkdir()

    with pytest.raises(CheckpointError, match=r"\.dvc/config\.local: 1 fault"):
        Cache(clone.root)


def test_links_of_a_killed_process_go(clone: TestClone) -> None:
    """Where links are copies they may be gigabytes; those of a process that runs stay."""
    folder = clone.root / ".dvc/tmp/fetch"
    folder.mkdir(parents=True)
    with subprocess.Popen(["true"]) as ended:  # noqa: S607
        pass
    gone = [folder / f"{MD5}.{pid}.1.link" for pid in (ended.pid, "x", "9" * 30)]
    alive = [folder / f"{MD5}.1.1.link", folder / f"{'0' * 32}.{ended.pid}.1.link"]
    for path in [*gone, *alive]:
        path.write_bytes(b"half a copy")

    assert fetch.main([NAME]) == 0

    assert sorted(folder.glob("*.link")) == sorted(alive)


def test_a_user_without_a_name_is_served(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that runs as a number; DVC's state has no place then, and costs time alone."""
    monkeypatch.setattr(getpass, "getuser", Mock(side_effect=KeyError("uid not found: 1234")))

    assert fetch.main([NAME]) == 0
    assert clone.tree().keys() == {PATH}


def test_half_a_copy_does_not_stay(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where linking means copying, a full disk leaves the space as it was."""
    assert fetch.main([NAME]) == 0
    configured(clone, '[cache]\n    type = "copy"\n')

    def full(_: str, target: str) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(cache.LINKS, "copy", full)
    with pytest.raises(DiskError, match="no room to write"):
        Cache(clone.root).link(MD5, clone.root / PATH)

    assert clone.read(PATH) == DATA
    assert list((clone.root / ".dvc/tmp/fetch").glob("*.link")) == []


def test_a_rename_that_fails_for_another_reason_is_told(clone: TestClone) -> None:
    """Only another file system is answered by a copy."""
    assert fetch.main([NAME]) == 0
    (clone.root / "models/folder").mkdir()

    with pytest.raises(DiskError, match="is a directory"):
        Cache(clone.root).link(MD5, clone.root / "models/folder")
