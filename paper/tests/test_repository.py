"""The real yaml, lock, seal and sources, held against each other and against the guide."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dvc.repo import Repo

from paper.tests.guide import (
    ADDRESSES,
    CONFIGURATIONS,
    FAMILIES,
    GUIDE,
    HOLDS,
    MINIMAL,
    PINS,
    SEAL,
    SHA256,
    SIZES,
    of_the_guide,
    pairs,
)
from scripts.catalogue import lock, sources
from scripts.curation.machinery import blocks, is_machinery, patterns
from scripts.curation.start import TEMPLATE
from tests.catalogue.test_witnesses import NAMES, checked, lines, refused_or_harmless
from tests.world import World
from tests.world import clones as making
from tests.world.clones import REPOSITORY, TestClone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SINGLE = sorted(name for name, entry in HOLDS.published.items() if not entry.archive)
ARCHIVES = sorted(name for name, entry in HOLDS.published.items() if entry.archive)


def load(name: str) -> Any:  # noqa: ANN401 - a yaml document is any data
    """Return a document of the repository."""
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


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


@of_the_guide
def test_every_size_is_confirmed_or_estimated() -> None:
    """Figures of the guide, and of likely mirrors, fill the gaps of the lock."""
    sizes = {path: PINS[path].size for path in HOLDS.files}
    for entry in HOLDS.published.values():
        source = sources.read(REPOSITORY / "sources", entry.name)
        guesses = source.estimates if entry.archive else {entry.files[0].path: source.estimate}
        for path, size in guesses.items():
            assert (sizes[path] is None) == (size is not None), path
            sizes[path] = sizes[path] or size

    assert sum(filter(None, sizes.values())) == 10_020_067_755
    assert sum(sizes[path] or 0 for path in MINIMAL) == 2_667_409_645


@of_the_guide
def test_the_configurations_are_those_of_sam_pt() -> None:
    """Each loads what its file in configs/ says; the set `minimal` is what a stage fetches."""
    stage = load("dvc.yaml")["stages"]["fetch_minimal"]

    assert sorted(HOLDS.sets["minimal"]) == stage["deps"] == MINIMAL
    assert {name: set(paths) for name, paths in HOLDS.configurations.items()} == {
        name: {f"models/{path}" for path in paths}
        for name, *paths in map(str.split, CONFIGURATIONS)
    }


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
    made = lock.render(REPOSITORY)

    assert made == {name: (REPOSITORY / name).read_text() for name in made}


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


def test_what_may_not_be_redistributed_comes_from_its_owner_alone() -> None:
    """No mirror of SuperGlue or SuperPoint is a third party's copy."""
    names = [name for name in HOLDS.published if name.startswith("super")]

    for source in (sources.read(REPOSITORY / "sources", name) for name in names):
        urls = [source.url, *(mirror.url for mirror in source.mirrors)]
        assert len(urls) > 1
        assert all(url.split("/")[3] == "magicleap" for url in urls)


def test_a_mirror_says_why_it_is_one() -> None:
    """Each of the guide's new ones has its evidence above it, or above its group."""
    for path in (REPOSITORY / "sources").glob("[!.]*.dvc"):
        text = path.read_text()
        assert ("mirrors:" in text or "  size" in text) == ("# " in text), path.name


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
        for path, how in ((p, how) for out in stage.get("outs", []) for p, how in out.items()):
            in_git = {"cache": False} if path == "models.json" else {}
            assert how == in_git | {"persist": True}


def test_the_tests_own_catalogue_has_the_same_stages() -> None:
    """After a change of dvc.yaml: tests/world/paper/dvc.yaml, too; words may differ."""
    ours, papers = (load(f"{folder}dvc.yaml")["stages"] for folder in ("", "tests/world/paper/"))

    for stages in (ours, papers):
        del stages["fetch"]["do"]["desc"], stages["tree"]["desc"]
    assert (papers["fetch"], papers["tree"]) == (ours["fetch"], ours["tree"])


def test_every_dependency_of_a_stage_is_there() -> None:
    """A module that was renamed would fail `dvc repro` at its start."""
    deps = {dep for stage in load("dvc.yaml")["stages"].values() for dep in stage.get("deps", [])}

    assert all((REPOSITORY / dep).is_file() for dep in deps if dep.startswith("scripts/"))


def test_git_ignores_the_tree_and_has_nothing_of_it() -> None:
    """A .gitignore below models/ would count in the seal, and break the PIPS loaders."""
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()

    assert {"/models", "/quarantine"} <= set(ignored)
    assert "models.json" in tracked()
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
        making.copy(clone.root, REPOSITORY)
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


@of_the_guide
@pytest.mark.parametrize("name", ["params.yaml", "dvc.lock"])
def test_a_cut_of_the_real_files_is_refused_or_harmless(name: str, tmp_path: Path) -> None:
    """At line ends alone, and not at each: any other place is refused before it is read."""
    for each in (*NAMES, "dvc.yaml"):
        shutil.copy(REPOSITORY / each, tmp_path / each)

    found = lines(REPOSITORY / name, every=9)

    assert refused_or_harmless(tmp_path, found, name, checked) > 10


def test_every_file_is_the_machinerys_or_the_papers_own() -> None:
    """docs/changing.md has the rule: one listing of the root shows which is which."""
    own = {".dvc/config", "CHANGELOG.md", "README.md", "imports.yaml", "models.json", "params.yaml"}
    own |= {"dvc.lock", "dvc.yaml", "models.dvc", "docs/page.svg"}
    pages = {f"docs/{name}.md" for name in ("files", "recipes", "team")}

    others = {name for name in tracked() if not is_machinery(name, patterns())}

    assert {n for n in others if not re.match(r"paper/|sources/\w+\.dvc$", n)} == own | pages


def test_the_stages_that_every_catalogue_has_are_those_of_the_template() -> None:
    """Word for word: `update-machinery` brings another form of them."""
    theirs, ours = (blocks((folder / "dvc.yaml").read_text()) for folder in (TEMPLATE, REPOSITORY))

    assert theirs.items() <= ours.items()
