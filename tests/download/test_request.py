"""How many files are downloaded at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.catalogue.params import Network
from scripts.download import request
from scripts.download.request import TransferLimits

if TYPE_CHECKING:
    import pytest


def test_a_file_waits_while_those_before_it_keep_the_processor_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first one does not wait: somebody else may be what keeps it busy."""
    answers, limits = [False, True, True], TransferLimits(Network())
    monkeypatch.setattr(request, "is_busy", answers.pop)

    with limits.one_more_file():
        assert len(answers) == 3
        with limits.one_more_file():
            assert (limits.files, answers) == (2, [])
