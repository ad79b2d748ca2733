"""What the transfers of one run share: the limits of params.yaml and the requests in flight."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.catalogue.params import Network


class TransferLimits:
    """The limits of a run, and the state that its transfers share."""

    def __init__(self, network: Network) -> None:
        """Allow as many requests in flight as `network.connections`."""
        self.network = network
        self.slots = threading.Semaphore(network.connections)
        self.archive = threading.Lock()  # at most one archive is on disk beside its members
        self.unreachable: set[str] = set()  # hosts that are down, skipped for the rest of the run
