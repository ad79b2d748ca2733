"""scripts.update_machinery: a later machinery comes in, and the catalogue stays."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import update_machinery
from scripts.catalogue import history
from scripts.console.errors import UsageError
from scripts.curation.machinery import LIST
from scripts.curation.update import STAGES, update
from tests.curation import changing
from tests.world.clones import TestClone, isolated

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]
KNOWN = "# what it is\ntests/*\nscripts/*\n"
TREE = "  tree:\n    cmd: python -m scripts.tree\n    deps:\n      - models\n"
OWN = {
    "params.yaml": "checkpoints: {}\n",
    "dvc.yaml": f"stages:\n  fetch:\n    cmd: fetch\n\n{TREE}\nartifacts: {{}}\n",
    "docs/mine.md": "mine\n",
    "paper/tests/test_it.py": "mine\n",
}
OLD = {"scripts/one.py": "1\n", "scripts/gone/two.py": "2\n", "tests/test_one.py": "1\n"}
OLD |= {LIST: KNOWN, STAGES: f"stages:\n{TREE}"}
NEW_TREE = TREE + "      - scripts/three.py\n"
NEW = {"scripts/one.py": "1, later\n", "scripts/three.py": "3\n", "tests/test_one.py": "1\n"}
NEW |= {LIST: f"{KNOWN}docs/new.md\n", STAGES: f"stages:\n{NEW_TREE}", "docs/new.md": "new\n"}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git sees nothing of the user's."""
    for name, value in isolated(tmp_path / "isolated").items():
        monkeypatch.setenv(name, value)


def write(root: Path, texts: dict[str, str]) -> None:
    """Write some files."""
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def committed(root: Path, texts: dict[str, str]) -> Path:
    """Return a git repository with a commit of these files."""
    write(root, texts)
    history.git(root, "init", "-q", "-b", "main", "--template=")
    history.git(root, "add", "-A")
    history.git(root, "commit", "-qm", "state")
    return root


def tree(root: Path) -> dict[str, str]:
    """Return every file of a checkout that is not git's."""
    found = (path for path in root.rglob("*") if path.is_file())
    names = {path.relative_to(root).as_posix(): path.read_text() for path in found if
             ".git" not in path.parts and ".dvc" not in path.parts}  # fmt: skip
    return dict(sorted(names.items()))


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A repository with an old machinery, and with what is the paper's own."""
    return committed(tmp_path / "ours", {**OLD, **OWN})


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Another one, of another paper, with a new machinery."""
    root = committed(
        tmp_path / "theirs", {**NEW, "params.yaml": "theirs\n", "README.md": "theirs\n"}
    )
    (root / "scripts/three.py").chmod(0o755)
    history.git(root, "commit", "-qam", "executable")
    return root


def test_the_machinery_is_replaced_and_the_rest_stays(ours: Path, theirs: Path) -> None:
    """New files come, those that are gone go, modes too; dvc.yaml has the new form of a stage."""
    commit, left = update(ours, str(theirs), "HEAD")

    stages = OWN["dvc.yaml"].replace(TREE, NEW_TREE)
    assert tree(ours) == dict(sorted({**NEW, **OWN, "dvc.yaml": stages}.items()))
    assert (commit, left) == (history.git(theirs, "rev-parse", "HEAD").decode().strip(), [])
    assert (ours / "scripts/three.py").stat().st_mode & 0o100


def test_one_command_undoes_it(ours: Path, theirs: Path) -> None:
    """New files go, too; nothing is committed."""
    before = tree(ours)
    update(ours, str(theirs), "HEAD")

    history.git(ours, "reset", "-q", "--hard")

    assert tree(ours) == before
    assert history.git(ours, "status", "--porcelain") == b""
    assert history.git(ours, "rev-list", "--count", "HEAD") == b"1\n"


def test_a_tag_may_be_named(ours: Path, theirs: Path) -> None:
    """What came after it is left out."""
    history.git(theirs, "tag", "v1")
    write(theirs, {"scripts/four.py": "4\n"})
    history.git(theirs, "add", "-A")
    history.git(theirs, "commit", "-qm", "later")

    update(ours, f"file://{theirs}", "v1")

    assert not (ours / "scripts/four.py").exists()
    assert (ours / "scripts/three.py").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("a file of the paper", "this checkout has uncommitted changes"),
        ("an untracked file in the way", "git read-tree failed"),
        ("another revision", "git fetch failed"),
        ("another kind of repository", "is no repository of this kind"),
        ("no repository", "git fetch failed"),
    ],
)
def test_a_refusal_changes_nothing(change: str, says: str, ours: Path, theirs: Path) -> None:
    """And says so."""
    revision = "v9" if change == "another revision" else "HEAD"
    if change == "a file of the paper":
        write(ours, {"params.yaml": "edited\n"})
    elif change == "an untracked file in the way":
        write(ours, {"scripts/three.py": "mine\n"})
    elif change == "another kind of repository":
        history.git(theirs, "rm", "-q", LIST)
        history.git(theirs, "commit", "-qm", "another")
    elif change == "no repository":
        theirs = theirs / "scripts"
    before = tree(ours)

    with pytest.raises(UsageError, match=says) as caught:
        update(ours, str(theirs), revision)

    assert "Nothing was changed." in caught.value.details
    assert tree(ours) == before
    assert history.git(ours, "diff", "--cached", "--name-only") == b""


def test_a_stage_that_was_edited_is_left(ours: Path, theirs: Path) -> None:
    """Its name is returned, for a person to change it."""
    write(ours, {"dvc.yaml": OWN["dvc.yaml"].replace("- models", "- my/models")})
    history.git(ours, "commit", "-qam", "edited")
    before = (ours / "dvc.yaml").read_text()

    assert update(ours, str(theirs), "HEAD")[1] == ["tree"]

    assert (ours / "dvc.yaml").read_text() == before


def test_the_command_says_what_is_left_to_do(
    ours: Path, theirs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A stage to be changed by hand, and then the seal; and how to undo it all."""
    write(ours, {"dvc.yaml": OWN["dvc.yaml"].replace("- models", "- my/models")})
    history.git(ours, "commit", "-qam", "edited")
    monkeypatch.chdir(ours)

    done = changing.run(update_machinery.main, capsys, str(theirs))

    assert done.code == 0
    assert "scripts/three.py" in done.out
    assert done.err.splitlines()[1:] == [
        "to undo it:  git reset -q --hard",
        f"the stage tree of dvc.yaml is not that of {STAGES}: change it by hand",
        "Next: ./checkpoints seal",
    ]


def test_a_clone_within_another_repository_is_refused(ours: Path, theirs: Path) -> None:
    """Its commits are not its own."""
    with pytest.raises(UsageError, match="a part of another git repository"):
        update(ours / "docs", str(theirs), "HEAD")


def test_the_seal_is_made_again(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The diff is shown, the line that keeps it works, DVC is clean; once more does nothing."""
    shutil.copytree(started, tmp_path / "ours")
    clone = TestClone(tmp_path / "ours", isolated(tmp_path / "isolated"))
    shutil.copytree(clone.root, tmp_path / "theirs")
    with (tmp_path / "theirs/scripts/tree.py").open("a") as file:
        file.write("# later\n")
    history.git(tmp_path / "theirs", "commit", "-qam", "later")
    monkeypatch.chdir(clone.root)

    done = changing.run(update_machinery.main, capsys, str(tmp_path / "theirs"))

    assert (done.code, set(re.findall(r"^ (\S+) +\|", done.out, re.MULTILINE))) == (
        0, {"dvc.lock", "scripts/tree.py"},
    )  # fmt: skip
    changing.keep(clone, done.err)
    assert changing.dvc(capsys, "status") == changing.CLEAN
    again = changing.run(update_machinery.main, capsys, str(tmp_path / "theirs"))
    assert (again.code, again.err) == (0, "")
    assert "already" in again.out
