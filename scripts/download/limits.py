"""How bytes are brought: the limits of params.yaml, and what the transfers of a run share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.catalogue.params import Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class TransferLimits:
    """What all transfers of a run share: limits, ranges in flight, and who is not there."""

    def __init__(self, network: Network) -> None:
        """Make as many slots as there may be ranges in flight."""
        self.network = network
        self.slots = threading.Semaphore(network.connections)
        self.archive = threading.Lock()  # one lies on the disk beside its members, not several
        self.unreachable: set[str] = (
            set()
        )  # who failed altogether, and is asked no more in this run
