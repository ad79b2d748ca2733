"""How many files are downloaded at once."""

from __future__ import annotations

import threading

from scripts.catalogue.params import Network
from scripts.download.line import PAUSE, Line
from scripts.download.request import TransferLimits


class Full(Line):
    """A line that is ahead until it is told otherwise."""

    is_ahead = True


def test_a_file_waits_while_those_before_it_have_more_than_they_can_read() -> None:
    """The first one does not ask."""
    limits, begun, full = TransferLimits(Network()), threading.Event(), Full()
    limits.line = full

    def begin() -> None:
        with limits.one_more_file():
            begun.set()

    second = threading.Thread(target=begin)
    with limits.one_more_file():
        second.start()
        assert not begun.wait(PAUSE * 5)
        full.is_ahead = False
        assert begun.wait(60)
    second.join()
