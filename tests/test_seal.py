"""scripts.seal: lock and seal are what DVC would write, without a checkpoint at hand."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import yaml
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

from scripts import seal, tree
from scripts.catalogue import documents, lock
from scripts.catalogue.pins import Pin
from scripts.console.errors import CatalogueError, DiskError
from tests.world.checkpoints import files
from tests.world.clones import PAPER, REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.clones import TestClone


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of what the seal is made of, of the paper."""
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", "models.dvc"):
        shutil.copy(PAPER / name, tmp_path)
    shutil.copytree(REPOSITORY / "scripts", tmp_path / "scripts")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first `old` in a file, which must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_hash_of_a_folder_is_the_one_of_dvc() -> None:
    """Whatever the order of the pins and of the letters in their paths."""
    names = ("b/c", "b-c", "b", "B", "b/é", "a.pth", "b c")
    theirs = Tree()
    for number, name in enumerate(names):
        theirs.add(tuple(name.split("/")), None, HashInfo("md5", f"{number:032x}"))
    theirs.digest()

    ours = lock.tree_md5({f"models/{name}": Pin(f"{n:032x}", n) for n, name in enumerate(names)})

    assert ours == theirs.oid


def test_a_lock_that_is_in_line_is_not_written(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second run finds nothing to do."""
    monkeypatch.chdir(root)
    lock.write(root)
    before = (root / "dvc.lock").stat().st_mtime_ns

    code = seal.main([])

    assert (code, capsys.readouterr().out) == (0, "lock and seal are in line\n")
    assert (root / "dvc.lock").stat().st_mtime_ns == before


def test_a_change_of_words_reaches_lock_and_seal(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A licence stands in models.json, whose hash both record; no pin changes."""
    monkeypatch.chdir(root)
    lock.write(root)
    before = [(root / name).read_text().splitlines() for name in ("dvc.lock", "models.dvc")]
    edit(root / "dvc.yaml", "license: Apache-2.0", "license: MIT-0 ")

    code = seal.main([])

    after = [(root / name).read_text().splitlines() for name in ("dvc.lock", "models.dvc")]
    changed = [len(set(new) - set(old)) for old, new in zip(before, after, strict=True)]
    assert (code, capsys.readouterr().out) == (0, "wrote dvc.lock, models.dvc\n")
    assert changed == [2, 2]  # md5 and size of models.json


def test_a_change_of_code_reaches_the_lock(root: Path) -> None:
    """The stage that writes models.json depends on the modules that it runs."""
    lock.write(root)
    (root / "scripts/tree.py").write_text("# another\n")

    assert lock.write(root) == ["dvc.lock"]
    assert lock.write(root) == []


def test_a_change_of_a_param_reaches_the_lock(root: Path) -> None:
    """In full, not as yaml aliases, which DVC does not write."""
    lock.write(root)
    edit(
        root / "params.yaml",
        "  cotracker_stride_4_wind_8:\n",
        f'  cotracker_stride_4_wind_8:\n    sha256: "{"1" * 64}"\n',
    )

    assert lock.write(root) == ["dvc.lock", "models.dvc"]

    text = (root / "dvc.lock").read_text()
    assert text.count("1" * 64) == 2
    assert not any(
        isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(text)
    )


def test_a_new_pin_reaches_all_who_record_it(root: Path) -> None:
    """The seal, tree and fetch_minimal; and a size that is not known any more goes."""
    new = "md5: " + "1" * 31 + "a\n"
    edit(root / "dvc.lock", "md5: 3560f6b6a5a6edacd814a1325c39640a\n      size: 2570940653\n", new)

    assert lock.write(root) == ["dvc.lock", "models.dvc"]

    held = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    minimal = {dep["path"]: dep for dep in held["fetch_minimal"]["deps"]}
    path = "models/samhq_ckpts/sam_hq_vit_h.pth"
    assert minimal[path] == {"path": path, "hash": "md5", "md5": "1" * 31 + "a"}
    assert held["tree"]["deps"][0]["md5"] != "1aebba37a5a0b1e907d477b7472a028f.dir"


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("dvc.lock", "stages:", "stage:", ["no map of stages"]),
        ("dvc.lock", "    deps:\n    - path", "    deps:\n    - x", ["unpack_pips: deps is not a"]),
        ("dvc.lock", "    params:\n      params.yaml", "    params:\n    - x",
         ["fetch@sam_vit_b: params is not a map of maps"]),
        ("dvc.lock", "checkpoints.sam_vit_b:", "checkpoints.old:",
         ["fetch@sam_vit_b: params.yaml has no checkpoints.old"]),
        ("dvc.lock", "checkpoints.sam_vit_b:", "checkpoints.sam_vit_b.path.x:",
         ["fetch@sam_vit_b: params.yaml has no checkpoints.sam_vit_b.path.x"]),
        ("models.dvc", "deps:", "\tdeps:", ["line 1: found character that cannot"]),
        ("models.dvc", "path: ", "path:\t", ["while scanning for the next token found character"]),
        ("models.dvc", "deps:\n", "deps: x\nouts:\n", ["models.dvc: deps is not a list of maps"]),
        ("params.yaml", "path: models", "path: ../models", ["line 9: sam_vit_b.path: ../models"]),
        ("dvc.yaml", "artifacts:", "artifacts: []\nx:", ["no map of artifacts"]),
    ],
)  # fmt: skip
def test_a_malformed_file_is_told_and_nothing_is_written(
    name: str, old: str, new: str, expected: list[str], root: Path
) -> None:
    """The faults of any of the four files; none of them is changed."""
    edit(root / name, old, new)
    before = {path: path.read_text() for path in root.iterdir() if path.is_file()}

    with pytest.raises(CatalogueError) as caught:
        lock.write(root)

    assert all(map(str.startswith, caught.value.faults, expected)), caught.value.faults
    assert {path: path.read_text() for path in root.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("text", ["", "- deps\n", "deps\n"])
def test_a_seal_that_is_no_map_is_told(text: str, root: Path) -> None:
    """Whatever an editor left of it."""
    (root / "models.dvc").write_text(text)

    with pytest.raises(CatalogueError, match=r"models\.dvc: not a map"):
        lock.write(root)


@pytest.mark.parametrize("name", ["dvc.lock", "models.dvc", "params.yaml", "dvc.yaml"])
def test_a_missing_file_is_told(name: str, root: Path) -> None:
    """Each of the four is needed."""
    (root / name).unlink()

    with pytest.raises(CatalogueError, match=f"{name}: 1 fault\n  the file is missing"):
        lock.write(root)


def test_a_missing_dependency_is_told(root: Path) -> None:
    """A module that the lock records and nobody has."""
    (root / "scripts/tree.py").unlink()

    with pytest.raises(DiskError, match=r"scripts/tree\.py: no such file or directory"):
        lock.write(root)


@pytest.fixture
def complete(clone: TestClone) -> TestClone:
    """A clone with every file in place, whose stages have all run."""
    for path, data in files(10_000).items():
        (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / path).write_bytes(data)
    held = yaml.safe_load(clone.read("dvc.lock"))
    for out in (out for stage in held["stages"].values() for out in stage.get("outs", [])):
        out.update({"size": len(clone.read(out["path"]))} if out["path"] != "models.json" else {})
    (clone.root / "dvc.lock").write_text(documents.dumped(held))
    lock.write(clone.root)
    assert tree.main([]) == 0
    return clone


def forget(root: Path) -> None:
    """Drop from lock and seal all that DVC learns from files."""
    held, seals = (yaml.safe_load((root / name).read_text()) for name in ("dvc.lock", "models.dvc"))
    for part in (seals, *held["stages"].values()):
        for entry in [*part.get("deps", []), *part.get("outs", [])]:
            if entry["path"] != "models.json":  # its size has always been known
                entry.pop("size", None)
            entry["md5"] = "0" * 31 + "a"
        part.get("params", {}).get("params.yaml", {}).clear()
    (root / "dvc.lock").write_text(yaml.safe_dump(held, sort_keys=False))
    (root / "models.dvc").write_text(yaml.safe_dump(seals, sort_keys=False))


def test_what_the_seal_writes_is_what_dvc_writes(complete: TestClone) -> None:
    """DVC itself fills in a lock and a seal that know nothing: byte by byte the same."""
    sealed = [complete.read(name) for name in ("dvc.lock", "models.dvc")]
    forget(complete.root)

    done = complete.run("dvc", "commit", "--force")

    assert done.returncode == 0, done.stderr
    assert [complete.read(name) for name in ("dvc.lock", "models.dvc")] == sealed


def test_a_lock_that_dvc_wrote_is_in_line(complete: TestClone) -> None:
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
