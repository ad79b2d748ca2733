"""What every command shares: its error boundary, and the line it prints for a file."""

from __future__ import annotations

import os
import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.errors import CheckpointError, StoppedError
from scripts.progress import note, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts.workspace import Outcome


_UNHEARD = 141  # as a shell has it: 128 + SIGPIPE


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
        except BrokenPipeError:  # whoever read us has gone; what was printed last is lost
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _UNHEARD
        return 0

    return main


def report(outcome: Outcome) -> None:
    """Print how a file came to its place, and what a user has to know about it."""
    say(f"{outcome.path}  {outcome.how}")
    if outcome.first_use:
        pin = outcome.pin
        say(f"  first use: no pin yet, so these bytes are trusted and will be recorded:\n"
              f"  md5 {pin.md5}  sha256 {pin.sha256}  {pin.size:,} bytes")  # fmt: skip
    if outcome.aside:
        say(f"  a wrong file stood there; it is now {os.path.relpath(outcome.aside, Path.cwd())}")
