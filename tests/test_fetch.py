"""python -m scripts.fetch: what it prints, what it exits with, what it leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts import fetch
from tests.world.checkpoints import files

if TYPE_CHECKING:
    import pytest

    from tests.world import World
    from tests.world.clones import TestClone


def test_a_file_is_fetched_verified_and_linked_from_the_cache(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way of one checkpoint: its publisher, the cache, one inode under models/."""
    path = "models/sam_ckpts/sam_vit_b_01ec64.pth"

    code = fetch.main(["sam_vit_b"])

    assert code == 0
    assert clone.tree() == {path: files(10_000)[path]}
    assert list(clone.objects().values()) == [files(10_000)[path]]
    assert (clone.root / path).stat().st_nlink == 2
    assert {request.host for request in world.requests} == {"dl.fbaipublicfiles.com"}
    assert f"{path}  fetched from dl.fbaipublicfiles.com" in capsys.readouterr().out
