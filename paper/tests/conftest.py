"""Fixtures: the same as everywhere, with this repository's own catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import SCALE, bucket, clone, complete, environment, filled, local, team
from tests.world import World, clones

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["bucket", "clone", "complete", "environment", "filled", "local", "team"]  # as everywhere


@pytest.fixture
def world() -> Iterator[World]:
    """Every publisher of SAM-PT's checkpoints, serving synthetic ones."""
    with World(scale=SCALE, root=clones.REPOSITORY) as running:
        yield running


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the whole repository, pinned to the synthetic checkpoints."""
    return clones.template(tmp_path_factory.mktemp("paper"), SCALE, clones.REPOSITORY)
