"""./checkpoints: one environment, made and mended from any folder, by whatever Python is there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.world.clones import REPOSITORY
from tests.world.processes import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Beside Python and uv, all that the script may call.
TOOLS = ("sh", "dirname", "readlink", "cmp", "cp", "rm", "rmdir", "mkdir", "cat", "grep", "tail")
OLD = "#!/bin/sh\nexit 1\n"  # a Python that is not new enough, or none at all
# A Python that only tells what it was asked to do, and makes environments of itself.
NEW = """#!/bin/sh
case "$1 $2" in
  "-c import sys"*) exit 0 ;;
  "-c import os"*) echo "$0"; exit ;;
  "-m pip") [ "$3" = --version ] && exit ;;
esac
echo "$(basename "$0") $*" >>"$CALLS"
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin"; echo >"$3/pyvenv.cfg"; cp "$0" "$3/bin/python" ;;
  "-m pip") eval "${PIP-:}" ;;
  *)
    printf '%s|' "$(pwd -P)" "${CHECKPOINTS_FROM-}" "${PYTHONPATH-}${PYTHONHOME-}" "$@"
    exit "${EXIT-0}"
    ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >>"$CALLS"
case $1 in
  venv) mkdir -p "$4/bin"; echo >"$4/pyvenv.cfg"; cp "$MADE" "$4/bin/python" ;;
  *) eval "${UVPIP-:}" ;;
esac
"""
OFFLINE = "echo 'error sending request: dns error'; echo more; exit 1"
NO_NETWORK = (
    "error: no connection to the package index: nothing was installed. "
    "Next: check the network, or set HTTPS_PROXY, and repeat the command."
)
NO_PYTHON = (
    "error: python3 is not a Python of 3.10 or later. Next: install uv or such a Python, "
    "or name one: PYTHON=python3.12 ./checkpoints"
)
PIP = "python -m pip --disable-pip-version-check install --require-hashes -r requirements.txt"


@dataclass
class Launched:
    """A clone with the script, programs on PATH that only tell, and the shell that runs it."""

    base: Path
    shell: str
    env: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The clone."""
        return self.base / "the clone"

    @property
    def calls(self) -> list[str]:
        """What the programs were called with since the last look; the log is empty after it."""
        log = self.base / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return [line.replace(f"{self.base}/", "") for line in lines]

    def has(self, name: str, text: str) -> None:
        """Put a program on PATH."""
        path = self.base / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start the script from the folder that holds the clone."""
        return subprocess.Popen(  # noqa: S603 - the words are the test's own
            (shutil.which(self.shell) or "", f"{self.root}/checkpoints", *words),
            cwd=self.base,
            env={**self.env, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **more: str) -> tuple[int, str, str]:
        """Run the script; return exit code, stdout and stderr."""
        with self.start(*words, **more) as process:
            out, err = process.communicate()
        return process.returncode, out, err


@pytest.fixture(params=["dash", "bash"])
def launched(request: pytest.FixtureRequest, tmp_path: Path) -> Launched:
    """A fresh clone in an environment whose first python3 is too old; another one is not."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    made = Launched(tmp_path, request.param)
    for folder in ("the clone/scripts", "bin", "tools"):
        (tmp_path / folder).mkdir(parents=True)
    for name in [*TOOLS, "flock", "basename", "sleep"]:
        (tmp_path / "tools" / name).symlink_to(shutil.which(name) or "")
    shutil.copy(REPOSITORY / "checkpoints", made.root)
    (made.root / "scripts/__main__.py").touch()
    for part in ("", "-dev"):
        (made.root / f"requirements{part}.txt").write_text(f"what{part} is needed\n")
    made.has("python3", OLD)
    made.has("python3.12", NEW)
    made.env |= {"PATH": f"{tmp_path}/bin:{tmp_path}/tools", "CALLS": f"{tmp_path}/calls"}
    made.env |= {"MADE": f"{tmp_path}/bin/python3.12"}
    return made


def test_the_first_use_makes_the_environment(launched: Launched) -> None:
    """With the first Python that is new enough; the next use only runs the command."""
    code, out, err = launched.run("fetch", "two words", PYTHONPATH="/x", PYTHONHOME="/y")

    assert (code, err) == (
        0, "installing packages into .venv: a few seconds with uv, a minute with pip\n",
    )  # fmt: skip
    assert out == f"{launched.root}|{launched.base}||-m|scripts|fetch|two words|"
    assert launched.calls == [
        "python3.12 -m venv the clone/.venv", PIP, "python -m scripts fetch two words",
    ]  # fmt: skip
    assert launched.run("verify", EXIT="7")[0] == 7
    assert launched.calls == ["python -m scripts verify"]
    assert not (launched.root / ".venv.log").exists()


def test_uv_makes_it_where_there_is_one(launched: Launched) -> None:
    """With the Python that was found; without any, uv finds or downloads one."""
    launched.has("uv", UV)
    install = f"uv pip install --python the clone/.venv/bin/python {PIP.partition('install ')[2]}"

    for python, named in ((NEW, "bin/python3.12"), (OLD, ">=3.10")):
        launched.has("python3.12", python)
        launched.has("made", NEW)
        made = f"{launched.base}/bin/made"
        assert launched.run("seal", MADE=made)[0] == 0
        assert launched.calls == [
            f"uv venv --python {named} the clone/.venv", install, "python -m scripts seal",
        ]  # fmt: skip
        shutil.rmtree(launched.root / ".venv")


def test_pip_does_it_if_uv_cannot(launched: Launched) -> None:
    """Such as where pip alone knows the index that may be reached."""
    launched.has("uv", UV)

    assert launched.run("seal", UVPIP=OFFLINE)[0] == 0

    assert launched.calls[-2:] == [PIP, "python -m scripts seal"]


def test_a_link_leads_to_the_clone(launched: Launched) -> None:
    """One on PATH, and one to a link, relative to its own folder."""
    launched.run()
    (launched.base / "first").symlink_to("the clone/checkpoints")
    (launched.base / "bin/second").symlink_to("../first")

    done = subprocess.run(  # noqa: S603 - the test's own words
        [launched.base / "bin/second", "seal"], cwd="/", env=launched.env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == (f"{launched.root}|/||-m|scripts|seal|", "")


def test_a_copy_of_the_script_says_what_to_do(launched: Launched) -> None:
    """It needs the files beside it."""
    (launched.root / "scripts/__main__.py").unlink()

    code, out, err = launched.run()

    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "Next: link to the clone's checkpoints" in err


def test_changed_requirements_are_installed_in_place(launched: Launched) -> None:
    """Whatever the times of the files are; what is there already need not come again."""
    launched.run()
    (launched.root / "requirements.txt").write_text("something else\n")
    os.utime(launched.root / "requirements.txt", (1, 1))
    assert len(launched.calls) == 3

    launched.run()

    assert launched.calls == [PIP, "python -m scripts"]


def killed(launched: Launched) -> None:
    """Kill the script while packages are installed."""
    launched.run(PIP="kill -9 $PPID; exit 1")
    (launched.root / ".venv/left").touch()
    assert (launched.root / ".venv/installed").read_text() == "making\n"


def dangling(launched: Launched) -> None:
    """Remove the Python that an environment was made with."""
    launched.run()
    (launched.root / ".venv/bin/python").unlink()
    (launched.root / ".venv/bin/python").symlink_to("gone")
    (launched.root / ".venv/left").touch()


def emptied(launched: Launched) -> None:
    """Leave the folder alone."""
    (launched.root / ".venv").mkdir()


@pytest.mark.parametrize("harm", [killed, dangling, emptied])
def test_a_half_made_environment_is_made_again(
    launched: Launched, harm: Callable[[Launched], None]
) -> None:
    """From nothing: what a kill left of a package cannot be trusted."""
    harm(launched)
    (launched.base / "calls").unlink(missing_ok=True)

    assert launched.run()[0] == 0

    assert launched.calls[:2] == ["python3.12 -m venv the clone/.venv", PIP]
    assert not (launched.root / ".venv/left").exists()


def test_a_folder_that_is_no_environment_is_left_alone(launched: Launched) -> None:
    """One line says so; nothing is removed."""
    (launched.root / ".venv").mkdir()
    (launched.root / ".venv/thesis.tex").touch()

    code, out, err = launched.run()

    assert (code, out) == (1, "")
    assert "is not an environment. Next: move it away" in err
    assert (launched.root / ".venv/thesis.tex").exists()


@pytest.mark.parametrize("uv", [False, True])
def test_without_a_network_there_is_one_line(launched: Launched, *, uv: bool) -> None:
    """And the next run tries again."""
    launched.has("uv", UV if uv else OLD)

    code, out, err = launched.run("seal", PIP=OFFLINE, UVPIP=OFFLINE)

    assert (code, out) == (1, "")
    assert err.splitlines()[1:] == [NO_NETWORK]
    assert launched.run("seal")[0] == 0


def test_another_failure_is_shown_with_its_reason(launched: Launched) -> None:
    """The last error that pip printed; the log has the rest."""
    wrong = "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES'; echo; exit 1"

    code, _, err = launched.run(PIP=wrong)

    assert code == 1
    assert err.splitlines()[1] == (
        "error: the packages were not installed: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES. "
        f"Next: see {launched.root}/.venv.log"
    )


def test_a_python_without_venv_is_explained(launched: Launched) -> None:
    """Debian has it in a package of its own."""
    launched.has("python3.12", NEW.replace('"-m venv") ', '"-m venv") exit 1; '))

    code, _, err = launched.run()

    assert (code, len(err.splitlines())) == (1, 2)
    assert "apt install python3-venv" in err


@pytest.mark.parametrize("named", [{}, {"PYTHON": "python3"}])
def test_without_a_python_there_is_one_line(launched: Launched, named: dict[str, str]) -> None:
    """Nothing is new enough, or not what the user has named."""
    if not named:
        launched.has("python3.12", OLD)

    assert launched.run(**named) == (1, "", f"{NO_PYTHON}\n")


def test_conda_lends_its_own_python(launched: Launched) -> None:
    """That of its base, where the environment's is too old."""
    launched.has("python3.12", OLD)
    (launched.base / "base").write_text(NEW)
    (launched.base / "base").chmod(0o755)

    assert launched.run(CONDA_PYTHON_EXE=f"{launched.base}/base")[0] == 0

    assert launched.calls[0] == "base -m venv the clone/.venv"


def test_dvc_runs_where_the_user_is(launched: Launched) -> None:
    """In a folder of the clone, such as models/, which it has made; from elsewhere, at its root."""
    launched.run()

    out = launched.run("dvc", "status", "-q")[1]
    words = (shutil.which(launched.shell) or "", "../checkpoints", "dvc", "pull")
    below = subprocess.run(  # noqa: S603 - the test's own words
        words, cwd=launched.root / "models", env=launched.env, capture_output=True, check=True
    )

    assert out == f"{launched.root}|{launched.base}||-m|dvc|status|-q|"
    assert below.stdout.decode().endswith("/models||-m|dvc|pull|")
    assert below.stdout.decode().startswith(f"{launched.root}/models|")


def test_make_gets_its_environment_here_too(launched: Launched) -> None:
    """With more packages, and in another folder; an unknown part is one line."""
    assert launched.run("environment", "dev", VENV="other")[0] == 0
    assert launched.calls == [
        "python3.12 -m venv the clone/other", f"{PIP} -r requirements-dev.txt",
    ]  # fmt: skip
    assert launched.run("environment", "dev", VENV="other") == (0, "", "")
    assert launched.calls == []
    assert launched.run("environment", "prod")[::2] == (
        1, "error: there is no requirements-prod.txt. Next: dev or bench\n",
    )  # fmt: skip


@contextmanager
def installing(launched: Launched) -> Iterator[subprocess.Popen[str]]:
    """Start the script; its pip waits until there is a file `go`."""
    wait = f'while [ ! -e "{launched.base}/go" ]; do sleep 0.01; done'
    with launched.start("seal", PIP=wait) as process:
        try:
            until(lambda: " -m pip " in (launched.base / "calls").read_text())
            yield process
        finally:
            (launched.base / "go").touch()


@pytest.mark.parametrize("locker", ["flock", "perl"])
def test_two_at_once_wait_for_each_other(launched: Launched, locker: str) -> None:
    """The second one installs nothing; macOS has perl, but no flock."""
    (launched.base / "tools/flock").unlink()
    (launched.base / "tools" / locker).symlink_to(shutil.which(locker) or "")
    (launched.base / "calls").touch()
    with installing(launched) as first, launched.start("fetch") as second:
        assert second.stderr
        assert second.stderr.readline() == (
            "waiting for another ./checkpoints to make the environment\n"
        )
        (launched.base / "go").touch()
        assert (first.wait(), second.wait()) == (0, 0)

    assert sum(" -m pip " in call for call in launched.calls) == 1


def test_a_killed_one_does_not_block_the_next(launched: Launched) -> None:
    """The system drops its lock."""
    (launched.base / "calls").touch()
    with installing(launched) as first:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        assert launched.run()[::2] == (
            0, "installing packages into .venv: a few seconds with uv, a minute with pip\n",
        )  # fmt: skip
