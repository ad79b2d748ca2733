"""docs/recipes.md: every recipe is run as far as a machine without internet and docker can."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from paper.tests.guide import HOLDS, of_its_files
from tests import pages
from tests.conftest import SCALE
from tests.world.checkpoints import files
from tests.world.clones import REPOSITORY, TestClone, stock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World

pytestmark = of_its_files
PAGE = pages.text("docs/recipes.md")
SECTIONS = pages.sections(PAGE)
FILES = files(SCALE, REPOSITORY)
# What stands for SAM-PT's own demo: it fails unless its two files are where it is started.
DEMO = f"""import pathlib
for path in {HOLDS.sets["minimal"]}:
    assert pathlib.Path(path).is_file() and not pathlib.Path(path).is_symlink()
print("demo done")
"""


@dataclass(frozen=True)
class Place:
    """A folder with the two checkouts, in which the lines of a recipe are run."""

    folder: Path
    clone: TestClone
    venv: Path

    def run(self, lines: str, cwd: Path | None = None, **env: str) -> str:
        """Run lines in a shell, which stops at the first that fails; paths below / are here."""
        for root in ("content", "checkpoints", "sam-pt", "media"):
            lines = re.sub(rf"(?<![\w.}}\"/-])/{root}\b", f"{self.folder}/{root}", lines)
        return pages.shell(self.clone, f"set -e\n{lines}", cwd or self.folder, VENV=str(self.venv),
                           **env)  # fmt: skip

    def has_minimal(self, checkout: str) -> bool:
        """Tell whether a checkout has the two files, with the right bytes."""
        paths = HOLDS.sets["minimal"]
        return all((self.folder / checkout / p).read_bytes() == FILES[p] for p in paths)


@pytest.fixture
def place(clone: TestClone, environment: Path) -> Place:
    """A clone beside SAM-PT's checkout, in a folder of their own."""
    folder = clone.root.parent
    (folder / "sam-pt/demo").mkdir(parents=True)
    (folder / "sam-pt/demo/demo.py").write_text(DEMO)
    clone.root.rename(folder / "sam-pt-checkpoints")
    return Place(folder, TestClone(folder / "sam-pt-checkpoints", clone.env), environment)


def only(section: str, language: str) -> str:
    """Return the only block of a section in this language."""
    (block,) = pages.blocks(SECTIONS[section], language)
    return block


def test_ci_downloads_once(place: Place, world: World) -> None:
    """A second job gets what the first has cached under the hash of the seal."""
    (job,) = yaml.safe_load(only("CI: a workflow that downloads once", "yaml"))["jobs"].values()
    (cache,) = (step["with"] for step in job["steps"] if "actions/cache" in step.get("uses", ""))
    lines = "\n".join(step["run"] for step in job["steps"] if "run" in step)

    place.run(lines)
    kept = place.folder / "kept"
    (place.folder / cache["path"]).rename(kept)
    shutil.rmtree(place.clone.root / "models")
    shutil.copytree(kept, place.folder / cache["path"])
    world.clear()
    place.run(lines)

    assert world.requests == []
    assert place.has_minimal("sam-pt")
    (hashed,) = re.findall(r"hashFiles\('(.+)'\)", cache["key"])
    assert (place.folder / hashed).samefile(place.clone.root / "models.dvc")


def test_the_workflow_pins_actions_and_may_only_read() -> None:
    """By commit, with the version beside it, as the workflow of this repository does."""
    text = only("CI: a workflow that downloads once", "yaml")
    uses = re.findall(r"uses: (.*)", text)

    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", line) for line in uses)
    ours = re.findall(r"uses: (actions/checkout@.*)", pages.text(".github/workflows/ci.yml"))
    assert {use for use in uses if "checkout" in use} == {*ours}
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


def test_a_docker_stage_ends_with_plain_files(place: Place) -> None:
    """Its RUN lines, run by a shell, fill the folder that the last stage copies."""
    text = only("Docker: a build stage", "dockerfile").replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if line]
    assert [word for word, _ in steps] == ["FROM", "RUN", "RUN", "FROM", "COPY"]
    copied = steps[-1][1].split()

    place.run("rm -r sam-pt")
    for word, line in steps:
        if word == "RUN":
            place.run(re.sub(r"--mount=\S+ ", "", line))

    assert steps[0][1].endswith(f"AS {copied[0].removeprefix('--from=')}")
    assert f"{copied[1]}" == "/sam-pt/models"
    assert place.has_minimal("sam-pt")
    assert not [p for p in (place.folder / "sam-pt/models").rglob("*") if p.is_symlink()]


def test_a_colab_cell_links_the_files(place: Place) -> None:
    """Each line is one for the shell."""
    lines = only("Colab: a cell", "python").splitlines()
    (place.folder / "content/sam-pt").mkdir(parents=True)

    place.run("\n".join(line.removeprefix("!") for line in lines))

    assert all(line.startswith("!") for line in lines)
    assert place.has_minimal("content/sam-pt")


def test_a_slurm_job_runs_on_the_disk_of_its_node(place: Place, world: World) -> None:
    """SAM-PT finds plain files where the job starts it; no connection is opened."""
    job = only("Slurm: a job with a node-local disk", "sh")
    (place.folder / "job").write_text(job)
    disk = place.folder / "disk"
    disk.mkdir()
    place.run("cd sam-pt && git init -q && git add . && git commit -qm sam-pt")
    place.run("sam-pt-checkpoints/checkpoints fetch minimal")
    world.clear()

    printed = place.run("sh job", SLURM_SUBMIT_DIR=str(place.folder), TMPDIR=str(disk))

    assert "demo done\n" in printed
    assert world.requests == []
    assert job.startswith("#!/bin/sh\n#SBATCH ")


def test_a_laptop_needs_no_program_of_ours(place: Place) -> None:
    """All files come by a disk, with their hashes."""
    stock(place.clone.root, SCALE)
    section = "A laptop without internet"
    *here, (there, _) = pages.commands(SECTIONS[section])

    for command, _ in here:
        place.run(command, place.clone.root)
    laptop = place.folder / "laptop"
    laptop.mkdir()
    place.run(there, laptop, PATH="/usr/bin:/bin")

    found = {p.relative_to(laptop).as_posix(): p.read_bytes()
             for p in laptop.rglob("*") if p.is_file()}  # fmt: skip
    assert found == FILES


def test_no_section_is_left_untested() -> None:
    """A new recipe needs its own test here."""
    assert len(SECTIONS) == 5
    assert len(PAGE.splitlines()) <= 100
