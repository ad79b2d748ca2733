"""scripts.catalogue.selection: which files a user's words mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.catalogue import params
from scripts.catalogue.names import family
from scripts.catalogue.selection import select
from scripts.console.errors import UsageError
from tests.world.checkpoints import PAPER

if TYPE_CHECKING:
    from scripts.catalogue.params import Catalogue

SAM_B = "models/sam_ckpts/sam_vit_b_01ec64.pth"
SMALL = "models/raft_ckpts/raft-small.pth"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The catalogue of the tests."""
    return params.read(PAPER / "params.yaml")


@pytest.mark.parametrize(
    ("word", "entries", "files"),
    [
        ("sam_vit_b", ["sam_vit_b"], 1),
        ("sam_vit_b_01ec64.pth", ["sam_vit_b"], 1),
        ("sam_vit_b_01ec64", ["sam_vit_b"], 1),
        (SAM_B, ["sam_vit_b"], 1),
        ("sam", ["sam_vit_b", "sam_vit_l"], 2),
        ("samhq", ["sam_hq_vit_h"], 1),
        ("raft", ["raft"], 5),
        ("raft-small.pth", ["raft"], 1),
        ("raft-*", ["raft"], 5),
        ("models/raft_ckpts/*[st].pth", ["raft"], 1),
        ("*_vit_?", ["sam_vit_b", "sam_vit_l", "sam_hq_vit_h", "sam_mobile_vit_t"], 4),
        ("model-000200000.pth", ["pips", "pips_plus_plus"], 2),
        ("minimal", ["sam_hq_vit_h", "cotracker_stride_4_wind_8"], 2),
        ("complete", None, 16),
    ],
)
def test_a_word_names_files(
    catalogue: Catalogue, word: str, entries: list[str] | None, files: int
) -> None:
    """An entry, a file with or without its suffix, a family, a glob, or a set."""
    if word.endswith("*[st].pth"):
        files = len([path for path in catalogue.files if path[-5] in "st" and "raft" in path])

    found = select(catalogue, [word])

    names = [entry.name for entry in found.entries]
    assert names == (list(catalogue.published) if entries is None else entries)
    assert len(found.paths) == files


def test_what_is_selected_twice_comes_once(catalogue: Catalogue) -> None:
    """In the order of the words; of an archive the whole entry."""
    found = select(catalogue, ["raft-small.pth", "sam_vit_b", "sam"], ["raft", "demo"])

    assert [entry.name for entry in found.entries] == [
        "raft", "sam_vit_b", "sam_vit_l", "sam_hq_vit_h", "cotracker_stride_4_wind_8",
    ]  # fmt: skip
    assert found.paths[:2] == (SMALL, SAM_B)
    assert "models/raft_ckpts/raft-things.pth" in found.paths
    assert len(found.paths) == 6


@pytest.mark.parametrize(
    ("words", "configs", "lines"),
    [
        (["sam_vit_x"], [], ["unknown name: sam_vit_x", "sam_vit_x: did you mean sam_vit_"]),
        (["HQ"], [], ["unknown name: HQ", "HQ: did you mean sam_hq_vit_h, samhq, "]),
        (["rafft"], [], ["unknown name: rafft", "rafft: did you mean raft?"]),
        (["vis_eval_root"], [], ["unknown name: vis", "vis_eval_root: a configuration: `--for v"]),
        (["zz*", "yy"], [], ["unknown names: zz*, yy", "zz*: no name here is like it", "yy: no"]),
        (["x" * 5000], [], [f"unknown name: {'x' * 60}", f"{'x' * 60}: no name"]),
        ([], ["raftt"], ["unknown configuration: raftt", "raftt: did you mean raft?"]),
    ],
)
def test_a_slip_lists_near_matches(
    catalogue: Catalogue, words: list[str], configs: list[str], lines: list[str]
) -> None:
    """Not all names."""
    with pytest.raises(UsageError) as caught:
        select(catalogue, words, configs)

    told = [caught.value.what, *caught.value.details]
    for line, expected in zip(told, lines, strict=False):
        assert line.startswith(expected)
    assert len(str(caught.value)) < 600


def test_the_folder_names_the_family() -> None:
    """Without what all folders have in common; a path that is refused anyway has none."""
    assert [family(path) for path in ("models/sam_ckpts/a/b", "models/raft/c", "x")] == [
        "sam", "raft", "",
    ]  # fmt: skip
