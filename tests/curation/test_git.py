"""scripts.curation.git: what is not committed, what has changed, how to keep or undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import UsageError
from scripts.curation import git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.clones import TestClone

CATALOGUE = ["params.yaml", "dvc.yaml", "dvc.lock", "models.dvc", "models.json"]


@pytest.mark.parametrize("name", [*CATALOGUE, "sources/raft.dvc", "sources/.gitignore"])
def test_a_file_that_is_not_committed_is_named(name: str, clone: TestClone) -> None:
    """Of all that a change of the catalogue writes."""
    with (clone.root / name).open("a") as file:
        file.write("# mine\n")

    with pytest.raises(UsageError, match=rf"uncommitted changes\n   M {name}\n"):
        git.refuse_dirty(clone.root)


def test_a_new_source_is_not_committed_either(clone: TestClone) -> None:
    """Any other new file may be there."""
    (clone.root / "mine").touch()
    git.refuse_dirty(clone.root)
    (clone.root / "sources/x.dvc").touch()

    with pytest.raises(UsageError, match=r"\?\? sources/x.dvc"):
        git.refuse_dirty(clone.root)


def test_a_diff_has_new_files_and_leaves_the_index(clone: TestClone) -> None:
    """What the user has staged stays staged, and nothing else is."""
    (clone.root / ".dvc/tmp").mkdir(exist_ok=True)
    (clone.root / "sources/x.dvc").write_text("new\n")
    (clone.root / "models.json").write_text("{}\n")
    (clone.root / "README.md").write_text("staged\n")
    clone.run("git", "add", "README.md", check=True)
    before = clone.run("git", "status", "--porcelain").stdout

    diff = git.diff(clone.root)

    assert "diff --git a/models.json b/models.json\n" in diff
    assert "\n+++ b/sources/x.dvc\n" in diff
    assert "README.md" not in diff
    assert clone.run("git", "status", "--porcelain").stdout == before
    assert not list((clone.root / ".dvc/tmp").glob("index.*"))


def test_without_git_nothing_could_be_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither outside a repository, nor without git itself."""
    with pytest.raises(UsageError, match="git status failed\n  fatal: not a git repository"):
        git.refuse_dirty(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="git is not installed"):
        git.refuse_dirty(tmp_path)
