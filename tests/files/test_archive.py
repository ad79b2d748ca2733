"""scripts.archive: pinned members come out whole, and a hostile archive gives nothing."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import ArchiveError
from scripts.files import archive
from tests.files import hostile
from tests.files.hostile import CASES, MODEL, entry, tar_of
from tests.world.formats import noise, zip_of

if TYPE_CHECKING:
    from pathlib import Path

GOOD = noise("good", 4000)
PACKED = list(hostile.good_archives(GOOD))


def judged(folder: Path, data: bytes, **wanted: int | None) -> int:
    """Check an archive of these bytes, by default for the model at its size."""
    (folder / "some.part").write_bytes(data)
    return archive.check(folder / "some.part", wanted or {MODEL: len(GOOD)})


def emptied(folder: Path, data: bytes) -> dict[str, bytes]:
    """Check an archive of these bytes and take the model out of it."""
    judged(folder, data)
    return taken(folder, MODEL)


def taken(folder: Path, *names: str) -> dict[str, bytes]:
    """Return name -> content of members of the archive judged before."""
    found = archive.members(folder / "some.part", set(names))
    return {name: b"".join(chunks) for name, chunks in found}


@pytest.mark.parametrize("data", PACKED, ids=[str(n) for n in range(len(PACKED))])
def test_a_member_comes_out_of_every_common_packing(tmp_path: Path, data: bytes) -> None:
    """Tar, bare or in gzip, bzip2 and xz, and zip by each of its methods."""
    assert emptied(tmp_path, data) == {MODEL: GOOD}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_archive_is_refused_or_its_content_is_wrong(tmp_path: Path, case: str) -> None:
    """The reason names the member; what only the pin can tell comes out as other bytes."""
    build, words = CASES[case]

    if words == "do not match the pin":
        assert emptied(tmp_path, build(GOOD))[MODEL] != GOOD
        return
    with pytest.raises(ArchiveError) as caught:
        emptied(tmp_path, build(GOOD))
    assert words in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["some.part"]


def test_only_the_named_members_are_read(tmp_path: Path) -> None:
    """Whatever else an archive holds is passed over."""
    data = tar_of(entry("a", b"1"), entry("b", b"2"), entry("c", b"3"))

    assert judged(tmp_path, data, a=1, c=1) == 2
    assert taken(tmp_path, "a", "c") == {"a": b"1", "c": b"3"}


@pytest.mark.parametrize("pack", [lambda m: tar_of(*map(entry, m, m.values())), zip_of])
def test_a_member_without_a_pin_may_have_any_size(tmp_path: Path, pack: hostile.Pack) -> None:
    """Before the first use of an archive nothing is known of its members."""
    assert judged(tmp_path, pack({"a": b"12345"}), a=None) == 5


def test_every_fault_is_told_at_once_up_to_ten(tmp_path: Path) -> None:
    """A user sees what kind of archive it is, not only its first fault."""
    links = [entry(f"../{n}") for n in range(12)]

    with pytest.raises(ArchiveError) as caught:
        judged(tmp_path, tar_of(*links))

    assert len(caught.value.details) == 10
    assert caught.value.what == "some.part is refused, and nothing of it was written"


def test_a_name_of_a_megabyte_does_not_fill_the_screen(tmp_path: Path) -> None:
    """What an archive says of itself is shown in part."""
    with pytest.raises(ArchiveError) as caught:
        judged(tmp_path, tar_of(entry("../" + "x" * 100_000)))

    assert max(map(len, str(caught.value).splitlines())) < 200


def test_an_empty_file_is_a_broken_archive(tmp_path: Path) -> None:
    """Nothing was published, or nothing arrived."""
    with pytest.raises(ArchiveError, match=r"some\.part is broken: empty file"):
        judged(tmp_path, b"")


def test_a_zip_that_lies_about_a_size_gives_no_more_than_it_declares(tmp_path: Path) -> None:
    """Bytes beyond the declared size never reach the disk."""
    packed = zip_of({MODEL: GOOD + b"more"}, zipfile.ZIP_DEFLATED)
    size = len(GOOD).to_bytes(4, "little")
    data = hostile.patched(packed, b"PK\x01\x02", 24, size)

    assert judged(tmp_path, data) == len(GOOD)
    with pytest.raises(ArchiveError, match="crc"):
        taken(tmp_path, MODEL)
