"""How bytes are brought: the limits of params.yaml, and what the transfers of a run share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# What params.yaml may say: the kind of number, the least and the most.
LIMITS: Mapping[str, tuple[type[float], float, float]] = {
    "connections": (int, 1, 64),
    "retries": (int, 0, 100),
    "backoff": (float, 0, 60),
    "timeout": (float, 0.1, 600),
}


@dataclass(frozen=True)
class Network:
    """Ranges in flight, failures in a row, seconds; and the mirrors of this site."""

    connections: int = 10
    retries: int = 6
    backoff: float = 0.5
    timeout: float = 30.0
    mirrors: tuple[str, ...] = ()


class Line:
    """What all transfers of a run share: limits, ranges in flight, and who is not there."""

    def __init__(self, network: Network) -> None:
        """Make as many slots as there may be ranges in flight."""
        self.network = network
        self.slots = threading.Semaphore(network.connections)
        self.archive = threading.Lock()  # one lies on the disk beside its members, not several
        self.silent: set[str] = set()  # who failed altogether, and is asked no more in this run
