"""What the transfers of one run share: the limits of params.yaml and the requests in flight."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.catalogue.params import Network


class TransferLimits:
    """The limits that all transfers of a run share."""

    def __init__(self, network: Network) -> None:
        """Make as many slots as there may be ranges in flight."""
        self.network = network
        self.slots = threading.Semaphore(network.connections)
