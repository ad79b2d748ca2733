"""What the tests of changes to the catalogue share: run a command, read a clone, keep or undo."""

from __future__ import annotations

import re
import resource
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvc import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from tests.world.clones import TestClone

CLEAN = "Data and pipelines are up to date.\n"


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str


def run(main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str], *argv: str) -> Ran:
    """Run a command in this process."""
    capsys.readouterr()
    code = main(list(argv))
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return Ran(code, out, err)


def files(clone: TestClone) -> dict[str, bytes]:
    """Return every file of the clone that is not git's, DVC's or Python's own, by its path."""
    found = (p for p in clone.root.rglob("*") if p.is_file() or p.is_symlink())
    names = {p.relative_to(clone.root).as_posix(): p.read_bytes() for p in found}
    return {n: d for n, d in names.items() if not re.match(r"\.git/|\.dvc/|.*__pycache__", n)}


def folders(clone: TestClone) -> set[str]:
    """Return every folder under models/."""
    return {p.name for p in (clone.root / "models").rglob("*") if p.is_dir()}


@contextmanager
def quota(size: int) -> Iterator[None]:
    """Limit every file of this process to a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def dvc(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run DVC in this process and the current folder; return what it printed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of DVC's own libraries
        done = run(cli.main, capsys, *words)
    assert done.code == 0, done.err
    return done.out


def undo(clone: TestClone, printed: str) -> None:
    """Run the line that a command printed to undo its change."""
    _run_line(clone, printed, "to undo it")


def keep(clone: TestClone, printed: str) -> None:
    """Run the line that a command printed to keep its change."""
    _run_line(clone, printed, "to keep it")


def _run_line(clone: TestClone, printed: str, label: str) -> None:
    line = re.search(rf"^{label}:  (.+)$", printed, re.MULTILINE)
    assert line
    # Here is no ./checkpoints: the environment that it would make is the tests' own.
    done = clone.run("bash", "-c", line[1].replace("./checkpoints dvc", "dvc"))
    assert done.returncode == 0, done.stderr


def missing(clone: TestClone) -> list[str]:
    """Return the lines of `dvc status`; fail if one says more than that a file is missing."""
    lines = clone.run("dvc", "status", check=True).stdout.splitlines()
    more = re.compile(r"modified: +(?! |models$)|new:|changed command")
    assert not [line for line in lines if more.search(line)]
    return lines
