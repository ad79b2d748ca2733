"""One front door: find the command of a word, and import that one alone."""

from __future__ import annotations

import difflib
import re
import shlex
import sys
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.console.command import Question, command
from scripts.console.errors import UsageError
from scripts.console.listing import show

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

_ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("scripts", "paper")  # of commands: this machinery's, and this paper's own
# In the order in which a newcomer meets them. Commands that are not named here are shown apart.
_ORDER = (
    *("fetch", "list", "page", "link", "verify", "upstream", "scan", "bom", "export", "team"),
    *("import-url", "repin", "remove", "seal", "tidy", "doctor", "completion"),
    *("new", "update-machinery"),
)
_FIRST = "overview"  # what a call without a word runs
_USAGE = """\
usage: ./checkpoints [NAME ...]

Without a word: what is here, what is missing, and what to do next.
`./checkpoints NAME --help` explains a command, with examples and exit codes.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first word names, and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    quiet = [words.pop(0)] if words and words[0] in ("-q", "--quiet") else []
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words.insert(0, _FIRST)
    if words[0] in ("-h", "--help"):
        return _help()
    if words[0].replace("_", "-") not in [_FIRST, *names()]:
        return _unknown(words[:1])
    return int(_module(words[0]).main([*quiet, *words[1:]]))


def names() -> list[str]:
    """Return the commands as they are typed: those in order, then those of stages."""
    return [*_listed(), *_apart()]


def listing() -> Iterator[str]:
    """Yield a line for each command."""
    for name in _listed():
        yield f"  {name:<12}  {summary(name)}"
    yield f"  {'dvc ...':<12}  Run this environment's DVC"
    if apart := _apart():
        yield "Seldom typed; stages and guides use them:"
        yield from (f"  {name:<12}  {summary(name)}" for name in apart)


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command, which is not run."""
    try:
        _module(name).main(Question())
    except Question.Answered as answer:
        return answer.parser
    raise AssertionError(name)


def _listed() -> list[str]:
    return [name for name in _ORDER if _file(name).exists()]


def _apart() -> list[str]:
    files = chain.from_iterable((_ROOT / each).glob("[!_]*.py") for each in _FOLDERS)
    found = {path.stem.replace("_", "-") for path in files}
    return sorted(found - {*_ORDER, _FIRST})


def _file(name: str) -> Path:
    places = [_ROOT / folder / f"{name.replace('-', '_')}.py" for folder in _FOLDERS]
    return next((path for path in places if path.exists()), places[0])


def summary(name: str) -> str:
    """Return the first line of a command's docstring, without importing what it needs."""
    with _file(name).open(encoding="utf-8") as file:
        return re.split("[:;]|\\.$", file.readline().strip().strip('"'))[0]


def _module(name: str) -> Any:  # noqa: ANN401 - a module, which mypy cannot know
    file = _file(name)
    return import_module(f"{file.parent.name}.{file.stem}")


@command
def _help(_: Sequence[str] | None) -> None:
    show("\n".join([_USAGE, "commands:", *listing()]), crop=True)


@command
def _unknown(argv: Sequence[str] | None) -> None:
    """Say which commands have a similar name, or what the word may be instead."""
    (word,) = argv or [""]
    near = difflib.get_close_matches(word.replace("_", "-"), names())
    file = f"If it names files, type: ./checkpoints fetch {shlex.quote(word)}"
    meant = f"Did you mean: {', '.join(near)}?" if near else file
    raise UsageError(f"there is no command {word}", meant, "Next: ./checkpoints --help")
