"""python -m scripts.link: what it prints, its exit code, and what it says of disks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import fetch, link
from scripts.checkout import disks
from scripts.checkout.clone import Clone
from scripts.storage.cache import Cache
from tests.conftest import SCALE
from tests.world.checkpoints import files
from tests.world.clones import stock

if TYPE_CHECKING:
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

FILES = files(SCALE)
HQ = "models/samhq_ckpts/sam_hq_vit_h.pth"
SAM = "models/sam_ckpts/sam_vit_l_0b3195.pth"
PIPS = "models/pips_ckpts/reference_model"


@pytest.fixture
def tree(clone: TestClone, capsys: Capture) -> TestClone:
    """A clone with the minimal set in place, and the others in its cache."""
    stock(clone.root, SCALE)
    assert fetch.main(["minimal"]) == 0
    capsys.readouterr()
    return clone


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The consumer, beside the clone."""
    folder = tmp_path / "work" / "consumer"
    folder.mkdir(parents=True)
    return folder


def put(folder: Path, name: str, data: bytes) -> None:
    """Write a file of the consumer."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def test_it_says_which_configurations_are_ready_and_what_the_others_need(
    tree: TestClone, there: Path, capsys: Capture
) -> None:
    """Each of the others has its own command, and the size of what is missing."""
    assert link.main(["../consumer"]) == 0

    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert lines[0] == f"{there}/models -> {tree.root}/models"
    assert lines[1] == "ready: demo"
    assert lines[2:] == [
        "not ready; what they need is fetched by",
        "  ./checkpoints fetch --for vis_eval_root  1 file, 125.6 kB",
        "  ./checkpoints fetch --for raft           1 file, 2.7 kB",
    ]
    assert link.main([str(there)]) == 0
    assert capsys.readouterr().out.startswith(f"{lines[0]}  (as it was)\n")


def test_what_it_advises_makes_every_configuration_ready(
    tree: TestClone, there: Path, capsys: Capture
) -> None:
    """No second link is needed: the folder is one link."""
    assert link.main([str(there)]) == 0

    assert fetch.main(["--for", "vis_eval_root", "--for", "raft"]) == 0

    capsys.readouterr()
    assert link.main([str(there), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {
        name: each["ready"] for name, each in report["configurations"].items()
    } == dict.fromkeys(["demo", "vis_eval_root", "raft"], True)
    assert tree.tree().keys() == set(report["right"])


def test_the_folder_is_relative_to_where_the_user_is(
    tree: TestClone, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """./checkpoints runs at the root of the clone, whatever the current folder was."""
    monkeypatch.setenv("CHECKPOINTS_FROM", str(there))

    assert link.main(["."]) == 0

    assert (there / "models").readlink() == tree.root / "models"


def test_it_tells_adopted_files_strays_and_wrong_ones_apart(
    tree: TestClone, there: Path, capsys: Capture
) -> None:
    """A wrong file is in the way: exit code 1; everything else is done."""
    put(there, HQ, b"half")
    put(
        there,
        "models/sam_ckpts/sam_vit_l_0b3195.pth",
        FILES["models/sam_ckpts/sam_vit_l_0b3195.pth"],
    )
    put(there, f"{PIPS}/model-000200000.pth", FILES[f"{PIPS}/model-000200000.pth"])
    put(there, f"{PIPS}/model-000300000.pth", b"stray")
    for number in range(12):
        put(there, f"models/{number:02}.txt", b"")
    (there / "models/models").symlink_to(tree.root / "models")

    assert link.main([str(there)]) == 1

    out, err = capsys.readouterr()
    assert f"{SAM}  verified: now a link, and taken into this tree\n" in out
    assert f"{there}/models: 3 files of this tree are there, 1 newly linked\n" in out
    assert "models/models  leads to this tree, and is of no use" in out
    assert "models/00.txt  is not in the catalogue, and is left\n" in out
    assert "... and 3 more; --json names them\n" in out
    assert "demo would load a wrong file: models/samhq_ckpts/sam_hq_vit_h.pth\n" in out
    assert f"Next: move what else is in {PIPS} away: a loader may list that folder.\n" in err
    assert "after each fetch: what else is there keeps models/ a folder.\n" in err
    assert "error: 1 file is in the way" in err
    assert f"  {HQ}: 4 bytes, and the pinned file has {len(FILES[HQ]):,}\n" in err
    assert (there / HQ).read_bytes() == b"half"


def test_a_former_ln_and_a_copy_are_named(tree: TestClone, there: Path, capsys: Capture) -> None:
    """The removed link, and the number of copies."""
    (there / "models").mkdir()
    (there / "models/models").symlink_to(tree.root / "models")

    assert link.main([str(there)]) == 0
    assert "models/models  a link was there; it is no longer needed\n" in capsys.readouterr().out
    assert link.main([str(there), "--copy"]) == 0

    out, err = capsys.readouterr()
    assert f"{there}/models: 2 files of this tree are there, 2 newly copied\n" in out
    assert "Run this again after each fetch: copies do not follow.\n" in err


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_undo_says_what_it_did(
    tree: TestClone, there: Path, capsys: Capture, words: list[str]
) -> None:
    """Once; there is nothing left to undo after it."""
    put(there, HQ, FILES[HQ])
    link.main([str(there)])
    capsys.readouterr()

    assert link.main([str(there), "--undo", *words]) == 0

    out = capsys.readouterr().out
    if words:
        assert json.loads(out) == {"removed": ["models"], "restored": [HQ], "kept": []}
    else:
        assert out == f"{there}/models: 1 removed, 1 restored\n"
    assert link.main([str(there), "--undo"]) == 2
    assert "nothing to undo" in capsys.readouterr().err
    assert tree.tree()[HQ] == FILES[HQ]


def test_a_folder_that_is_not_there_is_a_usage_error(
    tree: TestClone, there: Path, capsys: Capture
) -> None:
    """With the path that was looked for."""
    assert link.main(["../nowhere"]) == 2

    assert f"error: {tree.root.parent}/nowhere does not exist" in capsys.readouterr().err
    assert list(there.iterdir()) == []


TYPES = (
    "To link them: `./checkpoints dvc config --local cache.type hardlink,symlink && "
    "./checkpoints dvc checkout --relink $(find models/ ! -type d)`"
)


def configure(tree: TestClone, text: str) -> Clone:
    """Write the local configuration of DVC's cache, and read the clone again."""
    (tree.root / ".dvc/config.local").write_text(f"[cache]\n    {text}\n")
    return Clone.at(tree.root)


def test_nothing_is_said_of_disks_that_can_link(tree: TestClone) -> None:
    """As long as links are allowed."""
    assert disks.advice(Clone.at(tree.root)) == []

    told = disks.advice(configure(tree, "type = copy"))

    cache = tree.root / ".dvc/cache"
    assert told == [f"{cache} has no links to models/: every file is stored twice.", TYPES]


def test_a_cache_on_another_disk_is_named_with_the_cure(
    tree: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can move to the disk of models/; links across disks cost nothing."""
    other = _other_disk(tree.root)
    moved = configure(tree, f"dir = {other}")
    fact = f"models/ is on another file system than the cache, {other}"
    monkeypatch.setattr(Cache, "linking", lambda _: "symlink")
    assert disks.advice(moved) == [f"{fact}: its files are symlinks to the cache."]
    monkeypatch.setattr(Cache, "linking", lambda _: "copy")

    told = disks.advice(moved)

    assert (told[0], told[2]) == (f"{fact}: every file is stored twice.", TYPES)
    cure = f"./checkpoints dvc cache dir --local {tree.root}/.dvc/cache`, then run this again"
    assert cure in told[1]
    monkeypatch.setattr(Path, "is_mount", lambda _: True)
    assert disks.advice(moved) == [told[0], told[2]]


def test_a_cache_that_moves_to_the_disk_of_models_takes_its_files(
    tree: TestClone, there: Path, tmp_path: Path
) -> None:
    """A second run adds what is in place to the new cache, by a link: no byte is stored twice."""
    configure(tree, f"dir = {tmp_path}/new")

    assert link.main([str(there)]) == 0

    objects = [*(tmp_path / "new").glob("files/md5/??/*")]
    inodes = {path.stat().st_ino for path in objects}
    assert inodes == {(tree.root / name).stat().st_ino for name in tree.tree()}


def _other_disk(folder: Path) -> Path:
    """Return a folder of another file system, to which nothing is written."""
    for name in ("/dev/shm", "/proc", "/"):  # noqa: S108
        if Path(name).is_dir() and Path(name).stat().st_dev != folder.stat().st_dev:
            return Path(name)
    pytest.skip("there is one file system alone")


def test_the_command_says_what_disks_cost(tree: TestClone, there: Path, capsys: Capture) -> None:
    """After all else, on stderr."""
    configure(tree, "type = copy")

    assert link.main([str(there)]) == 0

    assert capsys.readouterr().err.splitlines()[-1] == TYPES
