"""From nothing to a running SAM-PT: fetch, link, and every path of its configurations exists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from paper.tests.guide import HOLDS, of_its_files
from scripts import fetch, link
from tests.conftest import SCALE
from tests.world.checkpoints import files
from tests.world.clones import REPOSITORY, stock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

pytestmark = of_its_files
CWD = "${hydra:runtime.cwd}"
# The lines in SAM-PT's configs/ (commit 874ff7e) that name a checkpoint, by the yaml file.
CONFIGS = {
    "model/point_tracker/cotracker": "cotracker_ckpts/cotracker_stride_4_wind_8.pth",
    "model/point_tracker/pips": "pips_ckpts/reference_model",
    "model/point_tracker/pips_plus_plus": "pips_plus_plus_ckpts/reference_model",
    "model/point_tracker/raft": "raft_ckpts/raft-things.pth",
    "model/point_tracker/superglue": (
        "superglue_ckpts/superpoint_v1.pth superglue_ckpts/superglue_outdoor.pth"
    ),
    "model/point_tracker/tapir": "tapir_ckpts/open_source_ckpt/tapir_checkpoint_panning.npy",
    "model/point_tracker/tapnet": "tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy",
    "model/sam/sam_mobile_vit_tiny": "sam_mobile_ckpts/sam_mobile_vit_t.pth",
    "model/sam/sam_vit_base": "sam_ckpts/sam_vit_b_01ec64.pth",
    "model/sam/sam_vit_huge": "sam_ckpts/sam_vit_h_4b8939.pth",
    "model/sam/sam_vit_large": "sam_ckpts/sam_vit_l_0b3195.pth",
    "model/sam/samhq_light_vit_tiny": "samhq_ckpts/sam_hq_vit_t.pth",
    "model/sam/samhq_vit_huge": "samhq_ckpts/sam_hq_vit_h.pth",
}
# What Hydra composes for a whole run: the tracker and the SAMs, each the name of a yaml file.
RUNS = {
    "demo": {"cotracker", "samhq_vit_huge"},
    "sam_pt": {"cotracker", "samhq_vit_huge"},
    "vos_eval_root": {"cotracker", "samhq_vit_huge"},
    "vis_eval_root": {"cotracker", "samhq_vit_huge", "sam_vit_huge"},
    "vis_eval_sam_pt": {"cotracker", "sam_vit_huge"},
}


@pytest.fixture
def sam_pt(tmp_path: Path) -> Path:
    """A checkout of SAM-PT, as far as it names checkpoints."""
    folder = tmp_path / "work" / "sam-pt"
    for name, paths in CONFIGS.items():
        file = folder / "configs" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f'checkpoint: "{CWD}/models/{p}"\n' for p in paths.split()))
    return folder


def loaded(checkout: Path, name: str) -> set[str]:
    """Return what a configuration loads when it is started in `checkout`, by its own yaml.

    Of a folder, all that is listed in it: the PIPS loaders take the highest step in a name.
    """
    found = set()
    for part in RUNS.get(name, {name}):
        (file,) = (checkout / "configs").rglob(f"{part}.yaml")
        for text in re.findall(r'"(.*)"', file.read_text()):
            path = checkout / text.replace(f"{CWD}/", "")
            inside = sorted(path.iterdir()) if path.is_dir() else [path]
            found |= {each.relative_to(checkout).as_posix() for each in inside}
    return found


@pytest.mark.parametrize("guide_begins_with_mkdir", [False, True])
def test_three_lines_lead_to_a_sam_pt_that_finds_its_files(
    clone: TestClone, world: World, sam_pt: Path, capsys: Capture, *, guide_begins_with_mkdir: bool
) -> None:
    """`fetch minimal`, `link ../sam-pt`; then every path of its default configuration exists."""
    if guide_begins_with_mkdir:
        (sam_pt / "models").mkdir()

    assert fetch.main(["minimal"]) == 0
    assert link.main(["../sam-pt"]) == 0

    assert world.requests
    for name in ("demo", "sam_pt", "vos_eval_root", "cotracker", "samhq_vit_huge"):
        paths = loaded(sam_pt, name)
        assert paths == set(HOLDS.configurations[name])
        assert {(sam_pt / p).read_bytes() for p in paths} == {clone.read(p) for p in paths}
    assert "\nready: sam_pt, demo, vos_eval_root" in capsys.readouterr().out


def test_every_configuration_loads_what_params_yaml_says(
    clone: TestClone, sam_pt: Path, capsys: Capture
) -> None:
    """With everything in place, each path in its configs/ leads to those files and no others."""
    stock(clone.root, SCALE)
    assert fetch.main(["complete"]) == 0
    assert link.main(["../sam-pt"]) == 0

    names = {*RUNS, *(name.rpartition("/")[2] for name in CONFIGS)}
    assert HOLDS.configurations.keys() == names
    for name, paths in HOLDS.configurations.items():
        assert loaded(sam_pt, name) == set(paths)
    contents = files(SCALE, REPOSITORY)
    assert {(sam_pt / path).read_bytes() for path in contents} == set(contents.values())
    assert "not ready" not in capsys.readouterr().out
