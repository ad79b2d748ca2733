"""Fixtures: the publishers on loopback, and clones pinned to what they serve."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.world import World
from tests.world import clones as making
from tests.world.clones import TestClone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCALE = 10_000  # the synthetic files are so much smaller than the real ones


@pytest.fixture
def world() -> Iterator[World]:
    """Every publisher, serving the synthetic checkpoints under the real addresses."""
    with World(scale=SCALE) as running:
        yield running


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone pinned to the synthetic checkpoints, with nothing fetched."""
    root = tmp_path_factory.mktemp("template") / "clone"
    making.copy(root)
    making.pin(root, SCALE)
    making.commit(root, making.isolated(root.parent))
    return root


@pytest.fixture
def clone(
    template: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TestClone:
    """A fresh clone beside which nothing lies; this very process works in it, too."""
    root = tmp_path / "work" / "clone"
    shutil.copytree(template, root, symlinks=True)
    env = making.isolated(tmp_path / "isolated") | world.env
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(root)
    return TestClone(root, env)
