"""Fixtures: one browser, and one page of the tests' tree, for all tests of a process."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import fetch, page
from scripts.catalogue import pins
from tests.conftest import SCALE
from tests.page import chromium
from tests.page.view import opened
from tests.world import clones

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.page.chromium import Chromium, Tab
    from tests.page.view import View


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """The browser of this process."""
    if not (program := chromium.find()):
        pytest.skip("no Chromium on PATH. Next: apt install chromium")
    with chromium.Chromium(program, tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="session")
def tab(browser: Chromium) -> Tab:
    """The one tab; a test opens its page in it, of which nothing outlasts the next one."""
    return browser.tab()


@pytest.fixture(scope="session")
def site(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a clone that has a file in every place."""
    folder = tmp_path_factory.mktemp("page")
    root = folder / "clone"
    shutil.copytree(template, root, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in clones.isolated(folder / "isolated").items():
            patch.setenv(name, value)
        patch.setenv("SAMPT_SOURCES", "cache")
        patch.chdir(root)
        fill(root)
        assert page.main([]) == 0
    return root / "site/index.html"


def fill(root: Path) -> None:
    """Bring a file into every place: verified, not verified, modified, in the cache, stray."""
    clones.stock(root, SCALE)
    assert fetch.main(["sam_vit_b", "sam_hq_vit_h", "raft", "superpoint_v1"]) == 0
    models = root / "models"
    wrong, unknown = models / "raft_ckpts/raft-kitti.pth", models / "pips_ckpts/reference_model"
    wrong.unlink()
    wrong.write_bytes(b"wrong")
    unknown.mkdir(parents=True)
    shutil.copy(*_object(root, "models/pips_ckpts/reference_model/model-000200000.pth"))
    for path in ("models/sam_ckpts/sam_vit_l_0b3195.pth",):
        _object(root, path)[0].unlink()
    (models / "sam_ckpts/notes.txt").write_text("mine")


def _object(root: Path, path: str) -> tuple[Path, Path]:
    """Return the object of a file in the cache, and the file."""
    md5 = pins.read(root / "dvc.lock")[path].md5 or ""
    return root / ".dvc/cache/files/md5" / md5[:2] / md5[2:], root / path


@pytest.fixture
def view(tab: Tab, site: Path) -> Iterator[View]:
    """The page in a wide window."""
    with opened(tab, site) as shown:
        yield shown
