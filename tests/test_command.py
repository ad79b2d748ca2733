"""scripts.command and scripts.errors: one boundary, one message, one exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import errors, fetch, unpack
from scripts.command import command, report
from scripts.errors import CatalogueError, CheckpointError
from scripts.pins import Pin
from scripts.workspace import Outcome
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.world.clones import TestClone

PIN = Pin("a" * 32, 12_345, "b" * 64)


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
    """On stderr, without a traceback; stdout is for results."""

    @command
    def main(_: Sequence[str] | None) -> None:
        raise error

    assert main([]) == code
    assert capsys.readouterr() == ("", "error: what\n")


def test_a_reader_that_left_gets_no_traceback(clone: TestClone) -> None:
    """As in `... | head -1`: the exit code is that of a pipe."""
    done = clone.run("bash", "-c", 'python -m scripts.bom | true; echo "${PIPESTATUS[0]}"')

    assert (done.stdout, done.stderr) == ("141\n", "")


def test_a_message_is_a_headline_and_indented_details(capsys: pytest.CaptureFixture[str]) -> None:
    """What, then both values and the next step."""

    @command
    def main(_: Sequence[str] | None) -> None:
        raise CheckpointError("what", "one", "two")

    assert main() == 1
    assert capsys.readouterr().err == "error: what\n  one\n  two\n"


@pytest.mark.parametrize(("faults", "count"), [(["a"], "1 fault"), (["a", "b"], "2 faults")])
def test_faults_are_counted_and_kept(faults: list[str], count: str) -> None:
    """A caller may look at them one by one."""
    error = CatalogueError("params.yaml", faults)

    assert error.what == f"params.yaml: {count}"
    assert error.faults == tuple(faults)
    assert error.details == (*faults, "Nothing was fetched or changed.")


def test_a_transient_error_keeps_what_the_publisher_said() -> None:
    """When to come back, and whether anybody answered."""
    error = errors.TransientError("busy", wait=2.5, connected=False)

    assert (error.wait, error.connected, str(error)) == (2.5, False, "busy")


def test_a_command_that_ends_well_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    """It is given the words it was called with, and keeps its name."""
    seen: list[Sequence[str] | None] = []

    @command
    def main(argv: Sequence[str] | None) -> None:
        """Append the words."""
        seen.append(argv)

    assert (main(["a"]), main(), seen) == (0, 0, [["a"], None])
    assert (main.__name__, main.__doc__) == ("main", "Append the words.")
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_is_told_as_a_stop(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 130, as shells have it, and what the next run will do."""

    @command
    def main(_: Sequence[str] | None) -> None:
        raise KeyboardInterrupt

    assert main([]) == 130
    err = capsys.readouterr().err
    assert err.startswith("error: stopped\n")
    assert "run the same command again, it goes on where it stopped" in err


def test_a_fault_of_ours_is_not_hidden() -> None:
    """Nothing catches Exception: a bug shows where it is."""

    @command
    def main(_: Sequence[str] | None) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main([])


@pytest.mark.parametrize("main", [fetch.main, unpack.main])
@pytest.mark.parametrize("argv", [[], ["--force", "sam_vit_b"]])
def test_a_wrong_call_is_usage(
    main: object, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No name, or an option that nobody offers: exit code 2 and how to call it."""
    assert callable(main)
    with pytest.raises(SystemExit) as caught:
        main(argv)

    assert caught.value.code == 2
    assert "usage: python -m scripts." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["fetch", "unpack", "seal", "tree", "bom", "scan", "clean_tapnet"])
def test_a_command_runs_as_a_module(name: str, tmp_path: Path) -> None:
    """`python -m scripts.NAME` exits with what main returns, and prints no traceback."""
    words = [sys.executable, "-m", f"scripts.{name}", *(["sam"] if name[-1] in "hk" else [])]
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)}

    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)  # noqa: S603

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_file_is_reported_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Its path, and how it came there."""
    report(Outcome("models/a", "kept: already in place", PIN))

    assert capsys.readouterr() == ("models/a  kept: already in place\n", "")


def test_a_first_use_is_said_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    """The hashes that will be recorded are printed, so that somebody can compare them."""
    report(Outcome("models/a", "fetched", PIN, first_use=True))

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  first use: no pin yet, so these bytes are trusted and will be recorded:"
    assert lines[2] == f"  md5 {PIN.md5}  sha256 {PIN.sha256}  12,345 bytes"


def test_where_a_wrong_file_went_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path is one that can be typed from here."""
    monkeypatch.chdir(tmp_path)

    report(Outcome("models/a", "fetched", PIN, aside=tmp_path / "quarantine/now/models/a"))

    wrong = "  a wrong file stood there; it is now quarantine/now/models/a\n"
    assert capsys.readouterr().out.endswith(wrong)
