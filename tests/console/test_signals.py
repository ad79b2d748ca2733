"""scripts.console.signals: what stops a command, and what waits until it has spoken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from scripts.console.command import command
from scripts.console.signals import STOPS, deferred, raised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Every handler is afterwards what it was before."""
    before = [signal.getsignal(number) for number in STOPS]
    yield
    assert [signal.getsignal(number) for number in STOPS] == before


@pytest.mark.parametrize("number", STOPS)
def test_the_end_of_a_job_is_like_ctrl_c(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """One message; the exit code is 128 and the signal's number."""

    @command
    def main(_: Sequence[str] | None) -> None:
        os.kill(os.getpid(), number)

    assert main([]) == 128 + number
    assert capsys.readouterr().err == "error: stopped; run the same command again\n"


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raised() as received, deferred() as kept:
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert (received, kept) == ([], [])


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_can_wait(number: int) -> None:
    """It is recorded, and reaches no child either."""
    child = f"import os, signal; os.kill(os.getpid(), {int(number)}); print('alive')"

    with deferred() as received:
        os.kill(os.getpid(), number)
        ran = subprocess.run([sys.executable, "-c", child], capture_output=True, check=True)  # noqa: S603

    assert received == [number]
    assert ran.stdout == b"alive\n"


def test_a_thread_leaves_the_handlers_alone() -> None:
    """Only the main thread of a process can set them."""
    found: list[object] = []

    def work() -> None:
        with raised(), deferred():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found == [signal.getsignal(signal.SIGTERM)]
