"""What a person sees: errors, progress, exit codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show no traceback to a user who stops a command while it is imported."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("error: stopped before the command started\n")
    else:
        sys.__excepthook__(kind, error, trace)


# Set here, as commands import this package before most of what is slow to import.
sys.excepthook = _show
