"""Synthetic stand-ins for the files of a catalogue, and what their addresses serve."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts.catalogue import params, sources
from tests.world import formats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.catalogue.params import Catalogue

PAPER = Path(__file__).with_name("paper")  # the tests' own catalogue
MIB = 1024 * 1024
FBAI = "https://dl.fbaipublicfiles.com"
DROPBOX = "https://www.dropbox.com"
HQ_SAM = "https://huggingface.co/lkeab/hq-sam/resolve"
MOBILE_SAM = (
    "https://github.com/ChaoningZhang/MobileSAM/raw/01ea8d0f5590082f0c1ceb0a3e2272593f20154b"
)
SUPERGLUE = (
    "https://github.com/magicleap/SuperGluePretrainedNetwork/raw/"
    "ddcf11f42e7e0732a0c4607648f9448ea8d73590/models/weights"
)
TAPNET = "https://storage.googleapis.com/dm-tapnet"
DRIVE = "https://drive.google.com/file/d/1fGhoW33k87OQQHUTmFobMUjEnRixhuqg/view?usp=sharing"
HQ_67AB = f"{HQ_SAM}/67ab82412bc794d5ce2e9799b8b6a3c0a8cfe1d2"
HQ_A3A7 = f"{HQ_SAM}/a3a77cd0a2e5e50eaa76faccf61b964732d9b35f"
RLKEY = "rlkey=56ebq4g5dk01kyq8kuismev14"

# Path under models/ -> bytes of the real file: exact where they are published, else rounded by du.
SIZES: Mapping[str, int] = {
    "cotracker_ckpts/cotracker_stride_4_wind_12.pth": 92 * MIB,
    "cotracker_ckpts/cotracker_stride_4_wind_8.pth": 92 * MIB,
    "cotracker_ckpts/cotracker_stride_8_wind_16.pth": 92 * MIB,
    "pips_ckpts/reference_model/model-000200000.pth": 328 * MIB,
    "pips_plus_plus_ckpts/reference_model/model-000200000.pth": 402 * MIB,
    "raft_ckpts/raft-chairs.pth": 20 * MIB,
    "raft_ckpts/raft-kitti.pth": 20 * MIB,
    "raft_ckpts/raft-sintel.pth": 20 * MIB,
    "raft_ckpts/raft-small.pth": 3_984_588,
    "raft_ckpts/raft-things.pth": 21_108_000,
    "sam_ckpts/sam_vit_b_01ec64.pth": 375_042_383,
    "sam_ckpts/sam_vit_h_4b8939.pth": 2_564_550_879,
    "sam_ckpts/sam_vit_l_0b3195.pth": 1_249_524_607,
    "sam_mobile_ckpts/sam_mobile_vit_t.pth": 40_728_226,
    "samhq_ckpts/sam_hq_vit_b.pth": 362 * MIB,
    "samhq_ckpts/sam_hq_vit_h.pth": 2_570_940_653,
    "samhq_ckpts/sam_hq_vit_l.pth": 1_200 * MIB,
    "samhq_ckpts/sam_hq_vit_t.pth": 41 * MIB,
    "superglue_ckpts/superglue_indoor.pth": 46 * MIB,
    "superglue_ckpts/superglue_outdoor.pth": 48_233_807,
    "superglue_ckpts/superpoint_v1.pth": 5_206_086,
    "tapir_ckpts/open_source_ckpt/causal_tapir_checkpoint.npy": 121 * MIB,
    "tapir_ckpts/open_source_ckpt/tapir_checkpoint_panning.npy": 119 * MIB,
    "tapnet_ckpts/open_source_ckpt/checkpoint.npy": 32 * MIB,
    "tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy": 11 * MIB,
}

# The publishers' addresses of the paper: archive -> address, and the addresses of plain files.
ARCHIVES: Mapping[str, str] = {
    "pips": f"{DROPBOX}/s/glk6jmoa9yeervl/reference_model.tar.gz",
    "pips_plus_plus": f"{DROPBOX}/scl/fi/czdlt2zc2ji2b7zd0pvoe/reference_model.tar.gz?{RLKEY}",
    "raft": f"{DROPBOX}/s/4j4z58wuv8o0mfz/models.zip",
}


@functools.lru_cache(maxsize=8)
def files(scale: int = 100, root: Path = PAPER) -> Mapping[str, bytes]:
    """Return "models/..." path -> synthetic content of about the real size / `scale` in bytes.

    The paths are those of the catalogue at `root`.
    """
    return {path: _content(path, _size(path) // scale) for path in _holds(root).files}


def members(root: Path = PAPER) -> dict[str, dict[str, str]]:
    """Return archive -> member -> the "models/..." path it becomes."""
    archives = [entry for entry in _holds(root).published.values() if entry.archive]
    return {e.name: {str(file.member): file.path for file in e.files} for e in archives}


@functools.lru_cache(maxsize=8)
def published(scale: int = 100, root: Path = PAPER) -> Mapping[str, bytes]:
    """Return address -> the bytes it serves, for every publisher's address of the catalogue."""
    return {
        sources.read(root / "sources", name).url: (
            archive(name, scale, root) if entry.archive else files(scale, root)[entry.files[0].path]
        )
        for name, entry in _holds(root).published.items()
    }


@functools.lru_cache(maxsize=32)
def archive(name: str, scale: int = 100, root: Path = PAPER) -> bytes:
    """Return the archive `name` of members(), with its directory entry first."""
    held = {member: files(scale, root)[path] for member, path in members(root)[name].items()}
    folder = next(iter(held)).partition("/")[0] + "/"
    zipped = ".zip" in sources.read(root / "sources", name).url
    pack = formats.zip_of if zipped else formats.tar_gz_of
    return pack({folder: b"", **held})


def name_of(url: str) -> str:
    """Return the file name a download of the address is saved under."""
    return "checkpoint_wo_optstate.npy" if url == DRIVE else urlsplit(url).path.rpartition("/")[2]


def _holds(root: Path) -> Catalogue:
    return params.read(root / "params.yaml")


def _size(path: str) -> int:
    """Return the size in bytes of the real file, or 10 MiB for one that SIZES does not know."""
    return SIZES.get(path.removeprefix("models/"), 10 * MIB)


@functools.cache
def _content(path: str, size: int) -> bytes:
    """Return content of the format that the path's ending promises."""
    if path.endswith(".npy"):
        return formats.npy(path, size, optimiser=path.endswith("/checkpoint.npy"))
    return formats.torch_zip(path, size)
