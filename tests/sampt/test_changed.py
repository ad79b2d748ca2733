"""A catalogue that has changed: its repository's own tests stay green, and need no edit."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from scripts import remove
from scripts.catalogue import documents
from tests.curation.changing import keep, missing, run
from tests.world import World, clones
from tests.world.clones import GUIDE, REPOSITORY, TestClone

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://weights.example/release/new.pth"
IMPORT = ["scripts.import_url", URL, "models/new_ckpts/new.pth", "--desc", "Neu: é"]
# What reads the repository itself; every other test works on the guide's 25 files alone.
OFFLINE = [
    *(f"test_{name}.py" for name in ("bom", "catalogue", "edits", "repository", "seal", "sources")),
    "test_tree.py",
    "test_readme.py::test_readme_has_at_most_150_lines",
    "test_readme.py::test_activation_is_what_make_creates",
    "test_readme.py::test_every_command_of_the_table_prints_what_it_says",
    "test_readme.py::test_ci_calls_the_test_command_of_the_readme",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [IMPORT, ["scripts.remove", "sam_vit_l"], ["scripts.remove", "raft"]],
    ids=["import_url", "remove", "remove an archive"],
)
def test_the_tests_of_a_changed_repository_pass(change: list[str], tmp_path: Path) -> None:
    """This very repository, with its real pins, after one command and its commit."""
    with World(scale=10_000) as world:
        world.publish(URL, b"weights")
        clone = TestClone(tmp_path / "clone", clones.isolated(tmp_path) | world.env)
        clones.copy(clone.root)
        clones.commit(clone.root, clone.env)
        keep(clone, clone.run(sys.executable, "-m", *change, check=True).stderr)

    names = [f"tests/{name}" for name in OFFLINE]
    done = clone.run(sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *names)

    assert done.returncode == 0, done.stdout[-5000:]


def test_a_clone_of_a_changed_repository_gets_the_guides_catalogue(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tests work on the 25 files, whatever the repository holds by now."""
    before = clone.read("dvc.lock"), clone.read("models.dvc")
    assert run(remove.main, capsys, "raft").code == 0
    (clone.root / "sources/new.dvc").write_text("deps: []\n")

    clones.pin(clone.root, 10_000)

    assert (clone.read("dvc.lock"), clone.read("models.dvc")) == before
    assert clone.run("git", "status", "--porcelain", "sources").stdout == ""
    missing(clone)


def test_the_guide_says_what_the_repository_says() -> None:
    """Of the stages that both have. After a change of dvc.yaml: tests/world/guide.yaml, too."""
    real = documents.load(REPOSITORY / "dvc.yaml")["stages"]
    kept = documents.data(GUIDE["dvc.yaml"])["stages"]

    common = (kept.keys() & real.keys()) - {"fetch_minimal"}  # a user may take an entry out of it

    assert {name: kept[name] for name in common} == {name: real[name] for name in common}
