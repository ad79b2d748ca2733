"""Lock, seal, inventory and params.yaml are held against each other: no cut of one goes unseen."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import fetch, seal, tree, verify
from scripts.catalogue import history, inventory, params, pins, resealing, witnesses
from scripts.console.errors import CatalogueError, CheckpointError
from tests.world.checkpoints import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from scripts.catalogue.pins import Pin
    from tests.world import World
    from tests.world.clones import TestClone

    Facts = dict[str, object]
    Read = Callable[[Path], Facts]

NAMES = ("params.yaml", "dvc.lock", "models.dvc", "models.json")
SAM = "models/sam_ckpts/sam_vit_b_01ec64.pth"
META = "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth"
Capture = pytest.CaptureFixture[str]


def edit(root: Path, name: str, old: str, new: str, *, count: int = 1) -> None:
    """Replace a text in a file, which must be there."""
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new, count))


def without(text: str, stage: str) -> str:
    """Return a dvc.lock without one stage."""
    found = re.sub(rf"(?m)^  {re.escape(stage)}:\n(?:    .*\n)+", "", text)
    assert found != text
    return found


def drop(root: Path, *stages: str) -> None:
    """Remove stages from dvc.lock."""
    text = (root / "dvc.lock").read_text()
    for stage in stages:
        text = without(text, stage)
    (root / "dvc.lock").write_text(text)


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """The catalogue of a clone, without its git."""
    for name in (*NAMES, "dvc.yaml"):
        shutil.copy(template / name, tmp_path / name)
    shutil.copytree(template / "sources", tmp_path / "sources")
    return tmp_path


def facts(root: Path, pinned: dict[str, Pin] | None = None) -> Facts:
    """Return md5, size and sha256 of every file, and the sha256 of every archive."""
    holds = params.read(root / "params.yaml")
    pinned = pins.read(root / "dvc.lock") if pinned is None else pinned
    rows: Facts = {path: (pinned.get(path), file.sha256) for path, file in holds.files.items()}
    return rows | {f"{name}.archive": one.sha256 for name, one in holds.published.items()}


def checked(root: Path) -> Facts:
    """Return the facts that fetch, tree and verify work with; raise CatalogueError."""
    holds, pinned = witnesses.read(root)
    assert holds == params.read(root / "params.yaml")
    return facts(root, pinned)


def sealed(root: Path) -> Facts:
    """Return the facts that seal writes; raise CatalogueError."""
    return facts(root, resealing.believed(root))


def cuts(path: Path, every: int = 1) -> Iterator[bytes]:
    """Yield what may be left of a file; what lost the end of a line must not be read at all."""
    whole = path.read_bytes()
    read = {"params.yaml": params.read, "dvc.lock": pins.read}.get(path.name)
    for end in range(0, len(whole), every):
        if read is None or whole[:end].endswith(b"\n"):
            yield whole[:end]
            continue
        path.write_bytes(whole[:end])
        with pytest.raises(CatalogueError):
            read(path)
    path.write_bytes(whole)


def lines(path: Path, every: int) -> list[bytes]:
    """Return what a file is that is cut at every so many line ends."""
    whole = path.read_bytes()
    return [whole[: line.end()] for line in re.finditer(b"\n", whole)][:-1:every]


def refused_or_harmless(root: Path, found: Iterable[bytes], name: str, read: Read) -> int:
    """Assert it of what may be left of a file; return how many were refused."""
    right, refused = read(root), 0
    for cut in found:
        (root / name).write_bytes(cut)
        try:
            assert read(root) == right, cut[-200:]
        except CheckpointError:
            refused += 1
    return refused


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.torture)])
@pytest.mark.parametrize("name", ["params.yaml", "dvc.lock", "models.dvc"])
def test_every_cut_is_refused_or_harmless(name: str, every: int, root: Path) -> None:
    """At every byte: same md5, size and sha256 for every file and archive, or an error."""
    assert refused_or_harmless(root, cuts(root / name, every), name, checked) > 12


def test_every_cut_of_the_inventory_is_none(root: Path) -> None:
    """It is no witness then, and `tree` writes it again: the other three must agree."""
    data = (root / "models.json").read_text()

    assert {inventory.parse(data[:end]) is None for end in range(len(data) - 1)} == {True}

    right = checked(root)
    for end in (0, len(data) // 2):
        (root / "models.json").write_text(data[:end])
        assert checked(root) == right


@pytest.mark.parametrize(
    ("name", "least"), [("params.yaml", 10), ("dvc.lock", 1), ("models.dvc", 1)]
)
def test_a_cut_is_refused_or_healed_by_the_seal(
    name: str, least: int, root: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What git has of the lock is restored; a file that lost its end is no smaller catalogue."""
    known = list(history.sealed(template))
    monkeypatch.setattr(history, "sealed", lambda _: known)

    found = lines(root / name, every=5)

    assert refused_or_harmless(root, found, name, sealed) >= least


def test_a_lock_of_an_import_may_lose_its_last_size(root: Path) -> None:
    """Its entry is the last one until the seal moves it: a size that is gone is told."""
    text = (root / "dvc.lock").read_text()
    stage = re.search(r"(?m)^  fetch@sam_vit_b:\n(?:    .*\n)+", text)
    assert stage
    assert stage[0].splitlines()[-1].strip().startswith("size: ")
    moved = without(text, "fetch@sam_vit_b") + stage[0]
    (root / "dvc.lock").write_text(moved)
    right = checked(root)
    (root / "dvc.lock").write_text(moved[: moved.rindex("      size:")])

    with pytest.raises(CatalogueError, match="its last entry has no size"):
        checked(root)

    assert right == facts(root) | right


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("models.json", '"md5": "', '"md5": "0', "in dvc.lock, 0"),
        ("models.dvc", "md5: ", "md5: 0", "models.dvc seals the tree 0"),
        ("params.yaml", "  sam_vit_b:\n", "  sam_b:\n    path: models/b.pth\n  sam_vit_b:\n",
         "1 of 17 files have no pin: models/b.pth"),
        ("params.yaml", "sam_vit_b_01ec64", "sam_vit_b",
         f"dvc.lock has 1 files that params.yaml has not: {SAM}"),
        ("dvc.lock", f"path: {SAM}\n      hash", "path: models/x\n      hash",
         "1 of 16 files have no pin: " + SAM),
        ("models.dvc", "path: models.json", "path: other", "it records no hash of models.json"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_with_both_values(
    name: str, old: str, new: str, told: str, root: Path
) -> None:
    """Which file says what."""
    edit(root, name, old, new)

    with pytest.raises(CatalogueError) as caught:
        checked(root)

    assert told in str(caught.value)
    assert "Next: " in str(caught.value)


def test_a_sha256_that_is_gone_is_told(root: Path) -> None:
    """Of a file and of an archive: the params in dvc.lock and models.json know them."""
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(re.sub(r"(?m)^.*sha256: .*\n", "", text))

    with pytest.raises(CatalogueError) as caught:
        checked(root)

    assert f"{SAM}: sha256 None in params.yaml, " in str(caught.value)
    assert "raft: sha256 None in params.yaml, " in str(caught.value)


def test_a_new_sha256_is_a_pin_more(root: Path) -> None:
    """Nobody contradicts it: it is checked from now on."""
    name = "  cotracker_stride_4_wind_8:\n"
    edit(root, "params.yaml", name, f'{name}    sha256: "{"1" * 64}"\n')

    checked(root)


def test_an_entry_that_params_yaml_lost_is_told(root: Path) -> None:
    """Lock and inventory still have it."""
    text = (root / "params.yaml").read_text()
    entry = re.sub(r"(?m)^  sam_vit_b:\n(?:    .*\n)+", "", text)
    (root / "params.yaml").write_text(entry)

    with pytest.raises(CatalogueError) as caught:
        checked(root)

    assert f"dvc.lock has 1 files that params.yaml has not: {SAM}" in str(caught.value)


def test_a_lock_that_lost_pins_is_refused_by_all(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """How many, the first names, and git as the way: its lock has them. Nothing is requested."""
    drop(clone.root, "unpack_raft", "unpack_pips")
    before = clone.read("models.dvc")

    for command, words in ((fetch, ["sam_vit_b"]), (verify, []), (tree, [])):
        assert command.main(words) == 2
        err = capsys.readouterr().err
        assert "  6 of 16 files have no pin: models/pips_ckpts/" in err
        assert " and 3 more\n" in err
        assert "Next: `git checkout dvc.lock`: the last commit has these pins.\n" in err

    assert (world.requests, clone.tree(), clone.read("models.dvc")) == ([], {}, before)
    clone.run("git", "checkout", "dvc.lock", check=True)
    assert fetch.main(["pips"]) == 0


def test_git_is_not_advised_where_it_has_no_pin(clone: TestClone, capsys: Capture) -> None:
    """A lock without the pin was committed: restoring it would be a circle."""
    drop(clone.root, "fetch@sam_vit_b")
    clone.run("git", "commit", "-qam", "lost", check=True)

    assert fetch.main(["sam_vit_b"]) == 2

    err = capsys.readouterr().err
    assert "git checkout" not in err
    assert "--trust-first-use NAME" in err


@pytest.mark.parametrize(
    ("committed", "step"),
    [
        (False, "Next: `git checkout dvc.lock`, unless you edited it: DVC may have been killed"),
        (True, "Next: `git log dvc.lock` lists earlier ones: the last commit has no readable"),
    ],
)
def test_git_restores_a_malformed_lock_where_it_has_a_sound_one(
    clone: TestClone, capsys: Capture, *, committed: bool, step: str
) -> None:
    """A lock that was committed malformed is not restored by git."""
    (clone.root / "dvc.lock").write_bytes(clone.read("dvc.lock")[:1000])
    if committed:
        clone.run("git", "commit", "-qam", "half", check=True)

    for command, words in ((fetch, ["sam_vit_b"]), (verify, []), (tree, []), (seal, [])):
        assert command.main(words) == 2
        assert step in capsys.readouterr().err


def test_the_tree_is_held_against_the_seal(clone: TestClone, capsys: Capture) -> None:
    """DVC would seal anything: a pin that changed in lock and inventory is refused before."""
    for path, data in files(10_000).items():
        (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / path).write_bytes(data)
    held = pins.read(clone.root / "dvc.lock")[SAM]
    for name in ("dvc.lock", "models.json"):
        edit(clone.root, name, str(held.md5), "1" * 31 + "a", count=-1)

    assert tree.main([]) == 2

    assert "models.dvc seals the tree " in capsys.readouterr().err


def test_the_tree_refuses_what_is_not_sealed_yet(root: Path) -> None:
    """A new file with its pin may be fetched; `tree` waits for the seal."""
    edit(root, "params.yaml", "  sam_vit_b:\n", "  sam_b:\n    path: models/b.pth\n  sam_vit_b:\n")
    row = "    outs:\n    - {path: models/b.pth, md5: 0123456789abcdef0123456789abcdef}\n"
    edit(root, "dvc.lock", "stages:\n", f"stages:\n  fetch@sam_b:\n{row}")
    checked(root)

    with pytest.raises(CatalogueError, match=r"models\.json does not list models/b\.pth"):
        witnesses.check_sealed(root, params.read(root / "params.yaml"))


@pytest.fixture
def added(clone: TestClone, world: World) -> TestClone:
    """A clone with an entry that somebody wrote by hand: it has no pin."""
    url = "https://dl.fbaipublicfiles.com/new/model.npy"
    world.publish(url, b"\x93NUMPY\x01\x00v\x00" + b"{}".ljust(118))
    edit(clone.root, "params.yaml", "  sam_vit_b:\n",
         "  new:\n    path: models/new.npy\n  sam_vit_b:\n")  # fmt: skip
    source = clone.read("sources/sam_vit_b.dvc").decode().replace(META, url)
    (clone.root / "sources/new.dvc").write_text(source.replace("sam_vit_b", "new"))
    return clone


def test_first_use_is_trusted_where_it_is_named(
    added: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a stage, not for what has a pin, not for what lost it; then the next steps."""
    assert fetch.main(["new"]) == 2
    monkeypatch.setenv("DVC_STAGE", "fetch@new")
    assert fetch.main(["--trust-first-use", "new"]) == 2
    monkeypatch.delenv("DVC_STAGE")
    assert "is not for a stage" in capsys.readouterr().err
    assert fetch.main(["--trust-first-use", "new", "--trust-first-use", "sam_vit_b"]) == 2
    assert "sam_vit_b has a pin" in capsys.readouterr().err
    assert fetch.main(["--trust-first-use", "nobody"]) == 2
    drop(added.root, "fetch@sam_vit_b")
    assert fetch.main(["--trust-first-use", "new", "--trust-first-use", "sam_vit_b"]) == 2
    assert world.requests == []
    added.run("git", "checkout", "dvc.lock", check=True)
    capsys.readouterr()
    monkeypatch.setattr("scripts.pickles.screening.judge", lambda *_: None)

    assert fetch.main(["--trust-first-use", "new"]) == 0

    out, err = capsys.readouterr()
    assert "first use: no pin yet" in out
    assert "`./checkpoints dvc commit --force fetch@new`" in err


def test_a_sha256_alone_is_a_pin(clone: TestClone, world: World, capsys: Capture) -> None:
    """The publisher serves other bytes: they are refused, in a download and in their place."""
    sha256 = params.read(clone.root / "params.yaml").files[SAM].sha256
    entry = f'  again:\n    path: models/again.pth\n    sha256: "{sha256}"\n'
    edit(clone.root, "params.yaml", "  sam_vit_b:\n", f"{entry}  sam_vit_b:\n")
    shutil.copy(clone.root / "sources/sam_vit_b.dvc", clone.root / "sources/again.dvc")
    world.publish(META, b"other bytes")

    assert fetch.main(["again"]) == 1
    assert "pinned  sha256" in capsys.readouterr().err
    (clone.root / "models").mkdir(exist_ok=True)
    (clone.root / "models/again.pth").write_bytes(b"other bytes")
    assert fetch.main(["again"]) == 1
    assert verify.main(["again"]) == 1
    assert clone.objects() == {}

    world.publish(META, files(10_000)[SAM])
    assert fetch.main(["again"]) == 0

    assert "first use" not in capsys.readouterr().out
    assert clone.read("models/again.pth") == files(10_000)[SAM]
    assert fetch.main(["again"]) == 0


def test_one_of_inventory_and_seal_may_be_missing(root: Path) -> None:
    """Each has the md5 of every file; without both, nothing tells what the lock has lost."""
    right = checked(root)
    (root / "models.dvc").rename(root / "aside")
    assert checked(root) == right
    (root / "models.json").unlink()

    with pytest.raises(CatalogueError, match=r"models\.dvc: 1 fault\n  the file is missing"):
        checked(root)

    (root / "aside").rename(root / "models.dvc")
    assert checked(root) == right
