"""Let a consumer use the tree: what `link` makes, adopts and leaves, and what `undo` restores."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.checkout.clone import Clone
from scripts.checkout.consumers import changes
from scripts.checkout.consumers.consumer import Consumer
from scripts.checkout.consumers.link import Linked
from scripts.checkout.consumers.link import link as run
from scripts.checkout.consumers.undo import Undone
from scripts.checkout.consumers.undo import undo as run_undo
from scripts.console.errors import CheckpointError, DiskError, UsageError
from scripts.storage.cache import Cache
from tests.conftest import SCALE
from tests.world.checkpoints import files
from tests.world.clones import stock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

FILES = files(SCALE)
MINIMAL = {
    "models/cotracker_ckpts/cotracker_stride_4_wind_8.pth",
    "models/samhq_ckpts/sam_hq_vit_h.pth",
}
LACKED = "models/superglue_ckpts/superpoint_v1.pth"  # by a tree with the minimal set
HELD = "models/samhq_ckpts/sam_hq_vit_h.pth"
PIPS = "models/pips_ckpts/reference_model/model-000200000.pth"


@pytest.fixture
def tree(clone: TestClone) -> TestClone:
    """A clone with the minimal set in place."""
    stock(clone.root, SCALE)
    assert fetch.main(["minimal"]) == 0
    for path in (clone.root / ".dvc/cache/files/md5").glob("??/*"):
        if path.read_bytes() not in [FILES[name] for name in MINIMAL]:
            path.unlink()
    return clone


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The consumer, with nothing at models/."""
    folder = tmp_path / "consumer"
    folder.mkdir()
    return folder


def link(clone: TestClone, folder: Path, *, copy: bool = False) -> Linked:
    """Link a consumer."""
    return run(Clone.checked(clone.root), Consumer.at(folder, clone.root), copy=copy)


def undo(clone: TestClone, folder: Path) -> Undone:
    """Undo what `link` did."""
    return run_undo(Clone.checked(clone.root), Consumer.at(folder, clone.root))


def put(folder: Path, name: str, data: bytes) -> Path:
    """Write a file of the consumer, as wget did."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def shape(folder: Path) -> dict[str, bytes | str | None]:
    """Return what is below a folder: the bytes of files, the targets of links, None of folders."""
    found: dict[str, bytes | str | None] = {}
    for path in folder.rglob("*"):
        link = str(path.readlink()) if path.is_symlink() else None
        plain = path.read_bytes() if path.is_file() else None
        found[path.relative_to(folder).as_posix()] = link or plain
    return found


def test_where_nothing_is_models_becomes_a_link(tree: TestClone, there: Path) -> None:
    """It shows the whole tree, also what is fetched later; a second run changes nothing."""
    first, second = link(tree, there), link(tree, there)

    assert (there / "models").readlink() == tree.root / "models"
    assert (first.whole, first.made, first.right) == (True, ["models"], MINIMAL)
    assert (second.whole, second.made, second.right) == (True, [], MINIMAL)


def test_a_tree_with_nothing_in_it_is_linked_all_the_same(clone: TestClone, there: Path) -> None:
    """The link leads to where the first fetch will put its files."""
    done = link(clone, there)

    assert (done.whole, done.right) == (True, set())
    assert link(clone, there).made == []


@pytest.mark.parametrize("inner", [[], ["sam_ckpts", "pips_ckpts/reference_model"]])
def test_empty_folders_make_room_for_the_link(
    tree: TestClone, there: Path, inner: list[str]
) -> None:
    """The guide of a paper begins with mkdir; undo makes the folders again."""
    (there / "models").mkdir()
    for name in inner:
        (there / "models" / name).mkdir(parents=True)
    before = shape(there)

    assert link(tree, there).whole

    assert shape(there) == {"models": str(tree.root / "models")}
    undo(tree, there)
    assert shape(there) == before


def test_a_former_ln_into_the_folder_is_recognised(tree: TestClone, there: Path) -> None:
    """`ln -s .../models models` makes models/models where models/ exists."""
    (there / "models").mkdir()
    (there / "models/models").symlink_to(tree.root / "models")

    done = link(tree, there)

    assert (done.whole, done.removed, done.nested) == (True, ["models/models"], [])
    assert shape(there) == {"models": str(tree.root / "models")}
    undo(tree, there)
    assert shape(there)["models/models"] == str(tree.root / "models")


def test_a_former_ln_beside_other_files_is_named(tree: TestClone, there: Path) -> None:
    """It does no harm, and the folder stays for the sake of the stray."""
    put(there, "models/notes.txt", b"mine")
    (there / "models/models").symlink_to(tree.root / "models")

    done = link(tree, there)

    assert (done.nested, done.strays) == (["models/models"], ["models/notes.txt"])
    assert (there / "models/models").is_symlink()


def test_right_files_are_adopted_and_the_tree_takes_those_it_lacks(
    tree: TestClone, there: Path, world: World
) -> None:
    """Nothing is downloaded and no byte stored twice; the whole folder becomes a link."""
    world.clear()
    held, lacked = (put(there, name, FILES[name]) for name in (HELD, LACKED))
    inode = lacked.stat().st_ino

    done = link(tree, there)

    assert done.whole
    assert (done.adopted, done.taken) == ([HELD, LACKED], [LACKED])
    assert tree.tree() == {name: FILES[name] for name in {*MINIMAL, LACKED}}
    assert held.read_bytes() == FILES[HELD]
    assert lacked.stat().st_ino == inode
    assert world.requests == []


def test_undo_restores_adopted_files_and_the_tree_keeps_them(tree: TestClone, there: Path) -> None:
    """The consumer has its own files again, in its own folders."""
    for name in (HELD, LACKED):
        put(there, name, FILES[name])
    before = shape(there)
    link(tree, there)

    done = undo(tree, there)

    assert shape(there) == before
    assert (done.removed, done.restored, done.kept) == (["models"], [HELD, LACKED], [])
    assert LACKED in tree.tree()
    assert changes.read(tree.root, there) is None


def test_wrong_files_and_strays_stay_where_they_are(tree: TestClone, there: Path) -> None:
    """The other files of the tree are linked one by one around them."""
    put(there, HELD, b"half a download")
    put(there, "models/pips_ckpts/reference_model/model-000300000.pth", b"stray")
    put(there, LACKED, FILES[LACKED])

    done = link(tree, there)

    differs = f"15 bytes, and the pinned file has {len(FILES[HELD]):,}"
    assert (done.whole, done.wrong) == (False, {HELD: differs})
    assert done.strays == ["models/pips_ckpts/reference_model/model-000300000.pth"]
    assert done.right == {*MINIMAL, LACKED} - {HELD}
    assert (there / HELD).read_bytes() == b"half a download"
    assert shape(there)[LACKED] == str(tree.root / LACKED)


def test_a_rerun_goes_on_once_the_way_is_free(tree: TestClone, there: Path) -> None:
    """With the wrong file and the stray away, one link shows everything."""
    wrong, stray = put(there, HELD, b"half"), put(there, "models/notes.txt", b"mine")
    link(tree, there)
    wrong.unlink()

    again = link(tree, there)

    assert (again.whole, again.wrong, again.right) == (False, {}, MINIMAL)
    stray.unlink()
    assert link(tree, there).whole
    undo(tree, there)
    assert shape(there) == {"models": None, "models/samhq_ckpts": None}


def test_undo_leaves_what_the_user_has_put_there_since(tree: TestClone, there: Path) -> None:
    """A stray, a file in the place of a link, and one in the place of an adopted file."""
    put(there, "models/notes.txt", b"mine")
    put(there, HELD, FILES[HELD])
    link(tree, there)
    for name in MINIMAL:
        (there / name).unlink()
        put(there, name, b"new")

    done = undo(tree, there)

    assert (done.removed, done.restored, done.kept) == ([], [], [HELD])
    assert {name for name, data in shape(there).items() if data == b"new"} == MINIMAL
    assert shape(there)["models/notes.txt"] == b"mine"


@pytest.mark.parametrize("stop", range(1, 9))
def test_an_interrupted_adoption_is_continued(
    tree: TestClone, there: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Stopped between any step and its record: no byte is lost, and a rerun ends as the first."""
    for name in (HELD, LACKED, PIPS):
        put(there, name, FILES[name])
    before, write, calls = shape(there), changes._write, []  # noqa: SLF001

    def cut(*args: object) -> None:
        calls.append(args)
        write(*args)  # type: ignore[arg-type] # as it was called
        if len(calls) == stop:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(changes, "_write", cut)
        with pytest.raises(KeyboardInterrupt):
            link(tree, there)
    kept = {*shape(there).values(), *tree.objects().values()}
    assert kept >= {FILES[name] for name in (HELD, LACKED, PIPS)}

    assert link(tree, there).right == {*MINIMAL, LACKED, PIPS}

    assert shape(there) == {"models": str(tree.root / "models")}
    undo(tree, there)
    assert shape(there) == before


def test_a_link_of_the_users_own_is_left_even_if_it_is_right(
    tree: TestClone, there: Path, tmp_path: Path
) -> None:
    """Neither it nor what it leads to is changed: it may be shared."""
    shared = put(tmp_path / "shared", HELD, FILES[HELD])
    (there / "models").mkdir()
    (there / "models/samhq_ckpts").symlink_to(shared.parent)
    (there / "models/cotracker_ckpts").mkdir()
    (there / next(iter(MINIMAL - {HELD}))).symlink_to("gone")

    done = link(tree, there)

    assert done.right == {HELD}
    assert list(done.wrong) == list(MINIMAL - {HELD})
    assert (there / "models/samhq_ckpts").is_symlink()
    assert not shared.is_symlink()
    assert shared.stat().st_nlink == 1


def test_nothing_is_put_behind_a_link_of_the_users_own(
    tree: TestClone, there: Path, tmp_path: Path
) -> None:
    """A file that the folder lacks is named: to fetch it would not help."""
    (tmp_path / "shared").mkdir()
    (there / "models").mkdir()
    (there / "models/samhq_ckpts").symlink_to(tmp_path / "shared")

    done = link(tree, there)

    assert done.wrong == {HELD: f"its folder is a link to {tmp_path}/shared, which has no such"}
    assert list((tmp_path / "shared").iterdir()) == []


def test_a_file_that_differs_in_its_bytes_alone_is_wrong(tree: TestClone, there: Path) -> None:
    """Its size is the pinned one."""
    put(there, LACKED, FILES[LACKED][:-1] + b"?")

    (why,) = link(tree, there).wrong.values()

    assert why == f"{len(FILES[LACKED]):,} bytes, and they are not those of the pinned file"


def test_the_root_of_a_disk_stays_a_folder(
    tree: TestClone, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume of a container is mounted at models/: each file is linked there."""
    (there / "models").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: path == there / "models")

    done = link(tree, there)

    assert (done.whole, set(done.made)) == (False, MINIMAL)
    assert {name for name, held in shape(there).items() if held} == MINIMAL


def test_links_to_single_folders_of_the_tree_give_way_to_one(tree: TestClone, there: Path) -> None:
    """They show less than it does; undo makes them again."""
    (there / "models").mkdir()
    (there / "models/samhq_ckpts").symlink_to(tree.root / "models/samhq_ckpts")
    before = shape(there)

    assert link(tree, there).removed == ["models/samhq_ckpts"]

    assert shape(there) == {"models": str(tree.root / "models")}
    undo(tree, there)
    assert shape(there) == before
    assert tree.tree().keys() == MINIMAL


def test_a_folder_in_the_place_of_a_file_is_in_the_way(tree: TestClone, there: Path) -> None:
    """So is a file in the place of a folder."""
    (there / HELD).mkdir(parents=True)
    put(there, "models/cotracker_ckpts", b"a file")

    done = link(tree, there)

    assert done.wrong.keys() == MINIMAL
    assert (there / "models/cotracker_ckpts").read_bytes() == b"a file"


def test_copies_are_files_without_links(tree: TestClone, there: Path) -> None:
    """In a container a link to the tree would lead nowhere; a second run makes no more."""
    first, second = link(tree, there, copy=True), link(tree, there, copy=True)

    assert set(first.made) == MINIMAL
    assert (second.made, second.adopted, second.right) == ([], [], MINIMAL)
    assert not any(path.is_symlink() for path in there.rglob("*"))
    assert {name: (there / name).read_bytes() for name in MINIMAL} == tree.tree()


def test_copies_replace_links_and_links_copies(tree: TestClone, there: Path) -> None:
    """Each leaves nothing of the other, and undo leaves nothing of both."""
    link(tree, there)
    link(tree, there, copy=True)
    assert not (there / "models").is_symlink()

    assert link(tree, there).whole

    assert shape(there) == {"models": str(tree.root / "models")}
    link(tree, there, copy=True)
    assert set(undo(tree, there).removed) == MINIMAL
    assert shape(there) == {}


def test_single_links_become_copies_beside_a_stray(tree: TestClone, there: Path) -> None:
    """The stray stays; undo removes the copies and leaves it."""
    put(there, "models/notes.txt", b"mine")
    link(tree, there)

    assert set(link(tree, there, copy=True).made) == MINIMAL

    assert not (there / HELD).is_symlink()
    undo(tree, there)
    assert shape(there) == {"models": None, "models/notes.txt": b"mine"}


def test_a_copied_tree_keeps_right_files_and_takes_them(tree: TestClone, there: Path) -> None:
    """With --copy a file that was there stays a file, and undo leaves it."""
    put(there, LACKED, FILES[LACKED])

    done = link(tree, there, copy=True)

    assert (done.taken, done.right) == ([LACKED], {*MINIMAL, LACKED})
    undo(tree, there)
    assert shape(there) == {
        "models": None, "models/superglue_ckpts": None, LACKED: FILES[LACKED]}  # fmt: skip


def test_undo_keeps_a_copy_that_was_changed(tree: TestClone, there: Path) -> None:
    """It is no longer what `link` made."""
    link(tree, there, copy=True)
    (there / HELD).unlink()
    put(there, HELD, b"retrained")

    assert undo(tree, there).kept == [HELD]

    assert (there / HELD).read_bytes() == b"retrained"


def test_an_outdated_copy_is_replaced(tree: TestClone, there: Path) -> None:
    """After a new pin, the copy of the old file is nobody's but this command's."""
    link(tree, there, copy=True)
    old = put(there, "old", b"the file before the new pin")
    md5 = "7f8e6c2e6d2b5b0ee2ff0cd0b1b1d1aa"
    record = changes.read(tree.root, there)
    assert record
    record.copied[HELD] = md5
    changes._write(tree.root, {str(there): vars(record)})  # noqa: SLF001
    old.replace(there / HELD)
    Clone.checked(tree.root).cache.remember(there / HELD, md5)

    done = link(tree, there, copy=True)

    assert (done.made, done.wrong) == ([HELD], {})
    assert (there / HELD).read_bytes() == FILES[HELD]


def test_a_link_of_the_clones_former_place_is_renewed(tree: TestClone, there: Path) -> None:
    """This command made it, so it may replace it; a link of the user's to elsewhere stays."""
    link(tree, there)
    record = changes.read(tree.root, there)
    assert record
    record.linked["models"] = "/former/place/models"
    changes._write(tree.root, {str(there): vars(record)})  # noqa: SLF001
    (there / "models").unlink()
    (there / "models").symlink_to("/former/place/models")

    assert link(tree, there).made == ["models"]

    (there / "models").unlink()
    (there / "models").symlink_to("/other/models")
    with pytest.raises(UsageError, match="is a link to /other/models, not to this tree"):
        link(tree, there)
    assert (there / "models").is_symlink()


def test_a_file_at_models_is_refused(tree: TestClone, there: Path) -> None:
    """It is nobody's to move but the user's."""
    put(there, "models", b"?")

    with pytest.raises(CheckpointError, match="is not a folder"):
        link(tree, there)


def test_a_wrong_file_of_the_tree_gives_way_to_a_right_one(tree: TestClone, there: Path) -> None:
    """It goes to quarantine, as with every command; nothing is lost."""
    put(tree.root, LACKED, b"wrong")
    put(there, LACKED, FILES[LACKED])

    assert link(tree, there).taken == [LACKED]

    assert tree.tree()[LACKED] == FILES[LACKED]
    assert [p.read_bytes() for p in (tree.root / "quarantine").rglob("*.pth")] == [b"wrong"]


def test_a_file_goes_only_once_its_copy_in_the_cache_is_read_back(
    tree: TestClone, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of the cache may be another one, and a bad one."""
    put(there, LACKED, FILES[LACKED])

    def write_wrong(cache: Cache, path: Path, md5: str) -> None:
        cache.object(md5).parent.mkdir(parents=True, exist_ok=True)
        cache.object(md5).write_bytes(path.read_bytes()[::-1])

    monkeypatch.setattr(Cache, "adopt", write_wrong)

    with pytest.raises(DiskError, match="cannot be read back"):
        link(tree, there)

    assert (there / LACKED).read_bytes() == FILES[LACKED]
    assert tree.tree().keys() == MINIMAL
    assert len(tree.objects()) == len(MINIMAL)


def test_undo_refuses_if_bytes_are_gone(tree: TestClone, there: Path) -> None:
    """Nothing is removed before everything can be restored."""
    put(there, LACKED, FILES[LACKED])
    link(tree, there)
    shutil.rmtree(tree.root / ".dvc/cache")
    (tree.root / LACKED).unlink()

    with pytest.raises(CheckpointError, match="has not the bytes to restore"):
        undo(tree, there)

    assert (there / "models").is_symlink()


def test_undo_without_a_record_changes_nothing(tree: TestClone, there: Path) -> None:
    """A link that the user has made is not this command's to remove."""
    (there / "models").symlink_to(tree.root / "models")

    with pytest.raises(UsageError, match="nothing to undo") as caught:
        undo(tree, there)

    assert any("rm " in line for line in caught.value.details)
    assert (there / "models").is_symlink()


@pytest.mark.parametrize("text", ["[]", "{", '{"CONSUMER": {"strange": 1}}'])
def test_a_record_that_cannot_be_read_is_named(tree: TestClone, there: Path, text: str) -> None:
    """It is written in one step, so somebody has edited it."""
    (tree.root / changes.RECORD).write_text(text.replace("CONSUMER", str(there)))

    with pytest.raises(UsageError, match="cannot be read"):
        link(tree, there)

    assert shape(there) == {}


def test_what_is_no_consumer_is_refused(tree: TestClone, there: Path) -> None:
    """A missing folder, a file, the clone itself, what it lies in, a folder of checkpoints."""
    with pytest.raises(UsageError, match="holds this repository itself"):
        Consumer.at(there, there / "models/clone")
    put(there, "file", b"")
    (there / "models").mkdir()
    (there / "to_tree").symlink_to(tree.root / "models")
    for folder, text in {
        there / "none": "does not exist",
        there / "file": "is not a folder",
        there / "models": "is a folder of checkpoints itself",
        there / "to_tree": "is this repository itself",
        tree.root: "is this repository itself",
    }.items():
        with pytest.raises(UsageError, match=text):
            Consumer.at(folder, tree.root)


def test_a_consumer_that_may_not_be_read_is_named(
    tree: TestClone, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's reason, and no traceback."""
    put(there, LACKED, b"")
    monkeypatch.setattr(os, "scandir", _denied)

    with pytest.raises(DiskError, match="models"):
        list(Consumer.at(there, tree.root).walk())


def _denied(path: object) -> None:
    raise PermissionError(13, "Permission denied", str(path))
