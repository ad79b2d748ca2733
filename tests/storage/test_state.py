"""DVC's state, held against DVC's own class: what either writes, the other reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dvc import dirs
from dvc.repo import Repo
from dvc.version import version_tuple
from dvc_data.hashfile.hash_info import HashInfo
from dvc_objects.fs.local import localfs

from scripts.storage import settings, state
from scripts.storage.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world.clones import TestClone

MD5 = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def repo(clone: TestClone) -> Iterator[Repo]:
    """The clone, opened by DVC."""
    opened = Repo(str(clone.root))
    yield opened
    opened.close()


@pytest.fixture
def ours(repo: Repo) -> State:
    """Our view of the state that DVC has made."""
    return of(repo)


def of(repo: Repo) -> State:
    """Open the state of a clone."""
    root = Path(repo.root_dir)
    return State(root, settings.read(root))


@pytest.fixture
def file(clone: TestClone) -> Path:
    """A file of the workspace."""
    path = clone.root / "file"
    path.write_bytes(b"data")
    return path


@pytest.fixture
def link(file: Path) -> Path:
    """A symlink to it."""
    path = file.with_name("link")
    path.symlink_to(file)
    return path


@pytest.mark.parametrize("name", ["file", "link"])
def test_each_reads_what_the_other_has_written(
    name: str, file: Path, link: Path, repo: Repo, ours: State
) -> None:
    """The hash of a file, and of what a link leads to; not once it has changed."""
    path = {"file": file, "link": link}[name]
    ours.remember(path, MD5)
    assert repo.state.get(str(path), localfs)[1] == HashInfo("md5", MD5)
    repo.state.save(str(path), localfs, HashInfo("md5", MD5[::-1]))
    assert ours.known(path) == MD5[::-1]

    os.utime(file, (1, 1))

    assert ours.known(path) is None
    assert repo.state.get(str(path), localfs)[1] is None


@pytest.mark.parametrize("hashed", [HashInfo("sha256", MD5), HashInfo("md5-dos2unix", MD5)])
def test_another_hash_is_no_md5(hashed: HashInfo, file: Path, repo: Repo, ours: State) -> None:
    """What DVC recorded before version 3 is the md5 of other bytes."""
    repo.state.save(str(file), localfs, hashed)

    assert ours.known(file) is None


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"version": 2}', '{"version": 1}'])
def test_an_entry_that_means_nothing_is_none(
    text: str, file: Path, repo: Repo, ours: State
) -> None:
    """Of a later DVC, or damaged."""
    repo.state.hashes[str(file)] = text

    assert ours.known(file) is None


def test_a_link_is_unused_where_nothing_has_it(link: Path, repo: Repo, ours: State) -> None:
    """DVC finds it, as if it had made it itself."""
    ours.remember_link(link)

    assert repo.state.get_unused_links([], localfs) == ["link"]
    assert repo.state.get_unused_links([str(link)], localfs) == []


def test_what_is_missing_is_made(file: Path, repo: Repo) -> None:
    """A database that was removed is one more that DVC reads."""
    folder = of(repo).folder
    assert folder
    repo.close()
    for database in folder.rglob("cache.db*"):
        database.unlink()

    of(repo).remember(file, MD5)

    again = Repo(repo.root_dir)
    assert again.state.get(str(file), localfs)[1] == HashInfo("md5", MD5)
    again.close()


@pytest.mark.parametrize("given", [None, "/configured"])
@pytest.mark.parametrize("variable", ["", "/from/the/environment"])
def test_the_shared_folder_is_dvcs(
    given: str | None, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment counts more than the configuration."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", variable)
    core = {"site_cache_dir": given} if given else {}

    assert state._site({"core": core}) == dirs.site_cache_dir(given)  # noqa: SLF001


def test_this_is_the_dvc_that_was_read() -> None:
    """Its version is part of the folder's name."""
    assert version_tuple[0] == state._MAJOR  # noqa: SLF001
