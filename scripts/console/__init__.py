"""What a person sees: errors, progress, exit codes."""

import os
import sys
from typing import Any

_FOREIGN = "error: {} has no {}. Next: {}\n"
_USE = "./checkpoints, which makes the right environment and uses it"
_RENEW = "remove {}, and repeat the command: ./checkpoints makes it again"


def _show(kind: type[BaseException], error: BaseException, trace: Any) -> None:  # noqa: ANN401
    """Show no traceback to a user who stops a command while it is imported, or errs in its Python.

    A module of this repository that is missing is a bug, and is shown as one.
    """
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("error: stopped before the command started\n")
    elif isinstance(error, ModuleNotFoundError) and not f"{error.name}.".startswith("scripts."):
        own = "CHECKPOINTS_FROM" in os.environ  # this is the environment that ./checkpoints made
        step = _RENEW.format(sys.prefix) if own else _USE
        sys.stderr.write(_FOREIGN.format(sys.executable, error.name, step))
    else:
        sys.__excepthook__(kind, error, trace)


# Set here, as every module of scripts/ imports this package first.
sys.excepthook = _show
