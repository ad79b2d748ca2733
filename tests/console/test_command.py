"""scripts.console.command and errors: one message, and one exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.console import errors
from scripts.console.command import command, parser
from scripts.console.errors import CatalogueError, CheckpointError
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.world.clones import TestClone


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CheckpointError("what"), 1),
        (errors.SourceError("what"), 1),
        (errors.TransientError("what", wait=3), 1),
        (errors.ContentError("what"), 1),
        (errors.DiskError("what"), 1),
        (errors.ArchiveError("what"), 1),
        (errors.UsageError("what"), 2),
        (errors.StoppedError("what"), 130),
    ],
)
def test_an_error_is_one_message_and_an_exit_code(
    error: CheckpointError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is on stderr, without a traceback; stdout is for results."""

    @command
    def main(_: Sequence[str] | None) -> None:
        raise error

    assert main([]) == code
    assert capsys.readouterr() == ("", "error: what\n")


def test_a_closed_pipe_is_no_traceback(clone: TestClone) -> None:
    """As in `... | head -1`; the exit code is 128 + SIGPIPE."""
    done = clone.run("bash", "-c", 'python -m scripts.bom | true; echo "${PIPESTATUS[0]}"')

    assert (done.stdout, done.stderr) == ("141\n", "")


def test_a_message_is_a_headline_and_indented_details(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as both values and the next step."""

    @command
    def main(_: Sequence[str] | None) -> None:
        raise CheckpointError("what", "one", "two")

    assert main() == 1
    assert capsys.readouterr().err == "error: what\n  one\n  two\n"


@pytest.mark.parametrize(("faults", "count"), [(["a"], "1 fault"), (["a", "b"], "2 faults")])
def test_faults_are_counted_and_kept(faults: list[str], count: str) -> None:
    """A caller can read them one by one."""
    error = CatalogueError("params.yaml", faults)

    assert error.what == f"params.yaml: {count}"
    assert error.faults == tuple(faults)
    assert error.details == (*faults, "Nothing was fetched or changed.")


def test_a_transient_error_keeps_its_attributes() -> None:
    """The seconds to wait, and whether there was a connection."""
    error = errors.TransientError("busy", wait=2.5, connected=False)

    assert (error.wait, error.connected, str(error)) == (2.5, False, "busy")


def test_success_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    """The command gets the arguments, and keeps its name."""
    seen: list[Sequence[str] | None] = []

    @command
    def main(argv: Sequence[str] | None) -> None:
        """Append the arguments."""
        seen.append(argv)

    assert (main(["a"]), main(), seen) == (0, 0, [["a"], None])
    assert (main.__name__, main.__doc__) == ("main", "Append the arguments.")
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 130, as in a shell, and one line: what to do next."""

    @command
    def main(_: Sequence[str] | None) -> None:
        raise KeyboardInterrupt

    assert main([]) == 130
    assert capsys.readouterr() == ("", "error: stopped; run the same command again\n")


def test_a_bug_is_not_hidden() -> None:
    """Nothing catches Exception: a bug shows its traceback."""

    @command
    def main(_: Sequence[str] | None) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main([])


def test_an_unknown_option_is_a_usage_error(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the usage of the command."""
    with pytest.raises(SystemExit) as caught:
        fetch.main(["--force", "sam_vit_b"])

    assert caught.value.code == 2
    assert "usage: python -m scripts.fetch " in capsys.readouterr().err
    assert clone.tree() == {}


def test_ctrl_c_while_a_command_is_imported_is_one_line(tmp_path: Path) -> None:
    """Imports take a moment; a bug there still shows its traceback."""
    code = "import scripts.console; raise "

    stopped, broken = (
        python(tmp_path, "-c", code + error) for error in ("KeyboardInterrupt", "KeyError")
    )

    assert stopped.returncode == -signal.SIGINT
    assert stopped.stderr == "error: stopped before the command started\n"
    assert "Traceback" in broken.stderr


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with the repository's modules."""
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    words = (sys.executable, *words)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.mark.parametrize("name", ["fetch", "seal", "tree", "bom", "scan"])
def test_a_command_runs_as_a_module(name: str, tmp_path: Path) -> None:
    """`python -m scripts.NAME` exits with what main returns, and prints no traceback."""
    done = python(tmp_path, "-m", f"scripts.{name}")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_quiet_reaches_whatever_a_command_starts() -> None:
    """Its bars, and its children; then it is over."""
    seen: list[object] = []

    @command
    def main(argv: Sequence[str] | None) -> None:
        seen.append(parser("name", "what").parse_args(argv).quiet)
        seen.append(os.environ.get("CHECKPOINTS_QUIET"))

    assert (main([]), main(["-q"]), main([])) == (0, 0, 0)
    assert seen == [False, None, True, "1", False, None]


PRINTS = """
import sys
from scripts.console.command import command
from scripts.console.progress import note, say
if "drive" in sys.argv:
    import gdown
@command
def main(_):
    say("r\\u00e9sultat")
    note("done")
sys.exit(main())
"""


def printed(folder: Path, words: str, **more: str) -> tuple[int, str, str]:
    """Run a command that prints one result; return exit code, stdout and stderr."""
    (folder / "prints.py").write_text(PRINTS)
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)} | more
    line = ("bash", "-c", f"{sys.executable} prints.py {words}")
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, check=False)  # noqa: S603
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("drive", ["", "drive"])
@pytest.mark.parametrize(
    ("redirected", "reason"),
    [(">/dev/full", "no space left on device"), (">&-", "stdout is closed")],
)
def test_a_result_that_cannot_be_printed_is_an_error(
    redirected: str, reason: str, drive: str, tmp_path: Path
) -> None:
    """With an exit code of its own, and no traceback, not even at the end of Python."""
    said = f"error: the result could not be printed: {reason}\n"

    assert printed(tmp_path, f"{drive} {redirected}") == (74, "", said)


def test_a_terminal_that_has_gone_is_no_traceback(tmp_path: Path) -> None:
    """Nor is a log on a full disk: messages are dropped, results are printed."""
    for redirected in ("2>/dev/full", "2>&-"):
        assert printed(tmp_path, redirected) == (0, "résultat\n", "")


def test_a_result_is_printed_in_any_encoding(tmp_path: Path) -> None:
    """A character that it lacks is printed as its escape."""
    found = printed(tmp_path, "", PYTHONIOENCODING="ascii:strict")

    assert found == (0, "r\\xe9sultat\n", "done\n")
