"""What every command shares: its parser, and its exit codes."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING

from scripts.console.errors import CheckpointError, OutputError, StoppedError
from scripts.console.progress import note
from scripts.console.signals import raised

if TYPE_CHECKING:
    from collections.abc import Callable

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
        body(argv)
    except KeyboardInterrupt:
        raise StoppedError(
            "stopped",
            "models/ and the cache have verified files alone; partial downloads are kept.",
            "Next: run the same command again, it resumes.",
        ) from None


def _print_anything() -> None:
    """Print a character that the encoding of stdout lacks as its escape."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Drop what was not printed: Python would fail at it once more as it ends."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser(name: str, description: str | None, *, epilog: str = "") -> argparse.ArgumentParser:
    """Return the parser of `python -m scripts.NAME`; the help keeps the lines of `description`."""
    return argparse.ArgumentParser(
        prog=f"python -m scripts.{name}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
