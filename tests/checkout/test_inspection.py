"""scripts.checkout.inspection: every byte is read once, from the disk."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from scripts.catalogue.params import Checkpoint, Published
from scripts.catalogue.pins import Pin
from scripts.checkout import inspection
from scripts.checkout.clone import Clone
from scripts.checkout.inspection import Place
from scripts.console.errors import StoppedError
from scripts.console.progress import Bar
from scripts.files import digests
from tests.download.transfers import MIB, NAME, PATH, md5, noise

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.clones import TestClone

ENTRY = Published("a", (Checkpoint("models/a"),))


def place(path: Path, data: bytes) -> Place:
    """Return a place whose pin is that of these bytes."""
    return Place(ENTRY, f"models/{path.name}", path, Pin(md5(data), len(data)))


def test_a_linked_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hard link, a symlink and the file itself are one inode; a copy is another."""
    data, sizes = noise(3 * MIB + 1), []
    real = digests.of_chunks
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to("a")
    (tmp_path / "d").write_bytes(data)

    def counted(*args: object) -> digests.Digest:
        digest = real(*args)  # type: ignore[arg-type]
        sizes.append(digest.size)
        return digest

    monkeypatch.setattr(digests, "of_chunks", counted)
    found = inspection.examine([place(tmp_path / name, data) for name in "abcd"])

    assert [finding.state for finding in found] == ["right"] * 4
    assert sizes == [len(data)] * 2


def test_one_inode_is_compared_with_the_pin_of_each_place(tmp_path: Path) -> None:
    """A link to the object of another file is right there and wrong here."""
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").symlink_to("a")

    found = inspection.examine([place(tmp_path / "a", b"a"), place(tmp_path / "b", b"b")])

    assert [finding.state for finding in found] == ["right", "wrong"]


def test_a_file_removed_before_it_is_read_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may move a file meanwhile."""
    path = tmp_path / "a"
    path.write_bytes(b"a")
    monkeypatch.setattr(Bar, "start", lambda *_: path.unlink())

    (found,) = inspection.examine([place(path, b"a")])

    assert found.state == "missing"


def test_a_file_in_the_place_of_a_folder_is_unreadable(tmp_path: Path) -> None:
    """models/a is a file, and models/a/b is missing."""
    (tmp_path / "a").write_bytes(b"a")

    (found,) = inspection.examine([place(tmp_path / "a" / "b", b"a")])

    assert (found.state, found.reason) == ("unreadable", "not a directory")


def test_ctrl_c_stops_the_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the rest of a file nor the next files are read."""
    done: list[int] = []
    once = threading.Lock()

    def interrupting(_: Bar, size: int) -> None:
        if once.acquire(blocking=False):  # of several threads
            os.kill(os.getpid(), signal.SIGINT)
        done.append(size)

    monkeypatch.setattr(Bar, "advance", interrupting)
    for number in range(8):
        with (tmp_path / str(number)).open("wb") as file:
            file.truncate(1 << 30)  # bytes; holes take no room

    with pytest.raises(StoppedError, match="stopped; not every byte was read"):
        inspection.examine([place(tmp_path / str(number), b"") for number in range(8)])

    assert sum(done) < 1 << 30


def test_the_whole_catalogue_has_two_places_a_file(clone: TestClone) -> None:
    """Its path under models/, and the object of its pin."""
    here = Clone.at(clone.root)

    first, second = inspection.places(here, [here.catalogue.published[NAME]])

    assert (first.path, first.cached) == (clone.root / PATH, False)
    assert second.cached
    assert second.path == here.cache.object(str(here.pins[PATH].md5))
