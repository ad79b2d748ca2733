"""docs/changing.md: its commands are run, its tree is that of the repository."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests import pages
from tests.conftest import SCALE
from tests.pages import check, commands, shell
from tests.world.checkpoints import files
from tests.world.clones import REPOSITORY, TestClone, stock

if TYPE_CHECKING:
    from tests.world import World

CHANGING = pages.text("docs/changing.md")
SMALL = "models/raft_ckpts/raft-small.pth"


def test_the_catalogue_is_changed_by_three_commands(clone: TestClone, world: World) -> None:
    """A file is added, its pin is compared, the file is removed; the tree is as before."""
    before = clone.read("params.yaml")
    url, path = "https://dl.fbaipublicfiles.com/new/new_file.pth", "models/new_ckpts/new_file.pth"
    world.publish(url, b"weights")
    add, look, take = (command for command, _ in commands(CHANGING)[:3])

    added = shell(
        clone, add.replace("models/PATH", path).replace("URL", url).replace("FAMILY", "new"),
        clone.root,
    )  # fmt: skip
    assert "+++ b/params.yaml" in added
    assert clone.tree() == {path: b"weights"}
    shell(clone, "git add -A && git commit -qm state", clone.root)
    assert "nothing to do" in shell(clone, look.replace("NAME", "new_file"), clone.root)
    assert "--- a/params.yaml" in shell(clone, take.replace("NAME", "new_file"), clone.root)

    assert (clone.tree(), clone.read("params.yaml")) == ({}, before)


@pytest.mark.slow
def test_dvc_does_what_the_page_says(clone: TestClone) -> None:
    """Stages, the seal, the comparison, and a file that is restored."""
    stock(clone.root, SCALE)
    *others, restore = commands(pages.sections(CHANGING)["DVC's side"])[:-1]

    for pair in others:
        check(clone, pair)
    (clone.root / SMALL).unlink()
    (clone.root / SMALL).write_bytes(b"not what was pinned")
    check(clone, restore)

    assert clone.tree() == files(SCALE)


def test_the_seal_is_up_to_date_after_a_clone(clone: TestClone) -> None:
    """The last command of DVC's side changes nothing where nothing has changed."""
    command, _ = commands(pages.sections(CHANGING)["DVC's side"])[-1]

    assert command == "./checkpoints seal"
    assert "up to date" in shell(clone, command, clone.root)


def test_the_tree_of_the_page_is_that_of_the_repository() -> None:
    """Each file and folder at the root that one reads, and each package."""
    listed = re.findall(r"^    (?:  )?(\S+(?:, \S+/)?)  ", CHANGING, re.MULTILINE)
    names = {name.strip("/") for line in listed for name in line.split(", ")}

    packages = {path.parent.name for path in (REPOSITORY / "scripts").glob("*/__init__.py")}
    assert packages <= names
    for name in names - packages - {"models", "paper", "scripts/*.py", "site"}:
        assert (REPOSITORY / name).exists(), name


def test_ci_calls_the_test_command_of_the_page() -> None:
    """`.ci/run` runs what the page names."""
    (test, _), (demo, _) = commands(pages.sections(CHANGING)["Tests"])

    assert (test, demo) == ("make test", "make demo")
    assert f"\n{test} VENV=" in pages.text(".ci/run")
