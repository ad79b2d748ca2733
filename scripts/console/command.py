"""What every command shares: its parser, and its exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from functools import wraps
from typing import TYPE_CHECKING

from scripts.console.errors import CheckpointError, StoppedError
from scripts.console.progress import note

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_READER = 141  # the exit code in a shell: 128 + SIGPIPE


def command(body: Callable[[list[str] | None], None]) -> Callable[..., int]:
    """Return a `main` that shows an error of `body` on stderr; exit code 0, or the error's."""

    @wraps(body)
    def main(argv: list[str] | None = None) -> int:
        try:
            try:
                body(argv)
            except KeyboardInterrupt:
                raise StoppedError(
                    "stopped",
                    "models/ and the cache have verified files alone; partial downloads are kept.",
                    "Next: run the same command again, it resumes.",
                ) from None
        except CheckpointError as error:
            note(f"error: {error}")
            return error.exit_code
        except BrokenPipeError:  # the reader of stdout has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _NO_READER
        return 0

    return main


def parser(name: str, description: str | None, *, epilog: str = "") -> argparse.ArgumentParser:
    """Return the parser of `python -m scripts.NAME`; the help keeps the lines of `description`."""
    return argparse.ArgumentParser(
        prog=f"python -m scripts.{name}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
