"""Which publishers are too slow, and which only have a slow line."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from scripts.catalogue.params import Network
from scripts.console.errors import SourceError, TransientError
from scripts.download.pace import Pace
from scripts.download.request import TransferLimits

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A time that passes when the test says so, and a pace that is judged by it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Start at a moment."""
        self.now, self.interrupts = 100.0, 0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(threading.Thread, "start", lambda _: None)  # the test keeps watch

    def pace(self, retries: int = 2, timeout: float = 30.0) -> Pace:
        """Return a pace of 1,000 bytes/s over 30 s."""
        self.limits = TransferLimits(Network(retries=retries, timeout=timeout))
        return Pace(self.limits, "host", self.interrupt)

    def interrupt(self) -> None:
        """Count."""
        self.interrupts += 1

    def drip(self, pace: Pace, size: int, every: float, seconds: float) -> None:
        """Let `size` bytes arrive again and again."""
        for _ in range(int(seconds / every)):
            pace.arrived(size)
            self.now += every
            pace.check()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still."""
    return Clock(monkeypatch)


def stall(clock: Clock, pace: Pace) -> None:
    """Let a request stall."""
    with pace.request():
        clock.drip(pace, 1, every=10, seconds=30)
        raise TransientError("host: cut")


def test_drips_are_a_stall(clock: Clock) -> None:
    """The message has both values; the error may be retried."""
    pace = clock.pace()

    with pytest.raises(TransientError) as raised:
        stall(clock, pace)

    assert str(raised.value) == "host: sent 3 bytes in 30 s, less than 1,000 bytes/s"
    assert clock.interrupts == 1


@pytest.mark.parametrize(("size", "every"), [(200, 0.1), (10_000, 5), (58_000, 29)])
def test_a_slow_line_is_no_stall(clock: Clock, size: int, every: float) -> None:
    """Of 2 kB/s, in small pieces or in bursts."""
    pace = clock.pace()

    with pace.request(), pace.request():
        clock.drip(pace, size, every, seconds=300)

    assert clock.interrupts == 0


def test_files_share_a_slow_line(clock: Clock) -> None:
    """Of four at once, each need only have a quarter of the least rate."""
    pace = clock.pace()

    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(clock.limits.one_more_file())
        with pace.request():
            clock.drip(pace, 300, every=1, seconds=60)
            assert clock.interrupts == 0
    with pace.request():
        clock.drip(pace, 300, every=1, seconds=60)

    assert clock.interrupts == 2


def test_silence_is_the_business_of_the_timeout(clock: Clock) -> None:
    """A publisher may need a minute for its first byte, if the user allows it."""
    pace = clock.pace(timeout=90)

    with pace.request():
        clock.now += 89
        pace.check()
        clock.drip(pace, 5000, every=1, seconds=60)
        assert clock.interrupts == 0
        clock.now += 91
        pace.check()

    assert clock.interrupts == 1


def test_waits_between_requests_do_not_count(clock: Clock) -> None:
    """For a retry, or until other files leave a connection free."""
    pace = clock.pace()

    for _ in range(20):
        with pace.request():
            pace.arrived(1000)
            clock.now += 1
        clock.now += 100
        pace.check()

    assert clock.interrupts == 0


def test_after_stalls_in_a_row_the_publisher_is_given_up(clock: Clock) -> None:
    """Two retries are three tries; what drips in between renews nothing."""
    pace = clock.pace(retries=2)
    for _ in range(2):
        with suppress(TransientError):
            stall(clock, pace)

    with pytest.raises(SourceError, match=r"given up after 3 tries") as raised:
        stall(clock, pace)

    assert raised.value.host_down
    with pytest.raises(SourceError, match=r"given up after 3 tries"), pace.request():
        pass


def test_a_window_with_enough_bytes_renews_the_retries(clock: Clock) -> None:
    """An interruption that passes is none the next time."""
    pace = clock.pace(retries=1)

    for _ in range(5):
        with suppress(TransientError):
            stall(clock, pace)
        with pace.request():
            clock.drip(pace, 20_000, every=10, seconds=30)

    assert clock.interrupts == 5


def test_an_error_without_a_stall_is_left_alone(clock: Clock) -> None:
    """Its own words are shown."""
    pace = clock.pace(retries=0)

    with pytest.raises(TransientError, match="host: reset"), pace.request():
        raise TransientError("host: reset")
    with pytest.raises(SourceError, match="given up after one try"):
        stall(clock, pace)


@pytest.fixture
def watched() -> Iterator[tuple[Pace, threading.Event]]:
    """A pace with its own watch, and the event of an interrupt."""
    interrupted = threading.Event()
    limits = TransferLimits(Network(window=0.1, timeout=0.1))
    pace = Pace(limits, "host", interrupted.set)
    yield pace, interrupted
    pace.close()


def test_a_thread_keeps_watch(watched: tuple[Pace, threading.Event]) -> None:
    """A request whose headers never end is interrupted."""
    pace, interrupted = watched

    with pace.request():
        assert interrupted.wait(60)
