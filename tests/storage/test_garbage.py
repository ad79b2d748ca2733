"""scripts.storage.garbage and history.hashes, against what the real DVC uses and removes."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from dvc.exceptions import RevCollectionError
from dvc.repo import Repo

from scripts.catalogue import history
from scripts.console.errors import UsageError
from scripts.storage import garbage
from scripts.storage.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.world.clones import TestClone

PATH = "models/sam_ckpts/sam_vit_b_01ec64.pth"
HASHES = {name: f"a{number:031x}" for number, name in enumerate(["tag", "side", "stash", "disk"])}
STRAY = "f" * 32


def git(clone: TestClone, *words: str) -> None:
    """Run git in the clone."""
    clone.run("git", *words, check=True)


def pinned(clone: TestClone, md5: str) -> None:
    """Let dvc.lock on the disk pin another md5 for one file."""
    lock = clone.root / "dvc.lock"
    old = str(history.pinned(clone.root)[1][PATH].md5)
    lock.write_text(lock.read_text().replace(old, md5))


def put(clone: TestClone, md5: str, data: bytes = b"object") -> Path:
    """Put an object into the cache, as DVC does."""
    path = Cache(clone.root).object(md5)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o444)
    return path


def unused(clone: TestClone) -> set[str]:
    """Return the objects that nothing in the clone needs."""
    cache = Cache(clone.root)
    return set(garbage.unused(cache, history.hashes(clone.root), [clone.root]))


def dvc_unused(clone: TestClone) -> set[str]:
    """Return what `dvc gc` of all branches, tags and commits would remove."""
    with Repo(str(clone.root)) as repo:
        used = repo.used_objs(all_branches=True, all_tags=True, all_commits=True)
        names = {each.value for found in used.values() for each in found}
        return set(repo.cache.local.all()) - names


@pytest.fixture
def old(clone: TestClone) -> TestClone:
    """A clone with other pins under a tag, in a merged branch that lost, and on the disk."""
    for name in ("tag", "side"):
        git(
            clone,
            "checkout",
            "-q",
            "--detach" if name == "tag" else "-b",
            *["side"][name == "tag" :],
        )
        pinned(clone, HASHES[name])
        git(clone, "commit", "-qam", name)
        if name == "tag":
            git(clone, "tag", "-a", "-m", "a release", "v1")
        git(clone, "checkout", "-q", "main")
    git(clone, "merge", "-q", "--no-ff", "-s", "ours", "-m", "merged", "side")
    git(clone, "branch", "-qD", "side")
    pinned(clone, HASHES["disk"])
    for md5 in (*HASHES.values(), STRAY):
        put(clone, md5)
    return clone


def test_dvc_agrees_on_what_is_unused(old: TestClone) -> None:
    """Tags, a merge that dropped its side, and uncommitted pins count, whatever git's settings."""
    git(old, "config", "log.showRoot", "false")
    git(old, "config", "diff.external", "false")

    found = unused(old)

    assert found == {HASHES["stash"], STRAY}
    assert found == dvc_unused(old)


def test_a_stash_counts_too(old: TestClone) -> None:
    """DVC would remove its object: it asks branches, tags and commits alone."""
    pinned(old, HASHES["stash"])
    git(old, "stash", "-q")

    assert unused(old) == {HASHES["disk"], STRAY}
    assert unused(old) < dvc_unused(old)


def test_a_commit_that_dvc_cannot_parse_is_no_obstacle(old: TestClone) -> None:
    """A torn lock was committed once: its pins count, and so do all others."""
    lock = old.root / "dvc.lock"
    whole = lock.read_text()
    lock.write_text(f"{whole.replace(HASHES['disk'], HASHES['stash'])}\n  torn: [")
    git(old, "commit", "-qam", "torn")
    lock.write_text(whole)

    assert unused(old) == {STRAY}
    with pytest.raises(RevCollectionError):
        dvc_unused(old)


def test_the_files_of_a_folder_are_needed_as_it_is(clone: TestClone) -> None:
    """DVC keeps a folder's list as an object of its own."""
    (clone.root / "data").mkdir()
    (clone.root / "data/one").write_bytes(b"one")
    clone.run("dvc", "add", "-q", "data", check=True)
    put(clone, STRAY)

    assert len(clone.objects()) == 3
    assert unused(clone) == {STRAY} == dvc_unused(clone)


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_an_object_that_a_file_in_place_is_a_link_to_stays(
    clone: TestClone, link: Callable[[Path, Path], None]
) -> None:
    """It may be trusted on first use, and not be pinned yet."""
    objects = {md5: put(clone, md5) for md5 in (STRAY, HASHES["disk"])}
    (clone.root / "models").mkdir()
    link(objects[STRAY], clone.root / "models/new.pth")
    (clone.root / "models/lost.pth").symlink_to("nowhere")

    assert unused(clone) == {HASHES["disk"]}


def test_commits_that_cannot_all_be_read_are_told(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shallow clone, no repository, no git."""
    (clone.root / ".git/shallow").write_text(clone.run("git", "rev-parse", "HEAD").stdout)
    with pytest.raises(UsageError, match=r"part of the commits only\n  Next: .*unshallow"):
        history.hashes(clone.root)

    shutil.rmtree(clone.root / ".git")
    with pytest.raises(UsageError, match=r"git cannot read this clone\n  fatal: not a git"):
        history.hashes(clone.root)

    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="git is not installed"):
        history.hashes(clone.root)


def test_dvc_removes_these_objects_and_no_other(clone: TestClone) -> None:
    """DVC's own gc, which would remove what has come meanwhile, too."""
    gone = [STRAY, f"{STRAY}.dir"]
    for md5 in (*gone, *HASHES.values()):
        put(clone, md5)

    with garbage.locked(clone.root) as repo:
        assert garbage.collect(repo, gone) == 2

    assert clone.objects().keys() == {*HASHES.values()}


def test_another_dvc_command_comes_first(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may just now link what would be removed."""
    monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", 0)
    with (
        garbage.locked(clone.root),
        pytest.raises(UsageError, match="DVC: Unable to acquire lock"),
        garbage.locked(clone.root),
    ):
        pass


def test_a_cache_is_own_or_outside(clone: TestClone, tmp_path: Path) -> None:
    """Links are followed: a team may have put its cache in the place of .dvc/cache."""
    assert garbage.is_own(Cache(clone.root))

    (tmp_path / "shared").mkdir()
    (clone.root / ".dvc/cache").symlink_to(tmp_path / "shared")

    assert not garbage.is_own(Cache(clone.root))
