"""What every command shares: how it reads its words, and where its errors end."""

from __future__ import annotations

import argparse
import os
import sys
from functools import wraps
from typing import TYPE_CHECKING

from scripts.console.errors import CheckpointError, StoppedError
from scripts.console.progress import note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

_NO_READER = 141  # as a shell has it: 128 + SIGPIPE


def command(body: Callable[[Sequence[str] | None], None]) -> Callable[..., int]:
    """Make a main of `body`: its exit code is 0, or that of the one error it shows on stderr."""

    @wraps(body)
    def main(argv: Sequence[str] | None = None) -> int:
        try:
            try:
                body(argv)
            except KeyboardInterrupt:
                raise StoppedError(
                    "stopped",
                    "models/ and the cache hold verified files only; what has arrived is kept.",
                    "Next: run the same command again, it goes on where it stopped.",
                ) from None
        except CheckpointError as error:
            note(f"error: {error}")
            return error.exit_code
        except BrokenPipeError:  # the reader of stdout has gone; what was printed last is lost
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _NO_READER
        return 0

    return main


def parser(name: str, description: str | None, *, epilog: str = "") -> argparse.ArgumentParser:
    """Return the parser of the command `python -m scripts.NAME`; its help keeps its own lines."""
    return argparse.ArgumentParser(
        prog=f"python -m scripts.{name}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def show_interrupt(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Spare a user who stops a command while it is being loaded the traceback of an import."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("error: stopped, before anything was begun\n")
    else:
        sys.__excepthook__(kind, error, trace)
