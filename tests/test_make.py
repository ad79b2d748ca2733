"""The Makefile and CI: programs named by their path, and actions that cannot change."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = ["minimal", "complete", "page", "demo", "bench", "scale", "torture", "coverage", "test"]


def make(folder: Path, *words: str, **more: str) -> str:
    """Run make with the repository's Makefile in a folder; return what it printed."""
    done = subprocess.run(  # noqa: S603 - the test's own words
        [shutil.which("make") or "", *words], cwd=folder, env={**os.environ, **more},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_every_recipe_names_its_program_by_a_path(tmp_path: Path) -> None:
    """So it needs no PATH that make would have to hand on."""
    printed = make(REPOSITORY, "-n", f"VENV={tmp_path}/venv", *TARGETS).splitlines()

    programs = {line.split()[0] for line in printed}

    assert programs == {"./checkpoints", f"{tmp_path}/venv/bin/python"}


@pytest.mark.parametrize("target", ["minimal", "lint"])
def test_a_make_that_exports_no_path_runs_the_same_programs(target: str, tmp_path: Path) -> None:
    """As macOS's make is reported to: its shell gets the user's PATH, whose Python is wrong."""
    wrong, place = tmp_path / "wrong", tmp_path / "clone"
    for program in ("python", "python3", "dvc", "ruff", "mypy"):
        script(wrong / program, "echo wrong; exit 1")
    path = f"{wrong}:{os.environ['PATH']}"
    shell = script(tmp_path / "shell", f'PATH="{path}" exec /bin/sh "$@"')
    script(place / "checkpoints", 'echo "checkpoints $*"')
    script(place / ".venv/bin/python", 'echo "python $*"')
    shutil.copy(REPOSITORY / "Makefile", place)

    printed = make(place, "-s", f"SHELL={shell}", target, PATH=path)

    assert printed.splitlines() == {
        "minimal": ["checkpoints fetch"],
        "lint": [
            "checkpoints environment dev", "python -m ruff check .",
            "python -m ruff format --check .", "python -m mypy",
        ],
    }[target]  # fmt: skip


def script(path: Path, body: str) -> Path:
    """Write a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_ci_pins_every_action_by_its_commit() -> None:
    """A tag can be moved; the version stands beside it for those who read or update it."""
    text = (REPOSITORY / ".github/workflows/ci.yml").read_text(encoding="utf-8")

    uses = re.findall(r"uses: (.*)", text)

    assert uses
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", line) for line in uses)


def test_ci_runs_on_both_systems() -> None:
    """Linux the test script, macOS the launcher and the demo; neither may write here."""
    read = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text(encoding="utf-8"))

    ran = {
        name: [step["run"] for step in job["steps"] if "run" in step]
        for name, job in read["jobs"].items()
    }

    assert read["permissions"] == {"contents": "read"}
    assert ran["linux"] == [".ci/run"]
    assert ran["macos"][0].endswith('/checkpoints"')
    assert ran["macos"][-1] == "make demo"
