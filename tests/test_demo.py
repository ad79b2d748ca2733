"""make demo: the whole workflow, and that its checks can fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import demo
from tests.conftest import SCALE
from tests.world import World, clones, forks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_the_demo_shows_what_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step of make demo succeeds, at a smaller scale."""
    isolated = clones.isolated
    monkeypatch.setattr(clones, "isolated", lambda folder: forks.reaching(isolated(folder)))
    with World(scale=SCALE) as world:
        shown = demo.show(tmp_path, world, SCALE)

    assert shown.faults == []
    assert shown.steps > 20


def test_a_demo_with_another_output_fails(tmp_path: Path) -> None:
    """The demo's checks can fail: a wrong exit code and a missing text both count."""
    shown = demo.Demo(clones.isolated(tmp_path))

    shown.run(tmp_path, "echo hello", "goodbye", fails=True)

    assert len(shown.faults) == 2
