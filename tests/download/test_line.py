"""Whether the network or this process is what is slow."""

from __future__ import annotations

import pytest

from scripts.download.line import PAUSE, Line


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [([10, 5], {True}), ([10, 4, 0], {False}), ([0], {False}), ([], {False})],
    ids=["half of each", "one of three", "none", "no read"],
)
def test_the_line_is_ahead_if_most_reads_found_their_bytes_waiting(
    waiting: list[int], expected: set[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the reads of the last pause count, and nobody is asked in between."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    counted = Line()
    for each in waiting:
        counted.count(10, each)

    first, now[0] = counted.is_ahead, PAUSE * 1.1

    assert not first
    assert {counted.is_ahead, counted.is_ahead} == expected
    now[0] *= 2
    assert not counted.is_ahead
