"""README and demo: every command in README is run, and prints what stands beside or under it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from paper.tests.guide import HOLDS, of_its_files
from scripts.checkout import state
from scripts.checkout.clone import Clone
from tests import pages
from tests.conftest import SCALE
from tests.pages import check, commands, pattern, rows, shell
from tests.world.checkpoints import files
from tests.world.clones import REPOSITORY, TestClone, stock
from tests.world.teams import fill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.bucket import Bucket
    from tests.world.teams import Team

pytestmark = of_its_files
README = pages.text("README.md")
SECTIONS = pages.sections(README)
START, NEEDS, COMMANDS = (
    SECTIONS[title] for title in ("Get started", "Which files you need", "Commands")
)
TEAM = SECTIONS["With your team, and in other projects"]
THINGS = "models/raft_ckpts/raft-things.pth"


def codes(cell: str) -> list[str]:
    """Return what stands in backquotes."""
    return re.findall("`([^`]+)`", cell)


def names(cell: str) -> list[str]:
    """Return what stands in backquotes, with each {a,b} written out."""
    found = []
    for word in codes(cell):
        head, _, rest = word.partition("{")
        choices, _, tail = rest.partition("}")
        found += [f"{head}{choice}{tail}" for choice in choices.split(",")]
    return found


def test_readme_has_at_most_120_lines() -> None:
    """A newcomer can read it in one sitting."""
    assert len(README.splitlines()) <= 120


def test_every_link_leads_to_a_page_of_this_repository() -> None:
    """And to a section that it has."""
    for page, anchor in re.findall(r"\]\((docs/[\w.]+)#?([\w-]*)\)", README):
        titles = [re.sub(r"[^\w -]", "", t) for t in pages.sections(pages.text(page))]
        assert not anchor or anchor in [title.lower().replace(" ", "-") for title in titles]


def test_three_lines_lead_to_a_sam_pt_that_finds_its_files(
    clone: TestClone, environment: Path, tmp_path: Path
) -> None:
    """Pasted beside SAM-PT's checkout, they print what README shows; git stays clean."""
    (tmp_path / "sam-pt").mkdir()
    first, *others = commands(START)
    here = tmp_path / "sam-pt-checkpoints"

    check(clone, first, tmp_path)
    for pair in others:
        check(clone, pair, here, VENV=str(environment))

    assert len(others) == 2
    for name in ("sam_pt", "demo", "vos_eval_root"):
        assert all((tmp_path / "sam-pt" / path).is_file() for path in HOLDS.configurations[name])
    assert {path for path in HOLDS.files if (here / path).exists()} == {*HOLDS.sets["minimal"]}
    assert shell(clone, "git status --porcelain", here) == ""


@of_its_files
def test_the_sizes_are_those_of_the_catalogue() -> None:
    """In GB of 10^9 bytes; some files have estimates, so the sum may be 1 % off."""
    here = Clone.checked(REPOSITORY)
    read = state.read(here, [*here.catalogue.published.values()])
    known = {file.path: file.size or 0 for file in read}

    assert float(re.findall(r"([\d.]+) GB in all", README)[0]) == pytest.approx(
        sum(known.values()) / 1e9, rel=0.01
    )
    assert float(re.findall(r"needs two, ([\d.]+) GB", README)[0]) == pytest.approx(
        sum(known[path] for path in HOLDS.sets["minimal"]) / 1e9, rel=0.01
    )


def test_a_configuration_gets_what_its_row_says(clone: TestClone) -> None:
    """Every configuration has a row, whose command brings what it loads."""
    stock(clone.root, SCALE)
    listed = set()
    for what, command in rows(NEEDS):
        shell(clone, codes(command)[0], clone.root)
        for name in set(names(what)) & HOLDS.configurations.keys():
            listed.add(name)
            if not (given := re.search(r"--for (\w+)", command)) or given[1] == name:
                assert all((clone.root / p).exists() for p in HOLDS.configurations[name]), name

    unlisted = {"sam_pt", "cotracker", "samhq_vit_huge"}  # all a part of the defaults
    assert HOLDS.configurations.keys() - listed == unlisted
    for word in codes(NEEDS.rpartition("`fetch` also takes")[2].partition(".\n")[0]):
        assert "25 files" not in shell(clone, f"./checkpoints fetch --dry-run {word}", clone.root)


def test_every_command_of_the_table_prints_what_it_says(
    clone: TestClone, environment: Path
) -> None:
    """One after another, in a clone with the minimal set and an almost full cache.

    Of files that came from the cache, not every publisher's state is known: upstream exits with 2.
    """
    stock(clone.root, SCALE)
    _forget(clone, THINGS)
    shell(clone, "./checkpoints fetch minimal", clone.root)

    table = rows(COMMANDS)
    for _, command, says in table:
        unknown = " || test $? = 2" if "upstream" in command else ""
        printed = shell(clone, codes(command)[0] + unknown, clone.root, VENV=str(environment))
        for line in codes(says):
            assert re.search(f"^{pattern(line)}", printed, re.MULTILINE), (command, line, printed)

    assert len(table) == 11


def _forget(clone: TestClone, path: str) -> None:
    """Remove the object of a file from the cache, so that it must be downloaded."""
    data = files(SCALE, REPOSITORY)[path]
    for found in (clone.root / ".dvc/cache/files/md5").glob("??/*"):
        if found.read_bytes() == data:
            found.unlink()


def test_sources_are_asked_in_the_order_given(clone: TestClone) -> None:
    """The command of README runs, and says nothing of the team."""
    ((command, _),) = commands(SECTIONS["Where the files come from"])

    printed = shell(clone, command.replace("./checkpoints", "python -m scripts"), clone.root)

    assert "sam_vit_b" in printed
    assert "remote" not in printed


def test_the_rows_on_dvc_print_what_they_say(local: TestClone) -> None:
    """With a remote that has every file; what is pulled was not here."""
    shell(local, "dvc checkout -q", local.root)
    for _, command, says in rows(TEAM):
        if "pull" in command or "push" in command:
            _empty(local, "sam-pt-checkpoints.team" if "push" in command else "")
        printed = shell(local, codes(command)[0], local.root)
        for line in codes(says):
            assert line in printed, (command, printed)


def _empty(clone: TestClone, remote: str) -> None:
    """Move away what a command is to bring: the remote, or models/ and the cache."""
    gone = clone.root.parent / "gone"
    for place in [f"../{remote}"] if remote else ["models", ".dvc/cache"]:
        if (path := clone.root / place).exists():
            path.rename(gone.with_name(f"{gone.name}-{len([*gone.parent.iterdir()])}"))


def test_a_pull_before_the_first_push_ends_as_readme_says(clone: TestClone) -> None:
    """The question that DVC asks stands in the table, with the answer."""
    done = clone.run("dvc", "pull")

    messages = [codes(row[0])[0] for row in rows(SECTIONS["When it fails"])]
    assert done.returncode != 0
    assert messages[0] in done.stdout + done.stderr
    assert "until somebody has run `dvc push`" in TEAM


def test_the_other_messages_are_those_of_the_commands() -> None:
    """Word for word, but for the names in them; the first two are DVC's own."""
    source = "".join(p.read_text(encoding="utf-8") for p in (REPOSITORY / "scripts").rglob("*.py"))

    for message, _ in rows(SECTIONS["When it fails"])[2:]:
        for part in codes(message)[0].split("HOST"):
            assert part.strip(": ") in source


@pytest.fixture
def shared(team: Team, bucket: Bucket) -> TestClone:
    """Return a clone whose remote is committed and filled, and whose cache holds one file."""
    owner = team.owner(url="")
    modify = "dvc remote modify team url gs://lab/checkpoints && git commit -qam state"
    shell(owner, modify, owner.root)
    fill(bucket, files(SCALE, REPOSITORY))
    (owner.root / ".dvc/cache").rename(owner.root.parent / "elsewhere")
    return owner


def test_a_project_gets_and_imports_checkpoints(
    shared: TestClone, bucket: Bucket, tmp_path: Path
) -> None:
    """The commands for a downstream project yield the pinned bytes and the sealed hash."""
    project = tmp_path / "project"
    project.mkdir()
    shell(shared, "git init -q && dvc init -q", project)
    bucket.clear()

    for command, _ in commands(TEAM):
        shell(shared, command.replace("../sam-pt-checkpoints", str(shared.root)), project)

    assert any("alt=media" in request.url for request in bucket.requests)
    expected = files(SCALE, REPOSITORY)[THINGS]
    assert (project / "raft-things.pth").read_bytes() == expected
    assert (project / THINGS).read_bytes() == expected
    seal = re.search(r"md5: (\w+\.dir)", shared.read("models.dvc").decode())
    assert seal
    assert seal[1] in (project / "models.dvc").read_text()


def test_what_a_project_installs_is_what_is_installed_here() -> None:
    """DVC, and its plugin for the bucket."""
    for package in ("dvc", "dvc-gs"):
        assert re.search(rf"^{package}(\[.*\])?==", pages.text("requirements.txt"), re.MULTILINE)
    assert "`dvc`, or `dvc dvc-gs` for a bucket" in TEAM
