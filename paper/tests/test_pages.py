"""docs/files.md and docs/changing.md: what they list is there, and their commands are run."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest

from paper.tests import pages
from paper.tests.guide import HOLDS, of_its_files
from paper.tests.pages import check, commands, rows, shell
from scripts.catalogue import sources
from scripts.catalogue.selection import select
from scripts.checkout import state
from scripts.checkout.clone import Clone
from tests.conftest import SCALE
from tests.world.checkpoints import files
from tests.world.clones import REPOSITORY, TestClone, stock

if TYPE_CHECKING:
    from tests.world import World

pytestmark = of_its_files
FILES = pages.text("docs/files.md")
CHANGING = pages.text("docs/changing.md")
SMALL = "models/raft_ckpts/raft-small.pth"


def test_every_family_has_a_row_with_its_files_and_size() -> None:
    """`~` marks a size with an estimate in it; publishers are the hosts of the sources."""
    here, found = Clone.checked(REPOSITORY), []
    for _, word, count, size, _, publisher in rows(FILES):
        entries = select(here.catalogue, [word.strip("`")]).entries
        read = state.read(here, entries)
        found += [file.path for file in read]
        number, unit = size.strip("~").split()
        digits = len(number.partition(".")[2])
        total = sum(file.size or 0 for file in read) / {"GB": 1e9, "MB": 1e6}[unit]
        assert (int(count), number) == (len(read), f"{total:.{digits}f}"), word
        assert size.startswith("~") == any(file.estimated for file in read), word
        for entry in entries:
            url = sources.read(REPOSITORY / "sources", entry.name).url
            assert any(host.strip() in url for host in publisher.split(",")), entry.name
    assert sorted(found) == sorted(HOLDS.files)


def test_the_page_says_which_files_have_one_address() -> None:
    """When that fails, nobody else is asked: whoever needs the file keeps a copy."""
    (line,) = re.findall(r"- (`.*) have one address only", FILES)
    said = re.findall(r"`([^`]+)`", line)
    read = [sources.read(REPOSITORY / "sources", name) for name in HOLDS.published]

    single = {source.name for source in read if not source.mirrors}

    assert single == {name for name in HOLDS.published if any(fnmatch(name, p) for p in said)}


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

    assert clone.tree() == files(SCALE, REPOSITORY)


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
    for name in names - packages - {"models", "scripts/*.py"}:
        assert (REPOSITORY / name).exists(), name


def test_ci_calls_the_test_command_of_the_page() -> None:
    """`.ci/run` runs what the page names."""
    (test, _), (demo, _) = commands(pages.sections(CHANGING)["Tests"])

    assert (test, demo) == ("make test", "make demo")
    assert f"\n{test} VENV=" in pages.text(".ci/run")
