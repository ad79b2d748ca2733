"""A catalogue that has changed: its repository's own tests stay green, and need no edit."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.curation.changing import keep, missing
from tests.world import World, clones
from tests.world.clones import REPOSITORY, TestClone

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://weights.example/release/new.pth"
CHANGES = (
    ["scripts.import_url", URL, "models/new_ckpts/new.pth", "--desc", "Neu: é"],
    ["scripts.remove", "sam_vit_l"],
    ["scripts.remove", "raft"],
)
# What reads the repository itself; every other test works on the tests' own catalogue.
QUICK = [
    "paper/tests",
    "tests/test_tree.py",
    "-m",
    "not slow and not torture",
    "-k",
    "not changed and not tapnet",
]


@pytest.mark.slow
def test_the_tests_of_a_changed_repository_pass(tmp_path: Path) -> None:
    """This very repository, with its real pins, after a file came and a file and an archive went.

    What counts the guide's files is skipped there, and says so.
    """
    with World(scale=10_000, root=REPOSITORY) as world:
        world.publish(URL, b"weights")
        clone = TestClone(tmp_path / "clone", clones.isolated(tmp_path) | world.env)
        clones.copy(clone.root, REPOSITORY)
        clones.commit(clone.root, clone.env)
        for change in CHANGES:
            keep(clone, clone.run(sys.executable, "-m", *change, check=True).stderr)

    done = clone.run(sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *QUICK)

    assert done.returncode == 0, done.stdout[-5000:]
    assert "the files are others than the guide's" in done.stdout
    assert missing(clone)  # and nothing else
