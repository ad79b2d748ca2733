"""Signals that stop a command: the end of a terminal or of a batch job is a Ctrl-C, too."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def raised() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt, as SIGINT does; yield those received."""
    received: list[int] = []

    def stop(number: int, _: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    # nohup lets a command ignore SIGHUP.
    with _handled(stop, [each for each in STOPS if signal.getsignal(each) == signal.SIG_DFL]):
        yield received


@contextmanager
def deferred() -> Iterator[list[int]]:
    """Let signals that would stop the block only be recorded; yield those received.

    Children ignore them, too: a terminal sends Ctrl-C to all processes of a command.
    """
    received: list[int] = []

    def keep(number: int, _: object) -> None:
        received.append(number)

    heard = [each for each in STOPS if signal.getsignal(each) != signal.SIG_IGN]
    with _handled(keep, heard):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, heard)  # inherited by children
        try:
            yield received
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _handled(
    handler: Callable[[int, object], None], numbers: list[signal.Signals]
) -> Iterator[None]:
    """Handle signals in this block; only the main thread of a process can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)
