"""What every command shares: its parser, and its exit codes."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.console.errors import CheckpointError, OutputError, StoppedError
from scripts.console.progress import QUIET, note
from scripts.console.signals import raised
from scripts.console.terminal import clear_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FROM = "CHECKPOINTS_FROM"  # the folder in which ./checkpoints was called
_NO_READER = 128 + signal.SIGPIPE  # as a shell reports it


def command(body: Callable[[list[str] | None], None]) -> Callable[..., int]:
    """Return a `main` that shows an error of `body` on stderr; exit code 0, or the error's.

    A signal is shown like any error: the exit code is 128 and its number.
    """

    @wraps(body)
    def main(argv: list[str] | None = None) -> int:
        _print_anything()
        with raised() as received:
            try:
                _run(body, argv)
            except StoppedError as error:
                clear_line(sys.stderr)
                note(f"error: {error}")
                return 128 + received[0] if received else error.exit_code
            except CheckpointError as error:
                note(f"error: {error}")
                if isinstance(error, OutputError):
                    _drop_output()
                return error.exit_code
            except BrokenPipeError:  # the reader of stdout has closed it
                _drop_output()
                return _NO_READER
        return 0

    return main


def _run(body: Callable[[list[str] | None], None], argv: list[str] | None) -> None:
    try:
        with _kept(QUIET):
            body(argv)
    except KeyboardInterrupt:
        raise StoppedError("stopped; run the same command again") from None


@contextmanager
def _kept(name: str) -> Iterator[None]:
    """Let what a command does to a variable end with it."""
    before = os.environ.get(name)
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


def _print_anything() -> None:
    """Print a character that the encoding of stdout lacks as its escape."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Drop what was not printed: Python would fail at it once more as it ends."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Question(list[str]):
    """Words that make a command show its parser to the caller, and do nothing."""

    class Answered(Exception):  # noqa: N818 - it is no error
        """The parser that got the question."""

        def __init__(self, parser: argparse.ArgumentParser) -> None:
            """Keep the parser."""
            super().__init__(parser)
            self.parser = parser


class _Parser(argparse.ArgumentParser):
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401
        """Parse words, or answer a Question."""
        if isinstance(args, Question):
            raise Question.Answered(self)
        return super().parse_known_args(args, namespace)


class _Quiet(argparse.Action):
    """Let this process, and those it starts, show no progress."""

    def __call__(self, _: object, namespace: argparse.Namespace, *__: object) -> None:
        """Set it for the command, too."""
        os.environ[QUIET] = "1"
        namespace.quiet = True


_EXITS = {0: "done", 1: "it failed; the message says what to do"}
_ALWAYS = {2: "wrong arguments, or not a sound clone", 130: "stopped by Ctrl-C"}


def parser(
    name: str,
    description: str | None,
    *,
    examples: Mapping[str, str] | None = None,
    exits: Mapping[int, str] | None = None,
    epilog: str = "",
) -> argparse.ArgumentParser:
    """Return the parser of the command `name`; the help keeps the lines of `description`.

    `examples` says what it does with certain words; `exits` what its exit codes mean, but for
    those that all commands share.
    """
    words = _Parser(
        prog=_typed(name),
        description=description,
        epilog="\n\n".join(filter(None, [_shown(name, examples), epilog.strip(), _coded(exits)])),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    silent = "show no progress"
    words.add_argument("-q", "--quiet", action=_Quiet, nargs=0, default=False, help=silent)
    return words


def _typed(name: str) -> str:
    """Return the words that started this command."""
    if Path(sys.argv[0]).parts[-2:] == ("scripts", "__main__.py"):
        return f"./checkpoints {name.replace('_', '-')}"
    folder = Path(sys.argv[0]).parent.name
    return f"python -m {folder if folder == 'paper' else 'scripts'}.{name}"


def _shown(name: str, examples: Mapping[str, str] | None) -> str:
    """Return the examples, as somebody types them."""
    front = f"./checkpoints {name.replace('_', '-')}"
    lines = {f"{front} {words}".strip(): meaning for words, meaning in (examples or {}).items()}
    width = max(map(len, lines), default=0)
    shown = [f"  {line:<{width}}  {meaning}" for line, meaning in lines.items()]
    return "\n".join(["examples:", *shown] if shown else [])


def _coded(exits: Mapping[int, str] | None) -> str:
    codes = _ALWAYS | _EXITS | dict(exits or {})
    return "\n".join(["exit codes:", *(f"  {code:<3}  {codes[code]}" for code in sorted(codes))])


def path(text: str) -> Path:
    """Return the path that a user has typed, who may be in another folder than the clone."""
    start = os.environ.get(FROM, "")
    return Path(text) if not start or Path(start) == Path.cwd() else Path(start) / text
