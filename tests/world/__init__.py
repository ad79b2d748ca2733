"""A loopback double of every publisher of the checkpoints, with faults on demand."""

from tests.world.faults import Fault
from tests.world.records import Request
from tests.world.world import World

__all__ = ["Fault", "Request", "World"]
