"""From a fresh clone to files in use, as somebody does it whose Python is too old."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from paper.tests.guide import HOLDS, of_its_files
from tests.conftest import SCALE
from tests.world.checkpoints import files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.clones import TestClone

pytestmark = of_its_files
# What makes an environment here has nothing to install: its Python is that of the tests.
PYTHON = f"""#!/bin/sh
[ "$2" = pip ] && exit
exec "{sys.executable}" "$@"
"""
MAKE = 'mkdir -p "{0}/bin"; touch "{0}/pyvenv.cfg"; cp "$MADE" "{0}/bin/python"'
UV = f'#!/bin/sh\n[ "$1" = pip ] && exit\n{MAKE.format("$4")}\n'
NEW = f"""#!/bin/sh
case "$1 $2" in
  "-c import os"*) echo "$0"; exit ;; # the file of this Python
  -c*) exit ;;
esac
{MAKE.format("$3")}
"""


@pytest.fixture(params=["uv", "pip"])
def conda(request: pytest.FixtureRequest, clone: TestClone, tmp_path: Path) -> TestClone:
    """A clone beside an old Python that is first on PATH; a newer one has another name."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "made").write_text(PYTHON)
    (tmp_path / "made").chmod(0o755)
    old = dict.fromkeys(("python", "python3", "python3.13", "uv"), "#!/bin/sh\nexit 1\n")
    for name, text in (
        old | {"python3.12": NEW} | ({"uv": UV} if request.param == "uv" else {})
    ).items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    path = f"{programs}:{clone.env['PATH']}"
    return type(clone)(clone.root, {**clone.env, "PATH": path, "MADE": str(tmp_path / "made")})


def shell(conda: TestClone, words: str, folder: Path) -> str:
    """Run a line in a folder; return what it printed on stdout."""
    done = subprocess.run(  # noqa: S603 - the words are the test's own
        [shutil.which("sh") or "", "-c", words], cwd=folder, env=dict(conda.env),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_one_line_makes_the_environment_and_fetches(conda: TestClone) -> None:
    """In the folder of the clone, and from any other; DVC has nothing to add."""
    shell(conda, "./checkpoints fetch minimal", conda.root)

    paths = HOLDS.sets["minimal"]
    assert conda.tree() == {path: files(SCALE, conda.root)[path] for path in paths}
    assert (conda.root / ".venv/installed").read_bytes() == conda.read("requirements.txt")
    there = shell(conda, f"'{conda.root}/checkpoints' dvc status fetch_minimal", conda.root.parent)
    assert there == "Data and pipelines are up to date.\n"
    again = shell(conda, "../checkpoints fetch minimal", conda.root / "docs")
    assert f"{len(paths)} were there" in again
    assert shell(conda, "git status --porcelain", conda.root) == ""


def test_a_consumer_finds_what_it_loads(conda: TestClone, tmp_path: Path) -> None:
    """Two commands from nothing, in the consumer's folder; the files of its default are there."""
    consumer = tmp_path / "sam-pt"
    consumer.mkdir()
    here = f"'{conda.root}/checkpoints'"

    shell(conda, f"{here} fetch minimal && {here} link .", consumer)

    loaded = HOLDS.configurations["sam_pt"]
    assert loaded
    for path in loaded:
        assert (consumer / path).read_bytes() == files(SCALE, conda.root)[path]


def test_a_path_is_read_where_it_is_typed(conda: TestClone, tmp_path: Path) -> None:
    """Not at the root of the clone, where the command runs."""
    shell(conda, f"'{conda.root}/checkpoints' bom --output bill.json", tmp_path)

    assert (tmp_path / "bill.json").exists()
    assert not (conda.root / "bill.json").exists()
