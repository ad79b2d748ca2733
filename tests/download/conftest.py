"""A connection to the publishers on loopback, without a clone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.world.clones import isolated

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World


@pytest.fixture
def folder(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this process reach the publishers and nothing else; return an empty folder."""
    for name, value in (isolated(tmp_path / "isolated") | world.env).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "files").mkdir()
    return tmp_path / "files"
