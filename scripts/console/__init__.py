"""What a person sees: errors, progress, exit codes."""

import sys
from typing import Any


def _show(kind: type[BaseException], *rest: Any) -> None:  # noqa: ANN401 - the error and its trace
    """Show no traceback to a user who stops a command while it is imported."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("error: stopped before the command started\n")
    else:
        sys.__excepthook__(kind, *rest)


# Set here, as commands import this package before most of what is slow to import.
sys.excepthook = _show
