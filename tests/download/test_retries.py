"""How often a failing publisher is retried, and how long the waits are."""

from __future__ import annotations

import threading

import pytest

from scripts.catalogue.params import Network
from scripts.console.errors import SourceError, TransientError
from scripts.download.retries import Retries


class Clock(threading.Event):
    """A stop event that records the waits and does not wait."""

    def __init__(self) -> None:
        """Start without a wait."""
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Record the seconds."""
        self.waits.append(timeout or 0.0)
        return False


def network(retries: int = 3, backoff: float = 1.0) -> Network:
    """Return limits for a fast test."""
    return Network(retries=retries, backoff=backoff)


def test_consecutive_failures_spend_the_budget() -> None:
    """Three retries are four tries, and the error counts them."""
    retries = Retries(network(), lambda: 0, Clock())

    for _ in range(3):
        retries.spend(TransientError("host: busy"))

    with pytest.raises(SourceError, match=r"host: busy \(given up after 4 tries\)"):
        retries.spend(TransientError("host: busy"))


def test_without_retries_there_is_one_try() -> None:
    """The error says so in words."""
    retries = Retries(network(retries=0), lambda: 0, Clock())

    with pytest.raises(SourceError, match="given up after one try"):
        retries.spend(TransientError("host: busy"))


def test_every_new_byte_renews_the_budget_and_saves_the_wait() -> None:
    """A publisher that cuts every response, but sends some bytes, is retried without end."""
    clock, arrived = Clock(), iter(range(1000))
    retries = Retries(network(), lambda: next(arrived), clock)

    for _ in range(100):
        retries.spend(TransientError("host: cut"))

    assert clock.waits == [0.0] * 100


def test_a_failing_connection_waits_while_others_receive_bytes() -> None:
    """Their progress renews its budget; without waits the publisher might reject them, too."""
    clock, arrived = Clock(), iter(range(1000))
    retries = Retries(network(backoff=0.5), lambda: next(arrived), clock)

    for _ in range(20):
        retries.spend(TransientError("host: 503"), moved=False)

    assert all(wait >= 0.25 for wait in clock.waits)
    assert clock.waits[-1] >= 15


def test_waits_double_and_are_capped_at_half_a_minute() -> None:
    """With jitter, between half of the doubled time and the whole."""
    clock = Clock()
    retries = Retries(network(retries=2000), lambda: 0, clock)

    for _ in range(1500):
        retries.spend(TransientError("host: busy"))

    for row, wait in enumerate(clock.waits):
        assert min(2.0 ** min(row, 9), 30) / 2 <= wait <= 30
    assert clock.waits[0] <= 1


def test_retry_after_is_obeyed_even_with_progress() -> None:
    """It replaces a shorter wait of our own, never a longer one."""
    clock, arrived = Clock(), iter(range(1000))
    retries = Retries(network(), lambda: next(arrived), clock)

    retries.spend(TransientError("host: busy", wait=42))

    assert clock.waits == [42]


@pytest.mark.parametrize(("arrived", "tries"), [(0, 3), (7, 7)])
def test_a_host_that_never_responded_is_given_up_early(arrived: int, tries: int) -> None:
    """Without a network a wait is useless; after an interruption it may help."""
    retries = Retries(network(retries=6), lambda: arrived, Clock())

    def exhaust() -> None:
        for _ in range(50):
            retries.spend(TransientError("host: no connection", connected=False))

    with pytest.raises(SourceError, match=f"{tries} tries"):
        exhaust()


def test_a_stopped_transfer_is_not_retried() -> None:
    """The error is raised at once."""
    stop = threading.Event()
    stop.set()
    error = TransientError("host: interrupted")

    with pytest.raises(TransientError) as raised:
        Retries(network(), lambda: 0, stop).spend(error)

    assert raised.value is error
