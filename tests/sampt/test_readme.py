"""README and demo: every command in README is run, and prints the lines under it."""

from __future__ import annotations

import re
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.catalogue import sources
from tests.conftest import SCALE
from tests.sampt import demo
from tests.sampt.guide import HOLDS, of_its_files
from tests.world import World, clones
from tests.world.checkpoints import files
from tests.world.clones import REPOSITORY, TestClone
from tests.world.teams import fill

if TYPE_CHECKING:
    from tests.world.bucket import Bucket
    from tests.world.teams import Team

pytestmark = of_its_files
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
TABLE = re.findall(r"^\| [^|]+ \| `((?:dvc|python -m) [^`]+)` \| (.+) \|$", README, re.MULTILINE)


def written(block: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a console block, each with the lines under it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.splitlines()[0], part.splitlines()[1:]) for part in parts]


def pattern(line: str) -> str:
    """Return a regular expression for a line, in which ... stands for any text."""
    return re.escape(line).replace(re.escape("..."), ".*")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return a folder that make takes for the environment that `make minimal` installs."""
    folder = tmp_path / "venv"
    folder.mkdir()
    for part in Path(sys.prefix).iterdir():
        if not part.name.startswith("installed"):
            (folder / part.name).symlink_to(part)
    for more in ("", "-dev"):
        shutil.copy(REPOSITORY / f"requirements{more}.txt", folder / f"installed{more}")
    return folder


def shell(clone: TestClone, command: str, cwd: Path, **more: str) -> str:
    """Run a command as a reader of README does, and return its output."""
    words = command.replace("<this repository>", str(clone.root))
    done = TestClone(cwd, {**clone.env, **more}).run("bash", "-c", words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_readme_has_at_most_150_lines() -> None:
    """A newcomer can read it in one sitting."""
    assert len(README.splitlines()) <= 150


def test_readme_says_which_files_have_one_address() -> None:
    """When that fails, nobody else is asked: whoever needs the file keeps a copy."""
    said = re.findall(r"`([^`]+)`", README.partition("One address only: ")[2].partition(".\n")[0])
    read = [sources.read(REPOSITORY / "sources", name) for name in HOLDS.published]

    single = {source.name for source in read if not source.mirrors}

    assert single == {name for name in HOLDS.published if any(fnmatch(name, p) for p in said)}


def test_the_two_commands_download_the_minimal_variant(
    clone: TestClone, environment: Path, tmp_path: Path
) -> None:
    """Clone and make minimal, in an empty folder, print what README shows; git stays clean."""
    first, second = written(CONSOLE[0])

    shell(clone, first[0], tmp_path)
    printed = shell(clone, second[0], tmp_path / "sam-pt-checkpoints", VENV=str(environment))

    for line in second[1]:
        assert re.search(f"^{pattern(line)}$", printed, re.MULTILINE), line
    found = {p.name for p in (tmp_path / "sam-pt-checkpoints/models").rglob("*.pth")}
    assert found == {"cotracker_stride_4_wind_8.pth", "sam_hq_vit_h.pth"}
    assert shell(clone, "git status --porcelain", tmp_path / "sam-pt-checkpoints") == ""


def test_activation_is_what_make_creates() -> None:
    """README activates the environment that the Makefile names."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")

    assert written(CONSOLE[1]) == [(". .venv/bin/activate", [])]
    assert "VENV ?= .venv\n" in makefile


def test_every_command_of_the_table_prints_what_it_says(clone: TestClone, tmp_path: Path) -> None:
    """The commands of the table, one after another."""
    assert [command for command, _ in TABLE][:2] == [
        "dvc repro fetch@sam_vit_b", "dvc repro fetch_minimal",
    ]  # fmt: skip
    assert len(TABLE) == 13
    for command, says in TABLE:
        _prepare(clone, command, tmp_path)
        printed = shell(clone, command, clone.root)
        for line in re.findall(r"`([^`]+)`", says):
            assert re.search(pattern(line), printed), (command, line, printed)


def _prepare(clone: TestClone, command: str, folder: Path) -> None:
    """Create the state that a row of the table needs: a changed file, or an empty clone."""
    if command.startswith("dvc checkout"):
        path = clone.root / "models/raft_ckpts/raft-small.pth"
        path.unlink()
        path.write_bytes(b"not what was pinned")
    if command.startswith("dvc pull"):
        for name in ("models", ".dvc/cache"):
            if (clone.root / name).exists():
                (clone.root / name).rename(
                    folder / f"{name.replace('/', '-')}-{command.count('-')}"
                )


def test_the_catalogue_is_changed_by_three_commands(clone: TestClone, world: World) -> None:
    """A file is added, its pin is compared, the file is removed; the tree is as before."""
    before = clone.read("params.yaml")
    url, path = "https://dl.fbaipublicfiles.com/new/new_file.pth", "models/new_ckpts/new_file.pth"
    world.publish(url, b"weights")
    add, look, take = (command for command, _ in written(CONSOLE[2]))

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


@pytest.fixture
def shared(team: Team, bucket: Bucket) -> TestClone:
    """Return a clone whose remote is committed and filled, and whose cache is moved away."""
    owner = team.owner(url="")
    share = written(CONSOLE[4])[0][0].replace("BUCKET/PREFIX", "lab/checkpoints")
    shell(owner, f"{share} && git commit -qam state", owner.root)
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

    for command, _ in written(CONSOLE[3]):
        shell(shared, command.replace("<this repository>", f"file://{shared.root}"), project)

    assert any("alt=media" in request.url for request in bucket.requests)
    things = "models/raft_ckpts/raft-things.pth"
    assert (project / "raft-things.pth").read_bytes() == files(SCALE, REPOSITORY)[things]
    assert (project / "models" / things.removeprefix("models/")).read_bytes() == files(
        SCALE, REPOSITORY
    )[things]
    seal = re.search(r"md5: (\w+\.dir)", shared.read("models.dvc").decode())
    assert seal
    assert seal[1] in (project / "models.dvc").read_text()


def test_ci_calls_the_test_command_of_the_readme() -> None:
    """`.ci/run` installs from requirements.txt, by make, and runs what README names."""
    command, _ = written(CONSOLE[5])[0]

    assert command == "make test"
    assert f"\n{command} VENV=" in (REPOSITORY / ".ci/run").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_demo_shows_what_it_should(tmp_path: Path) -> None:
    """Every step of make demo succeeds, at a smaller scale."""
    with World(scale=SCALE, root=REPOSITORY) as world:
        shown = demo.show(tmp_path, world, SCALE)

    assert shown.faults == []
    assert shown.steps > 20


def test_a_demo_with_another_output_fails(tmp_path: Path) -> None:
    """The demo's checks can fail: a wrong exit code and a missing text both count."""
    shown = demo.Demo(clones.isolated(tmp_path))

    shown.run(tmp_path, "echo hello", "goodbye", fails=True)

    assert len(shown.faults) == 2
