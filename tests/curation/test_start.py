"""scripts.new: another repository of this kind, with an empty catalogue."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts import new
from scripts.catalogue import history, witnesses
from scripts.console import dispatch
from scripts.curation import start
from scripts.curation.machinery import is_machinery, patterns
from tests.world.clones import REPOSITORY, isolated

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]
KNOWN = patterns()
# The paper whose repository was the first; the old name of a variable is all that is left of it.
FOREIGN = re.compile(rb"sam[-_ ]?pt(?!_sources)", re.IGNORECASE)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to make repositories in; this process stands in the machinery's."""
    for name, value in isolated(tmp_path / "isolated").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(REPOSITORY)
    return tmp_path


def git(root: Path, *words: str) -> str:
    """Return what git prints."""
    return history.git(root, *words).decode().strip()


def test_a_new_repository_has_one_commit_and_an_empty_catalogue(started: Path) -> None:
    """All that is sealed agrees, git is clean, and nothing is left beside it."""
    holds, pinned = witnesses.read(started)

    assert (holds.published, [*pinned]) == ({}, ["models.json"])
    assert git(started, "rev-list", "--count", "HEAD") == "1"
    assert git(started, "status", "--porcelain") == ""
    assert git(started, "log", "--format=%s") == "Start A new paper: é"
    assert (started / "README.md").read_text().startswith("# A new paper: é\n")
    assert (started / "paper/__init__.py").exists()  # without it mypy fails
    assert "url = ../../started.team\n" in (started / ".dvc/config").read_text()
    assert not [*started.parent.glob(".*")]


def test_it_has_the_machinery_and_no_word_of_the_paper_that_it_comes_from(started: Path) -> None:
    """Every file of the machinery is as it is here; nothing else is, in no file and no path."""
    names = git(started, "ls-files").split()

    machinery = {name for name in git(REPOSITORY, "ls-files").split() if is_machinery(name, KNOWN)}
    assert {name for name in names if is_machinery(name, KNOWN)} == machinery
    for name in names:
        text = (started / name).read_bytes()
        assert not FOREIGN.search(name.encode() + text), (name, FOREIGN.search(text))
        if name in machinery:
            assert text == (REPOSITORY / name).read_bytes(), name
            assert os.access(started / name, os.X_OK) == os.access(REPOSITORY / name, os.X_OK), name


def test_the_command_says_where_it_is(here: Path, capsys: Capture) -> None:
    """The title comes from the folder; its name is one that DVC's configuration can hold."""
    assert new.main([str(here / "my-new, paper")]) == 0

    root = here / "my-new, paper"
    assert f"Next: cd {shlex.quote(str(root))} && ./checkpoints\n" in capsys.readouterr().out
    assert (root / "README.md").read_text().startswith("# My new, paper\n")
    assert "url = ../../my-new-paper.team\n" in (root / ".dvc/config").read_text()


def test_the_commands_of_its_readme_exist() -> None:
    """Each is one of the machinery's."""
    text = (start.TEMPLATE / "README.md").read_text(encoding="utf-8")

    typed = set(re.findall(r"\./checkpoints ([a-z-]+)", text))

    assert typed <= {*dispatch.names(), "dvc", "update-machinery"}
    assert len(typed) > 9


@pytest.mark.parametrize("stands", ["an empty folder", "a file in it", "a file"])
def test_what_is_there_is_not_replaced(stands: str, here: Path, capsys: Capture) -> None:
    """But for an empty folder."""
    place = here / "place"
    if "folder" in stands or "in it" in stands:
        place.mkdir()
    if "file" in stands:
        (place / "mine" if place.exists() else place).write_text("mine")

    code = new.main([str(place)])

    assert code == (0 if stands == "an empty folder" else 2)
    if code:
        err = capsys.readouterr().err
        assert err.startswith(f"error: {place} exists already, and is not an empty folder\n")
        assert "Nothing was made." in err
    assert len([*here.iterdir()]) == 2


def test_no_repository_is_made_in_the_machinery_itself(here: Path, capsys: Capture) -> None:
    """It would be a part of it."""
    assert new.main([str(REPOSITORY / "inner")]) == 2

    assert "is inside this repository" in capsys.readouterr().err
    assert not (REPOSITORY / "inner").exists()
    assert here.exists()


@pytest.mark.parametrize("title", ["two\nlines", "", " "])
def test_a_title_is_one_line(title: str, here: Path, capsys: Capture) -> None:
    """It becomes a heading."""
    with pytest.raises(SystemExit) as caught:
        new.main([str(here / "place"), "--title", title])

    assert caught.value.code == 2
    assert "is not one line" in capsys.readouterr().err


def test_a_failure_leaves_nothing(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a git that has no name for its user."""
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "")

    assert new.main([str(here / "place")]) == 2

    assert "the first commit of the new repository failed" in capsys.readouterr().err
    assert [p.name for p in here.iterdir()] == ["isolated"]


def test_what_a_kill_has_left_is_named(here: Path, capsys: Capture) -> None:
    """Nothing is at the folder's own name until all is done; two at once do not mix."""
    (here / ".place.new").mkdir()

    assert new.main([str(here / "place")]) == 2

    assert f"Next: remove {here}/.place.new if none is at work.\n" in capsys.readouterr().err
    assert not (here / "place").exists()


def test_a_stop_while_the_list_is_imported_says_how_to_go_on(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repository is there, and the import is to be repeated in it."""

    def run(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(new, "run", run)
    monkeypatch.setattr(new, "start", lambda *_: "c0ffee")

    assert new.main([str(here / "place"), "--from", "-"]) == 130

    err = capsys.readouterr().err
    assert err.startswith("error: stopped while the list was imported\n")
    assert f"Next: cd {here}/place && ./checkpoints import-url --from -\n" in err


@pytest.mark.parametrize("code", [0, 1])
def test_a_list_is_imported_into_the_same_commit(
    code: int, here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the new repository's own command; if that fails, the repository stays, and is empty."""
    asked = []

    def run(words: list[str], *, cwd: Path, check: bool) -> subprocess.CompletedProcess[str]:
        asked.append((words[1:], cwd, check))
        if not code:
            (cwd / "params.yaml").write_text("checkpoints: {new: {path: models/new}}\n")
        return subprocess.CompletedProcess(words, code)

    monkeypatch.setattr(new, "run", run)
    (here / "list.csv").touch()
    monkeypatch.setenv("CHECKPOINTS_FROM", str(here))

    assert new.main(["place", "--from", "list.csv"]) == code

    root, out = here / "place", capsys.readouterr()
    words = ["-m", "scripts", "import-url", "--from", str(here / "list.csv")]
    assert asked == [(words, root, False)]
    assert git(root, "rev-list", "--count", "HEAD") == "1"
    assert git(root, "status", "--porcelain") == ""
    assert ("new:" in git(root, "show", "HEAD:params.yaml")) == (code == 0)
    assert f"import-url --from {here}/list.csv" in out.err if code else not out.err
