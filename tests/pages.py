"""The pages of this repository as tests read them: commands, and the lines that they print."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from tests.world.clones import REPOSITORY, TestClone

if TYPE_CHECKING:
    from pathlib import Path

Pair = tuple[str, list[str]]
_LAUNCHER = "./checkpoints"


def text(name: str) -> str:
    """Return a page."""
    return (REPOSITORY / name).read_text(encoding="utf-8")


def blocks(page: str, language: str = "console") -> list[str]:
    """Return the code blocks of a page, or of a part of it."""
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def sections(page: str) -> dict[str, str]:
    """Return title -> text of the sections of a page."""
    return dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))


def written(block: str) -> list[Pair]:
    """Return the commands of a console block, each with the lines under it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.splitlines()[0], part.splitlines()[1:]) for part in parts]


def commands(part: str) -> list[Pair]:
    """Return the commands of all console blocks, each with the lines under it."""
    return [pair for block in blocks(part) for pair in written(block)]


def rows(part: str) -> list[list[str]]:
    """Return the cells of the rows of a table, without its head."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def pattern(line: str) -> str:
    """Return a regular expression for a line, in which ... stands for any text."""
    return re.escape(line).replace(re.escape("..."), ".*")


def shell(clone: TestClone, command: str, cwd: Path, **more: str) -> str:
    """Run a command as a reader does, and return its output.

    ADDRESS is the clone. The launcher has its own tests: without VENV, what it would start is
    started at once.
    """
    line = command.replace("ADDRESS", f"file://{clone.root}")
    there = TestClone(cwd, {**clone.env, "CHECKPOINTS_FROM": str(cwd), **more})
    done = there.run(*(("VENV" not in more and _started(line)) or ("bash", "-c", line)))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _started(line: str) -> tuple[str, ...]:
    """Return the words that the launcher would start, or none: this line is for the shell."""
    if line.split(maxsplit=1)[0] != _LAUNCHER or re.search(r"[|&;<>]", line):
        return ()
    _, *words = shlex.split(line)
    return tuple(words) if words[:1] == ["dvc"] else ("python", "-m", "scripts", *words)


def check(clone: TestClone, pair: Pair, cwd: Path | None = None, **more: str) -> str:
    """Run a command, which must print every line under it; return all that it prints."""
    command, lines = pair
    printed = shell(clone, command, cwd or clone.root, **more)
    for line in lines:
        assert re.search(f"^{pattern(line)}$", printed, re.MULTILINE), (command, line, printed)
    return printed
