"""scripts.checkout.state: where each file is, and how big, without reading one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.checkout import state
from scripts.checkout.clone import Clone
from scripts.checkout.state import FileState, Place, Total
from scripts.files import digests
from scripts.storage.cache import Cache
from tests.conftest import SCALE
from tests.world import clones
from tests.world.checkpoints import files

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

FILES = files(SCALE)
PATH = "models/sam_ckpts/sam_vit_b_01ec64.pth"
OTHER = "models/superglue_ckpts/superpoint_v1.pth"
UNSIZED = "models/tapnet_ckpts/open_source_ckpt/checkpoint.npy"  # the lock has no size of it


def states(clone: TestClone, *names: str) -> dict[str, FileState]:
    """Return the states of entries, or of all, by path."""
    here = Clone.at(clone.root)
    entries = here.catalogue.find(names or list(here.catalogue.published))
    return {found.path: found for found in state.read(here, entries)}


def test_the_state_of_a_fresh_clone_needs_no_request(clone: TestClone, world: World) -> None:
    """Everything is missing; the size is that of the lock, or unknown."""
    found = states(clone)

    assert set(found) == set(FILES)
    assert {each.place for each in found.values()} == {Place.MISSING}
    assert found[PATH] == FileState(PATH, "sam_vit_b", Place.MISSING, len(FILES[PATH]))
    assert found[UNSIZED].size is None
    assert world.requests == []


def test_a_file_is_in_place_modified_or_in_the_cache(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What DVC's state knows decides; no file is hashed."""
    assert fetch.main(["sam_vit_b", "sam_vit_l", "raft", "superpoint_v1"]) == 0
    monkeypatch.setattr(digests, "of_file", None)
    for name in ("raft-small", "raft-things"):
        (clone.root / f"models/raft_ckpts/{name}.pth").unlink()
    (clone.root / "models/raft_ckpts/raft-small.pth").write_bytes(b"short")
    other = clone.root / "models/raft_ckpts/raft-kitti.pth"
    data = other.read_bytes()
    other.unlink()
    other.write_bytes(data)

    found = states(clone)

    at = {path.rpartition("/")[2]: (each.place, each.cached) for path, each in found.items()}
    assert at["sam_vit_b_01ec64.pth"] == (Place.IN_PLACE, True)
    assert at["raft-small.pth"] == (Place.MODIFIED, True)
    assert at["raft-things.pth"] == (Place.CACHE, True)
    assert at["raft-kitti.pth"] == (Place.UNVERIFIED, True)
    assert at["cotracker_stride_4_wind_8.pth"] == (Place.MISSING, False)


def test_a_damaged_object_and_a_folder_are_not_the_file(clone: TestClone) -> None:
    """A known wrong hash, or a wrong size, is no copy in the cache; a folder is no file."""
    assert fetch.main(["sam_vit_b"]) == 0
    here = Clone.at(clone.root)
    cached = here.cache.object(str(here.pins[PATH].md5))
    here.cache.distrust(cached, "0" * 32)
    (clone.root / PATH).unlink()
    (clone.root / PATH).mkdir()

    assert states(clone, "sam_vit_b")[PATH].place is Place.MODIFIED
    assert not states(clone, "sam_vit_b")[PATH].cached
    cached.chmod(0o644)
    cached.write_bytes(b"short")
    assert not states(clone, "sam_vit_b")[PATH].cached


def test_the_team_s_folder_is_looked_at(clone: TestClone) -> None:
    """The remote of a fresh clone is a folder beside it."""
    assert fetch.main(["sam_vit_b"]) == 0
    pushed = clone.remote / "files"
    pushed.parent.mkdir()
    shutil.move(clone.root / ".dvc/cache/files", pushed)
    (clone.root / PATH).unlink()

    assert states(clone, "sam_vit_b")[PATH].place is Place.TEAM


def test_a_file_that_an_earlier_commit_pins_was_pinned_anew_since(clone: TestClone) -> None:
    """What nobody has ever pinned is modified; without git nobody can tell them apart."""
    assert fetch.main(["sam_vit_b", "superpoint_v1"]) == 0
    there = {path: str(Clone.at(clone.root).pins[path].md5) for path in (PATH, OTHER)}
    lock = clone.root / "dvc.lock"
    lock.write_text(lock.read_text().replace(there[PATH], "a" * 32))
    clones.commit(clone.root, clone.env)
    lock.write_text(lock.read_text().replace("a" * 32, "b" * 32))
    Cache(clone.root).remember(clone.root / OTHER, "2" * 32)

    found = states(clone, "sam_vit_b", "superpoint_v1")

    assert (found[PATH].place, found[OTHER].place) == (Place.REPINNED, Place.MODIFIED)
    assert found[PATH].is_wrong
    assert not found[PATH].is_there
    shutil.rmtree(clone.root / ".git")
    assert states(clone, "sam_vit_b")[PATH].place is Place.MODIFIED


def test_what_no_entry_names_is_stray(clone: TestClone) -> None:
    """A file, a link to nothing and an empty folder, each with the size that it has."""
    assert fetch.main(["sam_vit_b"]) == 0
    folder = (clone.root / PATH).parent
    (folder / "late.pth").write_bytes(b"12345")
    (folder / "gone.pth").symlink_to("nowhere")
    (folder / "empty").mkdir()

    found = state.strays(Clone.at(clone.root))

    assert [each.path.rpartition("sam_ckpts/")[2] for each in found] == [
        "empty/",
        "gone.pth",
        "late.pth",
    ]
    assert {each.place for each in found} == {Place.STRAY}
    assert found[2].size == 5
    assert not any(each.is_there or each.is_wrong for each in found)


def test_every_state_is_told_without_its_colour() -> None:
    """Words, marks and options differ; a mark is one character that any terminal has."""
    for kind in ("word", "mark", "colour", "meaning", "option"):
        assert len({getattr(place, kind) for place in Place}) == len(Place)
    assert all(len(place.mark) == 1 and place.mark.isascii() for place in Place)
    assert Place.UNVERIFIED.option == "not-verified"
    assert Place.REPINNED.value == "pinned anew"


def test_a_file_without_a_pin_cannot_be_verified(clone: TestClone) -> None:
    """It is there, and nobody knows what it must be."""
    clones.unpin(clone.root, "fetch@sam_vit_b")
    assert states(clone, "sam_vit_b")[PATH].place is Place.MISSING
    (clone.root / PATH).parent.mkdir(parents=True)
    (clone.root / PATH).write_bytes(b"12345")

    found = states(clone, "sam_vit_b")[PATH]

    assert (found.place, found.size, found.is_there) == (Place.UNVERIFIED, 5, True)


@pytest.mark.parametrize(
    ("recorded", "meta", "expected"),
    [(9, "size: 7", (9, False)), (None, "size: 7", (7, True)), (None, "other: 7", (None, False))],
)
def test_a_size_that_the_lock_lacks_is_in_sources(
    clone: TestClone, recorded: int | None, meta: str, expected: tuple[int | None, bool]
) -> None:
    """What the publisher stated once, or else an estimate."""
    path = clone.root / "sources/tapnet_checkpoint.dvc"
    text = path.read_text()
    if recorded:
        text = text.replace("- hash: md5\n  path: http", f"- size: {recorded}\n  path: http")
    path.write_text(f"{text}meta:\n  {meta}\n")

    found = states(clone, "tapnet_checkpoint")[UNSIZED]

    assert (found.size, found.estimated) == expected


def test_a_sum_says_whether_it_is_exact() -> None:
    """One estimate, or an unknown size, makes it an estimate."""
    exact = FileState("models/a", "a", Place.MISSING, 2_000_000)

    assert str(state.total([exact])) == "1 file, 2.0 MB"
    assert str(state.total([exact, FileState("b", "b", Place.CACHE, 5, estimated=True)])) == (
        "2 files, ~2.0 MB"
    )
    assert state.total([exact, FileState("b", "b", Place.CACHE)]) == Total(
        2, 2_000_000, estimated=True
    )
    assert (state.shown(None), state.shown(5, estimated=True)) == ("?", "~5 B")
