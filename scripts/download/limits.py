"""What the transfers of one run share: the limits of params.yaml and the requests in flight."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.catalogue.params import Network


class TransferLimits:
    """The limits that all transfers of a run share."""

    def __init__(self, network: Network) -> None:
        """Allow as many requests in flight as `network.connections`."""
        self.network = network
        self.slots = threading.Semaphore(network.connections)
