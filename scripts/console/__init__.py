"""What a person sees: errors, progress, exit codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Spare a user who stops a command while it is being loaded the traceback of an import."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("error: stopped before anything was begun\n")
    else:
        sys.__excepthook__(kind, error, trace)


# Here, because every module of a command imports this package before anything slow.
sys.excepthook = _show
