"""scripts.files.archive: pinned members are extracted, and a hostile archive is refused."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import ArchiveError, RoomError
from scripts.files import archive, digests
from tests.files import hostile
from tests.files.hostile import CASES, MODEL, entry, tar_of
from tests.world.formats import noise, zip_of

if TYPE_CHECKING:
    from pathlib import Path

GOOD = noise("good", 4000)
PACKED = list(hostile.good_archives(GOOD))


def extracted(folder: Path, data: bytes, **sizes: int | None) -> dict[str, bytes]:
    """Extract members, by default the model; return name -> content."""
    (folder / "some.part").write_bytes(data)
    sizes = sizes or {MODEL: len(GOOD)}
    targets = {name: folder / f"{number}.member" for number, name in enumerate(sizes)}
    for name, digest in archive.extract(folder / "some.part", targets, sizes):
        assert digest == digests.of_file(targets[name])
    return {name: target.read_bytes() for name, target in targets.items()}


@pytest.mark.parametrize("data", PACKED, ids=[str(n) for n in range(len(PACKED))])
def test_every_common_compression_is_supported(tmp_path: Path, data: bytes) -> None:
    """Tar, plain or with gzip, bzip2 and xz, and zip with each of its methods."""
    assert extracted(tmp_path, data) == {MODEL: GOOD}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_archive_is_refused_or_its_content_is_wrong(tmp_path: Path, case: str) -> None:
    """The reason names the member; what only the pin can detect is extracted as other bytes."""
    build, words = CASES[case]

    if words == "do not match the pin":
        assert extracted(tmp_path, build(GOOD))[MODEL] != GOOD
        return
    with pytest.raises(ArchiveError) as caught:
        extracted(tmp_path, build(GOOD))
    assert words in str(caught.value)
    if not caught.value.what.startswith("some.part is broken: "):
        assert [path.name for path in tmp_path.iterdir()] == ["some.part"]


def test_only_the_requested_members_are_extracted(tmp_path: Path) -> None:
    """All others are ignored."""
    data = tar_of(entry("a", b"1"), entry("b", b"2"), entry("c", b"3"))

    assert extracted(tmp_path, data, a=1, c=1) == {"a": b"1", "c": b"3"}


@pytest.mark.parametrize("pack", [lambda m: tar_of(*map(entry, m, m.values())), zip_of])
def test_a_member_without_a_pin_may_have_any_size(tmp_path: Path, pack: hostile.Pack) -> None:
    """Before the first use its size is unknown."""
    assert extracted(tmp_path, pack({"a": b"12345"}), a=None) == {"a": b"12345"}


def test_the_room_is_checked_before_the_first_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All requested members must fit, each with the size that the archive declares."""
    needed: list[int] = []

    def none(_: Path, size: int, *, what: str) -> None:
        needed.append(size)
        raise RoomError(what)

    monkeypatch.setattr(archive, "check_room", none)
    with pytest.raises(RoomError, match="some"):
        extracted(tmp_path, zip_of({"a": b"123", "b": b"45", "c": b"6"}), a=None, b=2)

    assert needed == [5]
    assert [path.name for path in tmp_path.iterdir()] == ["some.part"]


def test_up_to_ten_faults_are_reported_together(tmp_path: Path) -> None:
    """A user sees what kind of archive it is."""
    with pytest.raises(ArchiveError) as caught:
        extracted(tmp_path, tar_of(*(entry(f"../{n}") for n in range(12))))

    assert len(caught.value.details) == 10
    assert caught.value.what == "some.part is refused; nothing was extracted"


def test_a_long_name_is_cut_in_the_message(tmp_path: Path) -> None:
    """An archive may declare names of any length."""
    with pytest.raises(ArchiveError) as caught:
        extracted(tmp_path, tar_of(entry("../" + "x" * 100_000)))

    assert max(map(len, str(caught.value).splitlines())) < 200


def test_an_empty_file_is_a_broken_archive(tmp_path: Path) -> None:
    """It is neither a tar nor a zip."""
    with pytest.raises(ArchiveError, match=r"some\.part is broken: empty file"):
        extracted(tmp_path, b"")


def test_a_zip_that_declares_too_small_a_size_writes_no_more_than_that(tmp_path: Path) -> None:
    """Bytes beyond the declared size never reach the disk."""
    packed = zip_of({MODEL: GOOD + b"more"}, zipfile.ZIP_DEFLATED)
    size = len(GOOD).to_bytes(4, "little")

    with pytest.raises(ArchiveError, match="crc"):
        extracted(tmp_path, hostile.patched(packed, b"PK\x01\x02", 24, size))

    assert (tmp_path / "0.member").stat().st_size <= len(GOOD)
