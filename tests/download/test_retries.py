"""How long a publisher that fails is asked again, and how long between two tries."""

from __future__ import annotations

import threading

import pytest

from scripts.catalogue.params import Network
from scripts.console.errors import SourceError, TransientError
from scripts.download.retries import Patience


class Clock(threading.Event):
    """A stop event that notes how long it was waited for, and does not wait."""

    def __init__(self) -> None:
        """Start with no wait."""
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Note the seconds."""
        self.waits.append(timeout or 0.0)
        return False


def network(retries: int = 3, backoff: float = 1.0) -> Network:
    """Return limits with which a test is done soon."""
    return Network(retries=retries, backoff=backoff)


def test_the_budget_is_spent_by_failures_in_a_row() -> None:
    """Three retries are four tries; the last one is reported with its count."""
    patience = Patience(network(), lambda: 0, Clock())

    for _ in range(3):
        patience.spend(TransientError("host: busy"))

    with pytest.raises(SourceError, match=r"host: busy \(given up after 4 tries\)"):
        patience.spend(TransientError("host: busy"))


def test_without_retries_one_try_is_all() -> None:
    """The message counts it in words."""
    patience = Patience(network(retries=0), lambda: 0, Clock())

    with pytest.raises(SourceError, match="given up after one try"):
        patience.spend(TransientError("host: busy"))


def test_every_new_byte_renews_the_budget_and_saves_the_wait() -> None:
    """A publisher that cuts each answer, and gives a little each time, is asked on and on."""
    clock, arrived = Clock(), iter(range(1000))
    patience = Patience(network(), lambda: next(arrived), clock)

    for _ in range(100):
        patience.spend(TransientError("host: cut"))

    assert clock.waits == [0.0] * 100


def test_a_connection_that_is_turned_away_waits_while_others_bring_bytes() -> None:
    """Their progress renews its budget; hammering the publisher would end theirs, too."""
    clock, arrived = Clock(), iter(range(1000))
    patience = Patience(network(backoff=0.5), lambda: next(arrived), clock)

    for _ in range(20):
        patience.spend(TransientError("host: 503"), moved=False)

    assert all(wait >= 0.25 for wait in clock.waits)
    assert clock.waits[-1] >= 15


def test_waits_double_and_are_capped_at_half_a_minute() -> None:
    """With jitter, between half of the doubled time and all of it."""
    clock = Clock()
    patience = Patience(network(retries=2000), lambda: 0, clock)

    for _ in range(1500):
        patience.spend(TransientError("host: busy"))

    for row, wait in enumerate(clock.waits):
        assert min(2.0 ** min(row, 9), 30) / 2 <= wait <= 30
    assert clock.waits[0] <= 1


def test_a_wait_that_is_asked_for_is_obeyed_even_with_progress() -> None:
    """Retry-After outweighs our own shorter wait, never a longer one."""
    clock, arrived = Clock(), iter(range(1000))
    patience = Patience(network(), lambda: next(arrived), clock)

    patience.spend(TransientError("host: busy", wait=42))

    assert clock.waits == [42]


@pytest.mark.parametrize(("arrived", "tries"), [(0, 3), (7, 7)])
def test_a_host_that_was_never_reached_is_given_up_sooner(arrived: int, tries: int) -> None:
    """No network is no reason to wait long; a network that was there may come back."""
    patience = Patience(network(retries=6), lambda: arrived, Clock())

    def exhaust() -> None:
        for _ in range(50):
            patience.spend(TransientError("host: no connection", connected=False))

    with pytest.raises(SourceError, match=f"{tries} tries"):
        exhaust()


def test_a_transfer_that_was_stopped_is_not_tried_again() -> None:
    """The error itself comes back, at once."""
    stop = threading.Event()
    stop.set()
    error = TransientError("host: broken off")

    with pytest.raises(TransientError) as raised:
        Patience(network(), lambda: 0, stop).spend(error)

    assert raised.value is error
