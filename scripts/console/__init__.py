"""What a person sees: errors, progress, exit codes."""

import sys
from typing import Any

_FOREIGN = "error: this Python has no {}. Next: ./checkpoints, which makes and uses the right one\n"


def _show(kind: type[BaseException], error: BaseException, trace: Any) -> None:  # noqa: ANN401
    """Show no traceback to a user who stops a command while it is imported, or errs in its Python.

    A module of this repository that is missing is a bug, and is shown as one.
    """
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("error: stopped before the command started\n")
    elif isinstance(error, ModuleNotFoundError) and not f"{error.name}.".startswith("scripts."):
        sys.stderr.write(_FOREIGN.format(error.name))
    else:
        sys.__excepthook__(kind, error, trace)


# Set here, as every module of scripts/ imports this package first.
sys.excepthook = _show
