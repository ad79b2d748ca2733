"""scripts.seal: lock and seal are what DVC would write, without a checkpoint at hand."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

from scripts import seal, tree
from scripts.catalogue import documents, lock
from scripts.catalogue.pins import Pin
from scripts.console.errors import CatalogueError
from tests.world.checkpoints import PAPER, files
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.world.clones import TestClone

    Stages = dict[str, Any]

NAMES = ("dvc.lock", "models.dvc", "models.json")
SAM = "models/sam_ckpts/sam_vit_b_01ec64.pth"
HQ = "models/samhq_ckpts/sam_hq_vit_h.pth"
CURRENT = "dvc.lock, models.dvc and models.json are up to date\n"


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the seal is made of, of the paper, and sealed."""
    root = tmp_path_factory.mktemp("sealed")
    tree_stage = yaml.safe_load((PAPER / "dvc.yaml").read_text())["stages"]["tree"]
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", "models.dvc"):
        shutil.copy(PAPER / name, root / name)
    for name in tree_stage["deps"][1:]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    lock.write(root)
    return root


@pytest.fixture
def root(sealed: Path, tmp_path: Path) -> Path:
    """A copy of that to change."""
    return shutil.copytree(sealed, tmp_path, dirs_exist_ok=True)


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first `old` in a file, which must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def locked(root: Path) -> Stages:
    """Return the stages of dvc.lock."""
    stages: Stages = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    return stages


def test_the_hash_of_a_folder_is_the_one_of_dvc() -> None:
    """Whatever the order of the pins and of the letters in their paths."""
    names = ("b/c", "b-c", "b", "B", "b/é", "a.pth", "b c")
    theirs = Tree()
    for number, name in enumerate(names):
        theirs.add(tuple(name.split("/")), None, HashInfo("md5", f"{number:032x}"))
    theirs.digest()

    ours = lock.tree_md5({f"models/{name}": Pin(f"{n:032x}", n) for n, name in enumerate(names)})

    assert ours == theirs.oid


def test_a_lock_that_is_current_is_not_written(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second run finds nothing to do."""
    monkeypatch.chdir(root)
    before = (root / "dvc.lock").stat().st_mtime_ns

    code = seal.main([])

    assert (code, capsys.readouterr().out) == (0, CURRENT)
    assert (root / "dvc.lock").stat().st_mtime_ns == before


def test_a_changed_licence_reaches_all_three(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is in models.json, whose hash the others record; no pin changes."""
    monkeypatch.chdir(root)
    before = [(root / name).read_text().splitlines() for name in NAMES]
    edit(root / "dvc.yaml", "license: Apache-2.0", "license: MIT-0 ")

    code = seal.main([])

    after = [(root / name).read_text().splitlines() for name in NAMES]
    changed = [len(set(new) - set(old)) for old, new in zip(before, after, strict=True)]
    assert (code, capsys.readouterr().out) == (0, "wrote dvc.lock, models.dvc, models.json\n")
    assert changed == [2, 2, 1]  # md5 and size of models.json; the licence


def test_a_change_of_code_reaches_the_lock(root: Path) -> None:
    """The stage that writes models.json depends on the modules that it runs."""
    (root / "scripts/tree.py").write_text("# another\n")

    assert lock.write(root) == ["dvc.lock"]
    assert lock.write(root) == []


def test_a_change_of_a_param_reaches_the_lock(root: Path) -> None:
    """In full, not as yaml aliases, which DVC does not write."""
    edit(
        root / "params.yaml",
        "  cotracker_stride_4_wind_8:\n",
        f'  cotracker_stride_4_wind_8:\n    sha256: "{"1" * 64}"\n',
    )

    assert lock.write(root) == [*NAMES]

    text = (root / "dvc.lock").read_text()
    assert text.count("1" * 64) == 2
    assert not any(
        isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(text)
    )


def test_a_new_pin_reaches_all_that_record_it(root: Path) -> None:
    """The seal, tree and fetch_minimal; a size that is not known any more is dropped."""
    held = documents.editable(root / "dvc.lock")
    (out,) = held["stages"]["fetch@sam_hq_vit_h"]["outs"]
    before, out["md5"] = locked(root), "1" * 31 + "a"
    out.pop("size")
    (root / "dvc.lock").write_text(documents.dumped(held))

    assert lock.write(root) == [*NAMES]

    minimal = {dep["path"]: dep for dep in locked(root)["fetch_minimal"]["deps"]}
    assert minimal[HQ] == {"path": HQ, "hash": "md5", "md5": "1" * 31 + "a"}
    assert locked(root)["tree"]["deps"][0]["md5"] != before["tree"]["deps"][0]["md5"]


def drop(stages: Stages, *names: str) -> None:
    """Remove entries of the lock."""
    for name in names:
        del stages[name]


@pytest.mark.parametrize(
    "change",
    [
        lambda stages: stages["unpack_raft"].update(cmd="python -m scripts.unpack raft"),
        lambda stages: stages["tree"]["deps"].pop(),
        lambda stages: stages["tree"]["deps"].append({"path": "old.py", "md5": "0" * 32}),
        lambda stages: stages["tree"].pop("deps"),
        lambda stages: stages["tree"]["params"].clear(),
        lambda stages: stages["unpack_pips"]["params"]["params.yaml"].update({"archives.pips": 1}),
        lambda stages: stages["unpack_pips"]["params"]["params.yaml"].update(old=1),
        lambda stages: stages["fetch_minimal"].update(cmd="old", deps=[]),
        lambda stages: stages["fetch_minimal"]["deps"].pop(),
        lambda stages: stages.update(old=stages["fetch_minimal"]),
        lambda stages: stages.update({"fetch@old": {"cmd": "old"}}),
        lambda stages: drop(stages, "tree"),
        lambda stages: drop(stages, "fetch_minimal", "tree"),
        lambda stages: stages["tree"].update(params="none"),
    ],
)
def test_every_stage_is_aligned(root: Path, change: Callable[[Stages], object]) -> None:
    """Command, deps, params, and entries too many or too few: the same lock again."""
    before = (root / "dvc.lock").read_bytes()
    held = documents.editable(root / "dvc.lock")
    change(held["stages"])
    (root / "dvc.lock").write_text(documents.dumped(held))

    assert lock.write(root) == ["dvc.lock"]

    assert yaml.safe_load((root / "dvc.lock").read_bytes()) == yaml.safe_load(before)
    assert lock.write(root) == []


def test_a_stage_that_is_renamed_keeps_its_pins(root: Path) -> None:
    """They are found by path; the new entry is the last, as if DVC had written it."""
    before = locked(root)
    edit(root / "dvc.yaml", "  unpack_raft:", "  flow_models:")

    assert lock.write(root) == ["dvc.lock"]

    after = locked(root)
    assert after.pop("flow_models") == before.pop("unpack_raft")
    assert list(after) == list(before)


def test_a_stage_without_pins_is_left_out(root: Path) -> None:
    """DVC writes its entry after its first run; the pins of others' outs are kept."""
    before = locked(root)
    edit(
        root / "dvc.yaml",
        "  tree:\n",
        "  new: {cmd: train, deps: [dvc.yaml], outs: [new.bin]}\n  tree:\n",
    )
    assert lock.write(root) == []

    held = documents.editable(root / "dvc.lock")
    row = {"path": "new.bin", "hash": "md5", "md5": "2" * 31 + "a", "size": 7}
    held["stages"]["new"] = {"cmd": "old", "outs": [row]}
    (root / "dvc.lock").write_text(documents.dumped(held))
    assert lock.write(root) == ["dvc.lock"]

    after = locked(root)
    new = after.pop("new")
    assert (new["cmd"], new["deps"][0]["path"], new["outs"]) == ("train", "dvc.yaml", [row])
    assert after == before


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("dvc.lock", "stages:", "stage:", ["no map of stages"]),
        ("dvc.lock", "    outs:\n    - path", "    outs:\n    - x",
         ["fetch@sam_vit_b: an out has no path"]),
        ("dvc.lock", "    deps:\n    - path", "    deps:\n    - x",
         ["fetch_minimal: deps is not a list of maps"]),
        ("models.dvc", "deps:", "\tdeps:", ["line 1: found character that cannot"]),
        ("models.dvc", "path: ", "path:\t", ["line 2: found character"]),
        ("models.dvc", "deps:\n", "deps: x\nouts:\n", ["models.dvc: deps is not a list of maps"]),
        ("models.dvc", "path: models.json", "path: lost.json", ["lost.json is missing"]),
        ("params.yaml", "path: models", "path: ../models", ["line 9: sam_vit_b.path: ../models"]),
        ("dvc.yaml", "artifacts:", "artifacts: []\nx:", ["no map of artifacts"]),
        ("dvc.yaml", "archives.raft", "archives.old", ["stages.unpack_raft: params.yaml has no"]),
        ("dvc.yaml", "- checkpoints\n", "- a.b\n      - c\n",
         ["stages.tree: params.yaml has no a.b, c"]),
        ("dvc.yaml", f"- {HQ}", "- models/a\n      - scripts/b.py",
         ["fetch_minimal: models/a has no pin", "fetch_minimal: scripts/b.py is missing"]),
        ("dvc.yaml", "${item.path}", "${item.pat}", ["stages.fetch: ${item.pat}: no such name"]),
    ],
)  # fmt: skip
def test_a_malformed_file_is_reported_and_nothing_is_written(
    name: str, old: str, new: str, expected: list[str], root: Path
) -> None:
    """All faults of the first of the four files that has some; none of them is changed."""
    edit(root / name, old, new)
    before = {path: path.read_text() for path in root.iterdir() if path.is_file()}

    with pytest.raises(CatalogueError) as caught:
        lock.write(root)

    assert len(caught.value.faults) == len(expected)
    assert all(map(str.startswith, caught.value.faults, expected)), caught.value.faults
    assert {path: path.read_text() for path in root.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("text", ["", "- deps\n", "deps\n"])
def test_a_seal_that_is_no_map_is_reported(text: str, root: Path) -> None:
    """Whatever an editor left of it."""
    (root / "models.dvc").write_text(text)

    with pytest.raises(CatalogueError, match=r"models\.dvc: not a map"):
        lock.write(root)


@pytest.mark.parametrize("name", ["dvc.lock", "models.dvc", "params.yaml", "dvc.yaml"])
def test_a_missing_file_is_reported(name: str, root: Path) -> None:
    """Each of the four is needed."""
    (root / name).unlink()

    with pytest.raises(CatalogueError, match=f"{name}: 1 fault\n  the file is missing"):
        lock.write(root)


def test_a_missing_dependency_is_reported(root: Path) -> None:
    """A module that the lock records and that was deleted."""
    (root / "scripts/tree.py").unlink()

    with pytest.raises(CatalogueError, match=r"tree: scripts/tree\.py is missing"):
        lock.write(root)


def know_sizes(root: Path) -> None:
    """Put the size of every file into lock and seal."""
    held, seals = (yaml.safe_load((root / name).read_text()) for name in ("dvc.lock", "models.dvc"))
    for out in (out for stage in held["stages"].values() for out in stage.get("outs", [])):
        out["size"] = (root / out["path"]).stat().st_size
    for part in (seals, held["stages"]["tree"]):
        part["deps"][0]["md5"] = "0" * 31 + "a"  # else the seal leaves it alone
    (root / "dvc.lock").write_text(documents.dumped(held))
    (root / "models.dvc").write_text(documents.dumped(seals))
    lock.write(root)


@pytest.fixture
def complete(clone: TestClone) -> TestClone:
    """A clone with every file in place, whose stages have all run."""
    for path, data in files(10_000).items():
        (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / path).write_bytes(data)
    know_sizes(clone.root)
    assert tree.main([]) == 0
    return clone


def forget(root: Path) -> None:
    """Drop from lock and seal all that DVC learns from files, and more: old words of theirs."""
    held, seals = (yaml.safe_load((root / name).read_text()) for name in ("dvc.lock", "models.dvc"))
    for part in (seals, *held["stages"].values()):
        for entry in [*part.get("deps", []), *part.get("outs", [])]:
            if entry["path"] != "models.json":  # its size has always been known
                entry.pop("size", None)
            entry["md5"] = "0" * 31 + "a"
        if "cmd" in part:
            part.update(cmd="old")
        part.get("params", {}).get("params.yaml", {}).clear()
        part.get("deps", [])[1:-1] = []
    (root / "dvc.lock").write_text(yaml.safe_dump(held, sort_keys=False))
    (root / "models.dvc").write_text(yaml.safe_dump(seals, sort_keys=False))


def test_what_the_seal_writes_is_what_dvc_writes(complete: TestClone) -> None:
    """DVC itself fills in a lock and a seal that know nothing: byte by byte the same."""
    sealed = [complete.read(name) for name in NAMES]
    forget(complete.root)

    done = complete.run("dvc", "commit", "--force")

    assert done.returncode == 0, done.stderr
    assert [complete.read(name) for name in NAMES] == sealed


def test_a_lock_that_dvc_wrote_is_current(complete: TestClone) -> None:
    """DVC leaves a size out of what it need not write again, and so does the seal."""
    held = yaml.safe_load(complete.read("dvc.lock"))
    for entry in held["stages"]["fetch_minimal"]["deps"]:
        del entry["size"]
    (complete.root / "dvc.lock").write_text(documents.dumped(held))
    before = complete.read("dvc.lock")

    done = complete.run("dvc", "repro", "fetch_minimal")

    assert done.returncode == 0, done.stderr
    assert complete.read("dvc.lock") == before
    assert lock.write(complete.root) == []


def test_after_the_seal_dvc_status_shows_missing_files_only(clone: TestClone) -> None:
    """A command, deps, a name, params changed, a stage removed, one added: nothing `changed`."""
    path = clone.root / "dvc.yaml"
    edit(path, "scripts.fetch ${key}", "scripts.fetch -- ${key}")
    edit(path, "scripts.fetch cotracker", "scripts.fetch -- cotracker")
    edit(path, f"      - {HQ}\n", f"      - {SAM}\n      - scripts/tree.py\n")
    edit(path, "  unpack_raft:", "  flow_models:")
    edit(path, "  tree:\n", f"  second: {{cmd: two, deps: [{SAM}], params: [archives]}}\n  tree:\n")
    assert "changed command" in clone.run("dvc", "status").stdout

    done = clone.run(sys.executable, "-m", "scripts.seal")
    status = clone.run("dvc", "status").stdout

    assert done.stdout == "wrote dvc.lock\n", done.stderr
    assert "changed command" not in status
    words = {line.split(":")[0].strip() for line in status.splitlines() if line.startswith("\t\t")}
    assert words == {"deleted", "not in cache"}, status
