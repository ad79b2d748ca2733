"""What the tests of changes to the catalogue share: a clone's state, and an undo to the letter."""

from __future__ import annotations

import re
import resource
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """Run a command in this very process."""
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
    """Let no file of this process grow beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def undo(clone: TestClone, told: str) -> None:
    """Run the line that a command gave to undo it."""
    line = re.search(r"^to undo it:  (.+)$", told, re.MULTILINE)
    assert line
    clone.run("bash", "-c", line[1], check=True)


def keep(clone: TestClone, told: str) -> None:
    """Run the line that a command gave to keep what it did."""
    line = re.search(r"^to keep it:  (.+)$", told, re.MULTILINE)
    assert line
    clone.run("bash", "-c", line[1], check=True)


def missing(clone: TestClone) -> list[str]:
    """Return the lines of `dvc status`, which may say that files are missing, and no more."""
    lines = clone.run("dvc", "status", check=True).stdout.splitlines()
    more = re.compile(r"modified: +(?! |models$)|new:|changed command")
    assert not [line for line in lines if more.search(line)]
    return lines
