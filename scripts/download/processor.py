"""How busy the processor is with this process: more threads than it can serve slow each other."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.03  # seconds over which it is measured
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_BUSY = min(1.3, 0.65 * _CORES)  # processor seconds a second of this process


def is_busy(wait: Callable[[float], object] = time.sleep) -> bool:
    """`wait` for PAUSE and tell whether one more reading thread would slow the others.

    Reading TLS passes the interpreter's lock on for every 16 KiB.
    """
    used, began = time.process_time(), time.monotonic()
    wait(PAUSE)
    return time.process_time() - used > _BUSY * (time.monotonic() - began)
