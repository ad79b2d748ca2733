"""A repository without an entry: every command works, and says what to do."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import import_url, remove
from scripts.catalogue.params import EMPTY
from scripts.console import dispatch
from tests.curation import changing
from tests.world.clones import TestClone, isolated

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World

Capture = pytest.CaptureFixture[str]
URL = "https://weights.example/release/new.pth"
# Words of a command, or of several -> exit code, and what it says.
SAID = {
    "overview": (0, "the catalogue is empty"),
    "overview --json": (0, '"./checkpoints import-url URL models/PATH"'),
    "list": (0, "the catalogue is empty"),
    "list --json": (0, '"files": []'),
    "fetch": (0, EMPTY),
    "fetch complete": (0, EMPTY),
    "fetch complete --dry-run": (0, EMPTY),
    "fetch complete --json": (0, "[]"),
    "fetch minimal": (2, "unknown name: minimal"),
    "verify": (0, EMPTY),
    "verify --repair": (0, EMPTY),
    "verify --json": (0, '"places": []'),
    "upstream": (0, EMPTY),
    "upstream --mirrors --record": (0, EMPTY),
    "upstream --json": (0, "[]"),
    "scan": (0, EMPTY),
    "scan --json": (0, "[]"),
    "bom": (0, '"name": "a-new-paper"'),
    "export csv": (0, "url,path,name"),
    "export aria2": (0, ""),
    "team check": (2, "does not exist yet"),
    "team publish team": (0, "team: 0 files pushed"),
    "link ../project": (0, "project/models -> "),
    "link ../project; link --undo ../project": (0, "1 removed, 0 restored"),
    "doctor": (0, "0 files, 0 pinned and sealed"),
    "page": (0, "site/index.html"),
    "tidy": (0, "nothing to remove"),
    "seal": (0, "are up to date"),
    "tree": (0, "models/ is complete"),
    "remove x": (2, "unknown name: x"),
    "repin x": (2, "unknown name: x"),
    "completion bash": (0, "import-url"),
}


@pytest.fixture
def empty(started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClone:
    """The same one for all tests, which leave it as it is; this process stands in it."""
    (started.parent / "project").mkdir(exist_ok=True)
    made = TestClone(started, isolated(tmp_path / "isolated"))
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(made.root)
    return made


@pytest.mark.parametrize("words", SAID)
def test_every_command_works(words: str, empty: TestClone, capsys: Capture) -> None:
    """Without a traceback, and git stays clean."""
    code, says = SAID[words]

    *_, done = [dispatch.main(each.split()) for each in words.split("; ")]

    out, err = capsys.readouterr()
    assert (done, says in out + err) == (code, True), out + err
    assert "Traceback" not in out + err
    assert empty.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize(
    "words", ["status", "repro", "repro models.dvc", "repro --force tree", "push", "pull"]
)
def test_dvc_works(words: str, empty: TestClone, capsys: Capture) -> None:
    """There is nothing to do, and nothing changes."""
    printed = changing.dvc(capsys, *words.split())

    assert "up to date" in printed or "--force" in words
    assert empty.run("git", "status", "--porcelain").stdout == ""


def test_the_first_file_comes_and_goes(
    started: Path,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    """After `remove` every file of the catalogue is as `new` has made it."""
    shutil.copytree(started, tmp_path / "clone")
    clone = TestClone(tmp_path / "clone", isolated(tmp_path) | world.env)
    for name, value in clone.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(clone.root)
    world.publish(URL, b"weights")
    before = changing.files(clone)

    changing.keep(clone, changing.run(import_url.main, capsys, URL, "models/new_ckpts/new.pth").err)
    assert clone.tree() == {"models/new_ckpts/new.pth": b"weights"}
    assert changing.dvc(capsys, "status") == changing.CLEAN
    changing.keep(clone, changing.run(remove.main, capsys, "new").err)

    assert changing.files(clone) == before
    assert changing.dvc(capsys, "status") == changing.CLEAN
