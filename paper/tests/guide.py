"""What SAM-PT's guide says: hashes, addresses, sizes and families of its 25 files."""

from __future__ import annotations

import pytest

from scripts.catalogue import params, pins
from tests.world.clones import REPOSITORY

# What the guide says: `find models -type f -print0 | sort -z | xargs -r0 md5sum`.
GUIDE = """
f13ab80f04b2cb58945e2dffb5a3a44c  models/cotracker_ckpts/cotracker_stride_4_wind_12.pth
82c458ad5de9bf98bc337c34ccbc436a  models/cotracker_ckpts/cotracker_stride_4_wind_8.pth
d0d25fe323b20d11c447aaa05a923650  models/cotracker_ckpts/cotracker_stride_8_wind_16.pth
9f34c4cd5d6f54cb11e1911841ac702c  models/pips_ckpts/reference_model/model-000200000.pth
e599fd3ba978d67c4cf35f225be3c2af  models/pips_plus_plus_ckpts/reference_model/model-000200000.pth
37d7c11dccc199c915580562651d85dd  models/raft_ckpts/raft-chairs.pth
e5882fe9b35e1a7cb80537f6f859179f  models/raft_ckpts/raft-kitti.pth
cc69e5da1f38673ab10d1849859ebe91  models/raft_ckpts/raft-sintel.pth
925642262acc623b3996690eac7d14c9  models/raft_ckpts/raft-small.pth
55b58de5d9022eb37893916d246e14a3  models/raft_ckpts/raft-things.pth
01ec64d29a2fca3f0661936605ae66f8  models/sam_ckpts/sam_vit_b_01ec64.pth
4b8939a88964f0f4ff5f5b2642c598a6  models/sam_ckpts/sam_vit_h_4b8939.pth
0b3195507c641ddb6910d2bb5adee89c  models/sam_ckpts/sam_vit_l_0b3195.pth
f3c0d8cda613564d499310dab6c812cd  models/sam_mobile_ckpts/sam_mobile_vit_t.pth
c6b8953247bcfdc8bb8ef91e36a6cacc  models/samhq_ckpts/sam_hq_vit_b.pth
3560f6b6a5a6edacd814a1325c39640a  models/samhq_ckpts/sam_hq_vit_h.pth
08947267966e4264fb39523eccc33f86  models/samhq_ckpts/sam_hq_vit_l.pth
3a661ab92d4088ccd6232fa542998a65  models/samhq_ckpts/sam_hq_vit_t.pth
48053342712ef9a8e4663490b812ad50  models/superglue_ckpts/superglue_indoor.pth
01191e832e901537324543963bea09a4  models/superglue_ckpts/superglue_outdoor.pth
938af9f432d327751dcbc0d6c7a0448b  models/superglue_ckpts/superpoint_v1.pth
763a9dbdf9e077395217aaddc6c6f048  models/tapir_ckpts/open_source_ckpt/causal_tapir_checkpoint.npy
73e86cdcfef0e8afea6a060f44be5fc7  models/tapir_ckpts/open_source_ckpt/tapir_checkpoint_panning.npy
b8a1ad6eab94ce53be3ce870ed829552  models/tapnet_ckpts/open_source_ckpt/checkpoint.npy
3e915fcb27a6fe39c46e1d5ed443d11a  models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy
"""

# Where the guide says it is; archives last.
ADDRESSES = """
causal_tapir_checkpoint https://storage.googleapis.com/dm-tapnet/causal_tapir_checkpoint.npy
cotracker_stride_4_wind_12 https://dl.fbaipublicfiles.com/cotracker/cotracker_stride_4_wind_12.pth
cotracker_stride_4_wind_8 https://dl.fbaipublicfiles.com/cotracker/cotracker_stride_4_wind_8.pth
cotracker_stride_8_wind_16 https://dl.fbaipublicfiles.com/cotracker/cotracker_stride_8_wind_16.pth
pips https://www.dropbox.com/s/glk6jmoa9yeervl/reference_model.tar.gz
pips_plus_plus https://www.dropbox.com/scl/fi/czdlt2zc2ji2b7zd0pvoe/reference_model.tar.gz?rlkey=56ebq4g5dk01kyq8kuismev14
raft https://www.dropbox.com/s/4j4z58wuv8o0mfz/models.zip
sam_hq_vit_b https://huggingface.co/lkeab/hq-sam/resolve/67ab82412bc794d5ce2e9799b8b6a3c0a8cfe1d2/sam_hq_vit_b.pth
sam_hq_vit_h https://huggingface.co/lkeab/hq-sam/resolve/67ab82412bc794d5ce2e9799b8b6a3c0a8cfe1d2/sam_hq_vit_h.pth
sam_hq_vit_l https://huggingface.co/lkeab/hq-sam/resolve/67ab82412bc794d5ce2e9799b8b6a3c0a8cfe1d2/sam_hq_vit_l.pth
sam_hq_vit_t https://huggingface.co/lkeab/hq-sam/resolve/a3a77cd0a2e5e50eaa76faccf61b964732d9b35f/sam_hq_vit_tiny.pth
sam_mobile_vit_t https://github.com/ChaoningZhang/MobileSAM/raw/01ea8d0f5590082f0c1ceb0a3e2272593f20154b/weights/mobile_sam.pt
sam_vit_b https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth
sam_vit_h https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth
sam_vit_l https://dl.fbaipublicfiles.com/segment_anything/sam_vit_l_0b3195.pth
superglue_indoor https://github.com/magicleap/SuperGluePretrainedNetwork/raw/ddcf11f42e7e0732a0c4607648f9448ea8d73590/models/weights/superglue_indoor.pth
superglue_outdoor https://github.com/magicleap/SuperGluePretrainedNetwork/raw/ddcf11f42e7e0732a0c4607648f9448ea8d73590/models/weights/superglue_outdoor.pth
superpoint_v1 https://github.com/magicleap/SuperGluePretrainedNetwork/raw/ddcf11f42e7e0732a0c4607648f9448ea8d73590/models/weights/superpoint_v1.pth
tapir_checkpoint_panning https://storage.googleapis.com/dm-tapnet/tapir_checkpoint_panning.npy
tapnet_checkpoint https://storage.googleapis.com/dm-tapnet/checkpoint.npy
tapnet_checkpoint_wo_optstate https://drive.google.com/file/d/1fGhoW33k87OQQHUTmFobMUjEnRixhuqg/view?usp=sharing
"""

# What independent projects agree on, beside the md5: exact sizes in bytes, and sha256.
SIZES = {
    "models/raft_ckpts/raft-chairs.pth": 21_108_000,
    "models/raft_ckpts/raft-kitti.pth": 21_108_000,
    "models/raft_ckpts/raft-sintel.pth": 21_108_000,
    "models/raft_ckpts/raft-small.pth": 3_984_814,
    "models/raft_ckpts/raft-things.pth": 21_108_000,
    "models/sam_ckpts/sam_vit_b_01ec64.pth": 375_042_383,
    "models/sam_ckpts/sam_vit_h_4b8939.pth": 2_564_550_879,
    "models/sam_ckpts/sam_vit_l_0b3195.pth": 1_249_524_607,
    "models/sam_mobile_ckpts/sam_mobile_vit_t.pth": 40_728_226,
    "models/samhq_ckpts/sam_hq_vit_b.pth": 379_335_069,
    "models/samhq_ckpts/sam_hq_vit_h.pth": 2_570_940_653,
    "models/samhq_ckpts/sam_hq_vit_l.pth": 1_254_865_805,
    "models/samhq_ckpts/sam_hq_vit_t.pth": 42_526_881,
    "models/superglue_ckpts/superglue_outdoor.pth": 48_233_807,
    "models/superglue_ckpts/superpoint_v1.pth": 5_206_086,
}
SHA256 = """
c6c75465cf995d137f89ca2e2d08594ed390befbb8859f7f65c48bcc8feb0fd7  models/raft_ckpts/raft-chairs.pth
b9d170362415e1a27bd8402ee966a3ddf0d60df9b2df2c0b4949f5ced490a9e6  models/raft_ckpts/raft-kitti.pth
90630d2e7d488a0d3ccb5e8194524850c4c05c732ea4ff99799822c7fa5c5cbf  models/raft_ckpts/raft-sintel.pth
c7d41b9cc88442bb8aa911dbb33086dac55a226394b142937ff22d5578717332  models/raft_ckpts/raft-small.pth
fcfa4125d6418f4de95d84aec20a3c5f4e205101715a79f193243c186ac9a7e1  models/raft_ckpts/raft-things.pth
ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912  models/sam_ckpts/sam_vit_b_01ec64.pth
a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e  models/sam_ckpts/sam_vit_h_4b8939.pth
3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622  models/sam_ckpts/sam_vit_l_0b3195.pth
6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f  models/sam_mobile_ckpts/sam_mobile_vit_t.pth
14a9d662cd6f5a9c2dba6d40ab0058d88d287e4a18fd6fdc6ad5fb1a3fdeaa57  models/samhq_ckpts/sam_hq_vit_b.pth
a7ac14a085326d9fa6199c8c698c4f0e7280afdbb974d2c4660ec60877b45e35  models/samhq_ckpts/sam_hq_vit_h.pth
e1a6c385d62bf005ded91a54d5ec55c985cfc4103ef89c08d90f39f04934c343  models/samhq_ckpts/sam_hq_vit_l.pth
0f32c075ccdd870ae54db2f7630e7a0878ede5a2b06d05d6fe02c65a82fb7196  models/samhq_ckpts/sam_hq_vit_t.pth
2f5f5e9bb3febf07b69df633c4c3ff7a17f8af26a023aae2b9303d22339195bd  models/superglue_ckpts/superglue_outdoor.pth
52b6708629640ca883673b5d5c097c4ddad37d8048b33f09c8ca0d69db12c40e  models/superglue_ckpts/superpoint_v1.pth
4be6101b271f58ec49866da5cf609fd17e86e9cae2483f70630ef4a295dc66bd  raft
"""  # noqa: E501
# Folder under models/ -> family.
FAMILIES = {
    "cotracker_ckpts": "cotracker",
    "pips_ckpts": "pips",
    "pips_plus_plus_ckpts": "pips-plus-plus",
    "raft_ckpts": "raft",
    "sam_ckpts": "sam",
    "sam_mobile_ckpts": "mobile-sam",
    "samhq_ckpts": "hq-sam",
    "superglue_ckpts": "superglue",
    "tapir_ckpts": "tapir",
    "tapnet_ckpts": "tapnet",
}
MINIMAL = [
    "models/cotracker_ckpts/cotracker_stride_4_wind_8.pth",
    "models/samhq_ckpts/sam_hq_vit_h.pth",
]
# What each file of SAM-PT's configs/ loads, below models/, by its name (commit 874ff7e).
_HQ, _H = "samhq_ckpts/sam_hq_vit_h.pth", "sam_ckpts/sam_vit_h_4b8939.pth"
_COTRACKER = "cotracker_ckpts/cotracker_stride_4_wind_8.pth"
CONFIGURATIONS = (
    f"sam_pt {_HQ} {_COTRACKER}",
    f"demo {_HQ} {_COTRACKER}",
    f"vos_eval_root {_HQ} {_COTRACKER}",
    f"vis_eval_root {_H} {_HQ} {_COTRACKER}",
    f"vis_eval_sam_pt {_H} {_COTRACKER}",
    "sam_vit_base sam_ckpts/sam_vit_b_01ec64.pth",
    "sam_vit_large sam_ckpts/sam_vit_l_0b3195.pth",
    f"sam_vit_huge {_H}",
    f"samhq_vit_huge {_HQ}",
    "samhq_light_vit_tiny samhq_ckpts/sam_hq_vit_t.pth",
    "sam_mobile_vit_tiny sam_mobile_ckpts/sam_mobile_vit_t.pth",
    f"cotracker {_COTRACKER}",
    "pips pips_ckpts/reference_model/model-000200000.pth",
    "pips_plus_plus pips_plus_plus_ckpts/reference_model/model-000200000.pth",
    "raft raft_ckpts/raft-things.pth",
    "superglue superglue_ckpts/superglue_outdoor.pth superglue_ckpts/superpoint_v1.pth",
    "tapir tapir_ckpts/open_source_ckpt/tapir_checkpoint_panning.npy",
    "tapnet tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy",
)
SEAL = "1aebba37a5a0b1e907d477b7472a028f.dir"


def pairs(text: str) -> dict[str, str]:
    """Return second -> first word of every line."""
    return {second: first for first, second in map(str.split, text.strip().splitlines())}


HOLDS = params.read(REPOSITORY / "params.yaml")
PINS = pins.read(REPOSITORY / "dvc.lock")
# Once a checkpoint is repinned, added or removed, this fact is history, and the rest must hold.
of_the_guide = pytest.mark.skipif(
    SEAL not in (REPOSITORY / "models.dvc").read_text(),
    reason="the tree is another than the guide's",
)
# README and the pages count the guide's files. After an entry was added or removed they need an
# editor's eye before they are tested again.
of_its_files = pytest.mark.skipif(
    set(HOLDS.files) != set(pairs(GUIDE)), reason="the files are others than the guide's"
)
