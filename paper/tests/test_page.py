"""The page and the picture of SAM-PT's own checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paper.tests.guide import of_its_files
from scripts.checkout.clone import Clone
from scripts.views.page import data, html, picture
from tests.world import clones
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> data.Page:
    """What a page for others shows of this repository."""
    for name, value in clones.isolated(tmp_path / "isolated").items():
        monkeypatch.setenv(name, value)
    clones.copy(tmp_path / "clone", REPOSITORY)
    return data.collect(*Clone.examined(tmp_path / "clone"), public=True)


@of_its_files
def test_the_page_and_its_picture_are_small(page: data.Page) -> None:
    """Under 300 kB and 150 kB; the picture is the one of `make page`."""
    assert page.faults == []
    assert len(html.render(page.document, page.stages).encode()) < 300_000
    drawn = picture.render(page.document)
    assert len(drawn) < 150_000
    assert (REPOSITORY / "docs/page.svg").read_text(encoding="utf-8") == drawn, "make page"
