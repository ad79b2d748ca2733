"""Archives damaged at random raise ArchiveError, or give the requested member."""

from __future__ import annotations

import gzip
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.console.errors import ArchiveError
from scripts.files import archive
from tests.files.hostile import MODEL, entry, raw_tar, tar_of
from tests.world.formats import noise, zip_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = noise("fuzz", 600)
MEMBERS = {"reference_model/": b"", "reference_model/notes.txt": b"notes", MODEL: GOOD}
TAR = tar_of(*(entry(name, data) for name, data in MEMBERS.items() if data), mode="w:")
QUICKLY = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

positions = st.integers(0, max(len(TAR), 4096))
edits = st.lists(st.tuples(positions, st.binary(max_size=4)), min_size=1, max_size=6)
fields = {
    "kind": st.sampled_from([*tarfile.SUPPORTED_TYPES, *(b"xgXVNA"[i : i + 1] for i in range(6))]),
    "linkname": st.text(max_size=8),
    "mode": st.integers(0, 0o7777),
}
names = st.text(max_size=12) | st.just(MODEL) | st.sampled_from(["../x", "/x", "a/../.."])
headers = st.lists(
    st.builds(entry, names, st.binary(max_size=700), **fields),
    min_size=1,
    max_size=5,
)


def broken(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    """Overwrite bytes; an empty change cuts the file there."""
    for position, put in changes:
        kept = data[position + len(put) :] if put else b""
        data = data[:position] + put + kept
    return data


def extracted(path: Path) -> bytes | None:
    """Extract the model; return its bytes, or None if the archive is refused."""
    target = path.with_name("model")
    with suppress(ArchiveError):
        ((name, _),) = archive.extract(path, {MODEL: target}, {MODEL: len(GOOD)})
        assert name == MODEL
        return target.read_bytes()
    return None


@pytest.mark.parametrize("data", [TAR, gzip.compress(TAR), zip_of(MEMBERS)])
def test_an_undamaged_archive_is_read(tmp_path: Path, data: bytes) -> None:
    """The fuzzing below starts from archives that are accepted."""
    (tmp_path / "whole.part").write_bytes(data)

    assert extracted(tmp_path / "whole.part") == GOOD


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(lambda edit: edit(TAR), id="tar"),
        pytest.param(lambda edit: gzip.compress(edit(TAR), 1), id="tar within gzip"),
        pytest.param(lambda edit: edit(gzip.compress(TAR, 1)), id="gzip"),
        pytest.param(lambda edit: edit(zip_of(MEMBERS)), id="zip"),
    ],
)
@QUICKLY
@given(changes=edits)
def test_a_damaged_archive_raises_no_other_exception(
    tmp_path: Path,
    pack: Callable[[Callable[[bytes], bytes]], bytes],
    changes: list[tuple[int, bytes]],
) -> None:
    """A member that is extracted has the pinned size; its hash is checked by the caller."""
    path = tmp_path / "fuzzed.part"
    path.write_bytes(pack(lambda data: broken(data, changes)))

    content = extracted(path)

    assert content is None or len(content) == len(GOOD)


@QUICKLY
@given(entries=headers, size=st.none() | st.integers(-(1 << 40), 1 << 40))
def test_headers_of_every_kind_raise_no_other_exception(
    tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]], size: int | None
) -> None:
    """Headers with a correct checksum and any content: names, kinds, wrong sizes."""
    path = tmp_path / "fuzzed.part"
    path.write_bytes(raw_tar(*entries, size=size))

    content = extracted(path)

    assert content is None or len(content) == len(GOOD)


@QUICKLY
@given(
    pax=st.dictionaries(
        st.sampled_from(["path", "size", "linkpath", "mtime", "hdrcharset", "GNU.sparse.size"])
        | st.sampled_from([f"GNU.sparse.{word}" for word in ("map", "name", "major", "realsize")])
        | st.text(max_size=5),
        st.integers().map(str) | st.text(max_size=8) | st.just("0,1") | st.just(MODEL),
    )
)
def test_pax_headers_of_any_content_raise_no_other_exception(
    tmp_path: Path, pax: dict[str, str]
) -> None:
    """A pax header may change the name, size and kind of the next member."""
    path = tmp_path / "fuzzed.part"
    path.write_bytes(tar_of(entry("a", GOOD, pax_headers=pax), entry(MODEL, GOOD)))

    content = extracted(path)

    assert content in (None, GOOD)
