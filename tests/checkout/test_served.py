"""What a publisher served: remembered by a download, recalled while the pins are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import fetch, remove
from scripts.checkout import served
from scripts.checkout.clone import Clone
from tests.download.transfers import NAME, PATH, URL
from tests.world.checkpoints import files

if TYPE_CHECKING:
    from scripts.checkout.served import Served
    from tests.world import World
    from tests.world.clones import TestClone

DATA = files(10_000)[PATH]


def recalled(clone: TestClone, url: str = URL) -> Served | None:
    """Return what this clone remembers of the entry."""
    here = Clone.at(clone.root)
    return served.recall(here, here.catalogue.published[NAME], url)


def test_a_download_from_the_publisher_is_remembered(clone: TestClone, world: World) -> None:
    """With its ETag and size; of another address nothing is known."""
    world.publish(URL, DATA, etag='"first"')
    assert recalled(clone) is None

    assert fetch.main([NAME]) == 0

    found = recalled(clone)
    assert found
    assert (found.size, found.validator, list(found.md5s)) == (len(DATA), '"first"', [PATH])
    assert recalled(clone, f"{URL}?elsewhere") is None


def test_of_a_removed_entry_nothing_is_remembered(clone: TestClone) -> None:
    """Its undo does without."""
    path = clone.root / ".dvc/tmp/served/sam_vit_b.json"
    assert (fetch.main(["sam_vit_b"]), path.exists()) == (0, True)

    assert remove.main(["sam_vit_b"]) == 0

    assert not path.exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 1'])
def test_a_damaged_memory_is_none(clone: TestClone, text: str) -> None:
    """It is no fault: nothing was remembered."""
    path = clone.root / f".dvc/tmp/served/{NAME}.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)

    assert recalled(clone) is None


def test_a_memory_that_cannot_be_written_hinders_nobody(clone: TestClone) -> None:
    """The file is in its place all the same."""
    path = clone.root / ".dvc/tmp/served"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file in the folder's place")

    assert fetch.main([NAME]) == 0

    assert clone.read(PATH) == DATA
