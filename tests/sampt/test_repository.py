"""The real yaml, lock, seal and sources, held against each other and against the guide."""

from __future__ import annotations

import configparser
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dvc.repo import Repo

from scripts.catalogue import lock, params, pins, sources
from tests.world import World
from tests.world import clones as making
from tests.world.clones import REPOSITORY, TestClone

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    "models/raft_ckpts/raft-things.pth": 21_108_000,
    "models/sam_ckpts/sam_vit_b_01ec64.pth": 375_042_383,
    "models/sam_ckpts/sam_vit_h_4b8939.pth": 2_564_550_879,
    "models/sam_ckpts/sam_vit_l_0b3195.pth": 1_249_524_607,
    "models/sam_mobile_ckpts/sam_mobile_vit_t.pth": 40_728_226,
    "models/samhq_ckpts/sam_hq_vit_h.pth": 2_570_940_653,
    "models/superglue_ckpts/superglue_outdoor.pth": 48_233_807,
    "models/superglue_ckpts/superpoint_v1.pth": 5_206_086,
}
SHA256 = """
b9d170362415e1a27bd8402ee966a3ddf0d60df9b2df2c0b4949f5ced490a9e6  models/raft_ckpts/raft-kitti.pth
90630d2e7d488a0d3ccb5e8194524850c4c05c732ea4ff99799822c7fa5c5cbf  models/raft_ckpts/raft-sintel.pth
c7d41b9cc88442bb8aa911dbb33086dac55a226394b142937ff22d5578717332  models/raft_ckpts/raft-small.pth
fcfa4125d6418f4de95d84aec20a3c5f4e205101715a79f193243c186ac9a7e1  models/raft_ckpts/raft-things.pth
ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912  models/sam_ckpts/sam_vit_b_01ec64.pth
a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e  models/sam_ckpts/sam_vit_h_4b8939.pth
3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622  models/sam_ckpts/sam_vit_l_0b3195.pth
6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f  models/sam_mobile_ckpts/sam_mobile_vit_t.pth
a7ac14a085326d9fa6199c8c698c4f0e7280afdbb974d2c4660ec60877b45e35  models/samhq_ckpts/sam_hq_vit_h.pth
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
SEAL = "1aebba37a5a0b1e907d477b7472a028f.dir"
# Once a checkpoint is repinned, added or removed, this fact is history, and the rest must hold.
of_the_guide = pytest.mark.skipif(
    SEAL not in (REPOSITORY / "models.dvc").read_text(),
    reason="the tree is another than the guide's",
)
HOLDS = params.read(REPOSITORY / "params.yaml")
PINS = pins.read(REPOSITORY / "dvc.lock")
SINGLE = sorted(name for name, entry in HOLDS.published.items() if not entry.archive)
ARCHIVES = sorted(name for name, entry in HOLDS.published.items() if entry.archive)


def load(name: str) -> Any:  # noqa: ANN401 - a yaml document is any data
    """Return a document of the repository."""
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def pairs(text: str) -> dict[str, str]:
    """Return second -> first word of every line."""
    return {second: first for first, second in map(str.split, text.strip().splitlines())}


def as_in_the_guide() -> set[str]:
    """Return the files whose pin is still the guide's, and the archives that hold only such."""
    files = {path for path, md5 in pairs(GUIDE).items() if path in PINS and PINS[path].md5 == md5}
    entries = HOLDS.published.items()
    return files | {name for name, e in entries if {file.path for file in e.files} <= files}


def tracked() -> list[str]:
    """Return what git tracks, or would track."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=REPOSITORY, capture_output=True, check=True).stdout  # noqa: S603
    names = filter(None, listed.decode().split("\0"))
    return sorted({name for name in names if (REPOSITORY / name).is_file()})


@of_the_guide
def test_the_lock_pins_the_files_of_the_guide() -> None:
    """All 25 by md5; and no file but those of the catalogue, and the inventory."""
    pinned = dict(PINS)
    pinned.pop("models.json")

    assert {path: pin.md5 for path, pin in pinned.items()} == pairs(GUIDE)
    assert len(pinned) == 25
    assert lock.tree_md5(pinned) == SEAL


def test_the_lock_has_the_confirmed_sizes() -> None:
    """A size that is wrong would refuse the right file; DVC adds it when it has seen the file."""
    sizes = {path: PINS[path].size for path in SIZES if path in as_in_the_guide()}

    assert sizes == {path: SIZES[path] for path in sizes}


def test_the_catalogue_has_the_confirmed_sha256() -> None:
    """Neither those of a single source, nor the one that belongs to another revision."""
    ours, confirmed = as_in_the_guide(), pairs(SHA256)
    given = {path: file.sha256 for path, file in HOLDS.files.items()}
    given |= {name: entry.sha256 for name, entry in HOLDS.published.items() if entry.archive}

    for key in ours & given.keys():
        assert given[key] == confirmed.get(key), key


def test_the_seal_is_the_hash_of_the_pinned_tree() -> None:
    """The one a project gets that imports models/ from here; and DVC takes it for no import."""
    pinned = dict(PINS)
    inventory = pinned.pop("models.json")

    document = load("models.dvc")

    assert list(document) == ["deps"]
    models, listed = document["deps"]
    assert (models["path"], models["md5"]) == ("models", lock.tree_md5(pinned))
    assert models["nfiles"] == len(HOLDS.files)
    assert (listed["path"], listed["md5"]) == ("models.json", inventory.md5)


def test_lock_and_seal_are_in_line_with_words_and_code() -> None:
    """If this fails after a change: python -m scripts.seal."""
    names = ("dvc.lock", "models.dvc", "models.json")
    written = {name: (REPOSITORY / name).read_text() for name in names}

    assert lock.render(REPOSITORY) == written


def test_the_lock_has_no_yaml_aliases() -> None:
    """DVC writes every value in full."""
    events = list(yaml.parse((REPOSITORY / "dvc.lock").read_text()))

    assert not any(isinstance(event, yaml.AliasEvent) for event in events)


def test_every_entry_has_its_address_as_in_the_guide() -> None:
    """Pinned revisions and rlkey included, as far as the entry is still here."""
    kept = {name: url for url, name in pairs(ADDRESSES).items() if name in HOLDS.published}

    assert {name: sources.read(REPOSITORY / "sources", name).url for name in kept} == kept


def test_every_entry_has_its_source() -> None:
    """And no source is without an entry."""
    folder = REPOSITORY / "sources"

    assert sorted(path.stem for path in folder.glob("[!.]*.dvc")) == sorted(HOLDS.published)


def test_every_entry_has_its_stage() -> None:
    """fetch@NAME by the map of checkpoints, unpack_NAME with the members as outs."""
    stages = load("dvc.yaml")["stages"]

    assert stages["fetch"]["foreach"] == "${checkpoints}"
    assert set(stages) == {"fetch", "fetch_minimal", "tree", *(f"unpack_{n}" for n in ARCHIVES)}
    for name in ARCHIVES:
        stage = stages[f"unpack_{name}"]
        outs = [path for out in stage["outs"] for path in out]
        assert outs == [file.path for file in HOLDS.published[name].files]
        assert stage["cmd"] == f"python -m scripts.fetch {name}"
        assert stage["params"] == [f"archives.{name}"]


def test_every_stage_is_in_the_lock_with_its_command() -> None:
    """And no stage that dvc.yaml has not: a stale pin would be looked up by its path."""
    commands = {name: stage["cmd"] for name, stage in load("dvc.lock")["stages"].items()}

    assert commands == {
        **{f"fetch@{name}": f"python -m scripts.fetch {name}" for name in SINGLE},
        **{f"unpack_{name}": f"python -m scripts.fetch {name}" for name in ARCHIVES},
        "fetch_minimal": load("dvc.yaml")["stages"]["fetch_minimal"]["cmd"],
        "tree": "python -m scripts.tree",
    }


def test_the_minimal_variant_is_two_files() -> None:
    """What SAM-PT and SAM-PT-reinit load, as far as it is still here."""
    stage = load("dvc.yaml")["stages"]["fetch_minimal"]
    kept = [path for path in MINIMAL if path in HOLDS.files]

    assert stage["deps"] == kept
    assert [HOLDS.published[n].files[0].path for n in stage["cmd"].split()[3:]] == kept


def test_every_file_has_an_artifact_with_licence_and_source() -> None:
    """In words, and once; no artifact without a file."""
    artifacts = load("dvc.yaml")["artifacts"].values()

    assert sorted(entry["path"] for entry in artifacts) == sorted(HOLDS.files)
    for entry in artifacts:
        assert entry["desc"]
        assert entry["meta"]["license"]
        assert entry["meta"]["source"].startswith("https://")
        if entry["path"] in pairs(GUIDE):
            assert entry["meta"]["source"].startswith("https://github.com/")


def test_every_artifact_is_a_model_of_one_family() -> None:
    """To DVC it is a model; its label is the family, and in the guide that of its folder."""
    for entry in load("dvc.yaml")["artifacts"].values():
        assert entry["type"] == "model"
        assert len(entry["labels"]) == 1
        if entry["path"] in pairs(GUIDE):
            assert entry["labels"] == [FAMILIES[entry["path"].split("/")[1]]]


@of_the_guide
def test_a_licence_that_the_weights_do_not_state_has_a_note() -> None:
    """Stated for the weights themselves: SAM's, and what google-deepmind/tapnet publishes."""
    artifacts = load("dvc.yaml")["artifacts"]

    bare = {name for name, entry in artifacts.items() if "license_note" not in entry["meta"]}

    assert bare == {
        "sam-vit-b",
        "sam-vit-l",
        "sam-vit-h",
        "causal-tapir-checkpoint",
        "tapir-checkpoint-panning",
        "tapnet-checkpoint",
    }


def test_stages_are_written_in_one_order() -> None:
    """desc, cmd, deps, params, outs; sorted lists; one command without a shell; persist outs."""
    for name, stage in load("dvc.yaml")["stages"].items():
        stage = stage.get("do", stage)  # noqa: PLW2901 - the stage itself
        order = ["desc", "cmd", "deps", "params", "outs"]
        assert list(stage) == [key for key in order if key in stage], name
        assert stage["desc"]
        assert re.fullmatch(r"python -m scripts\.\w+( [\w${}]+)*", stage["cmd"])
        for key in ("deps", "params"):
            assert stage.get(key, []) == sorted(stage.get(key, []))
        options = [{"cache": False, "persist": True} if name == "tree" else {"persist": True}]
        assert all(list(out.values()) == options for out in stage.get("outs", []))


def test_every_dependency_of_a_stage_is_there() -> None:
    """A module that was renamed would fail `dvc repro` at its start."""
    deps = {dep for stage in load("dvc.yaml")["stages"].values() for dep in stage.get("deps", [])}

    assert all((REPOSITORY / dep).is_file() for dep in deps if dep.startswith("scripts/"))


def test_git_ignores_the_tree_and_has_nothing_of_it() -> None:
    """A .gitignore below models/ would count in the seal, and break the PIPS loaders."""
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()

    assert {"/models", "/quarantine"} <= set(ignored)
    assert not [name for name in tracked() if name.startswith("models/")]


def test_the_remote_is_one_that_verifies() -> None:
    """Beside the clone, by default, hashes checked, files linked; and nothing secret."""
    config = configparser.ConfigParser()
    config.read(REPOSITORY / ".dvc/config")

    remote = config["'remote \"team\"'"]
    assert config["core"]["remote"] == "team"
    assert dict(remote) == {"url": "../../sam-pt-checkpoints.team", "verify": "true"}
    assert config["cache"]["type"] == '"reflink,hardlink,symlink,copy"'
    words = "|".join(key for section in config.values() for key in section)
    assert not re.search("password|token|secret|credential|user|key", words)
    assert ".dvc/config.local" not in tracked()


def test_git_holds_no_big_file() -> None:
    """200 kB are enough for words; whatever is larger belongs to DVC."""
    sizes = {name: (REPOSITORY / name).stat().st_size for name in tracked()}

    assert {name: size for name, size in sizes.items() if size > 200_000} == {}


def test_no_file_names_a_machine_or_an_index() -> None:
    """What is written here holds wherever it is cloned, with whatever index is used there."""
    machine = rb"/(?:root|home/\w+|Users/\w+|work/(?:main|shared)|tmp/venv)/"
    index = rb"--(?:extra-)?index-url\b|/simple(?:[/ ]|$)"

    found = {name: re.findall(machine + b"|" + index, (REPOSITORY / name).read_bytes())
             for name in tracked()}  # fmt: skip

    assert {name: hits for name, hits in found.items() if hits} == {}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClone, World]]:
    """A fresh clone of this very repository, and a world that watches what it asks for."""
    base = tmp_path_factory.mktemp("fresh")
    with World(scale=10_000) as world:
        clone = TestClone(base / "clone", making.isolated(base) | world.env)
        making.copy(clone.root)
        making.commit(clone.root, clone.env)
        yield clone, world


def test_a_fresh_clone_misses_files_and_nothing_else(fresh: tuple[TestClone, World]) -> None:
    """Nothing is new, modified, or another command; no warning, and no request is made."""
    clone, world = fresh

    done = clone.run("dvc", "status")

    words = re.findall(r"^\t\t(.+?): +(\S+)$", done.stdout, re.MULTILINE)
    assert (done.returncode, done.stderr) == (0, "")
    assert {word for word, _ in words} <= {"deleted", "not in cache"}
    assert {path for _, path in words} == {*HOLDS.files, "models"}
    assert "changed command" not in done.stdout
    assert "WARNING" not in done.stdout
    assert (world.requests, world.refused, world.tunnels) == ([], [], [])
    assert clone.run("git", "status", "--short").stdout == ""


def test_sources_are_a_dvc_project_of_their_own(
    fresh: tuple[TestClone, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC reads each as a frozen import of one address, and the root's project sees none."""
    clone, world = fresh
    for name, value in clone.env.items():
        monkeypatch.setenv(name, value)

    with Repo(str(clone.root / "sources")) as inner, Repo(str(clone.root)) as outer:
        imports = {s.path_in_repo: s for s in inner.index.stages}
        seen = {s.path_in_repo for s in outer.index.stages}

    assert set(imports) == {f"{name}.dvc" for name in HOLDS.published}
    assert all(stage.is_import and stage.frozen for stage in imports.values())
    assert {s.deps[0].def_path for s in imports.values()} == {
        sources.read(REPOSITORY / "sources", name).url for name in HOLDS.published
    }
    assert seen == {"dvc.yaml", "models.dvc"}
    assert (world.requests, world.refused) == ([], [])
