"""A fork runs a command as a new interpreter does."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.world import forks

if TYPE_CHECKING:
    from pathlib import Path

MODULES = {
    "says": "import os, sys; print(__name__, sys.argv[1:], os.getcwd(), os.environ['X'])",
    "errs": "import sys; sys.exit('no')",
    "fails": "raise ValueError('no')",
    "dies": "import os, signal; print('x', flush=True); os.kill(os.getpid(), signal.SIGTERM)",
    "stops": "import sys; sys.exit(7)",
    "late": "import atexit, threading; atexit.register(print, 2); "
    "threading.Timer(0.1, print, [1]).start()",
}


@pytest.mark.parametrize("name", MODULES)
def test_a_fork_prints_and_ends_as_a_process_does(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words, folder, environment, output, exit code, and what is done at its end."""
    (tmp_path / f"{name}.py").write_text(MODULES[name])
    monkeypatch.setenv("X", "é")
    words = (sys.executable, "-m", name, "a b", "c")

    found = forks.run(words, {"X": "é"}, tmp_path)

    real = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert (found.returncode, found.stdout) == (real.returncode, real.stdout)
    assert found.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]


@pytest.mark.parametrize("name", ["says", "errs", "dies", "stops"])
def test_a_shell_starts_forks_of_its_own(name: str, tmp_path: Path) -> None:
    """With what they read, where they print, and how they end; what is no module is not one."""
    (tmp_path / f"{name}.py").write_text(MODULES[name])
    env = os.environ | {"PATH": f"{sys.prefix}/bin:/bin:/usr/bin", "X": "é"}
    line = f"python -c 'print(3)'; cd . && python -m {name} 'a b' <&- 2>&1 | cat; echo $PIPESTATUS"
    shells = [("bash", "-c", line) for _ in "ab"]

    found, real = (
        subprocess.run(words, cwd=tmp_path, env=each, capture_output=True, text=True, check=False)  # noqa: S603
        for words, each in zip(shells, (forks.reaching(env), env), strict=True)
    )

    assert "bin:" in forks.reaching(env)["PATH"].removesuffix(env["PATH"])
    assert (found.returncode, found.stdout) == (real.returncode, real.stdout)


def test_what_a_fork_cannot_do_runs_in_a_new_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs, other interpreters, and what an interpreter reads as it starts."""
    monkeypatch.delenv("PYTHONUTF8", raising=False)
    env = os.environ | {"PATH": f"{sys.prefix}/bin:/bin"}

    assert forks.runs(("dvc", "status"), env)
    assert forks.runs((sys.executable, "-m", "scripts.fetch"), env)
    assert not forks.runs((sys.executable, "-c", ""), env)
    assert not forks.runs(("git", "status"), env)
    assert not forks.runs(("dvc", "status"), env | {"PATH": "/bin"})
    assert not forks.runs(("dvc", "status"), env | {"PYTHONUTF8": "1"})
