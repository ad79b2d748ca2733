"""Fixtures: the same as everywhere, with this repository's own catalogue."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import SCALE, bucket, clone, complete, filled, local, team
from tests.world import World, clones

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bucket", "clone", "complete", "filled", "local", "team"]  # as everywhere


@pytest.fixture
def world() -> Iterator[World]:
    """Every publisher of SAM-PT's checkpoints, serving synthetic ones."""
    with World(scale=SCALE, root=clones.REPOSITORY) as running:
        yield running


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the whole repository, pinned to the synthetic checkpoints."""
    return clones.template(tmp_path_factory.mktemp("paper"), SCALE, clones.REPOSITORY)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that ./checkpoints takes for the environment it has made."""
    folder = tmp_path_factory.mktemp("venv")
    for part in Path(sys.prefix).iterdir():
        if not part.name.startswith("installed"):
            (folder / part.name).symlink_to(part)
    for more in ("", "-dev"):
        shutil.copy(clones.REPOSITORY / f"requirements{more}.txt", folder / f"installed{more}")
    return folder
