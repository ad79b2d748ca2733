"""scripts.record: what sources/*.dvc remember, held byte for byte against DVC's own writing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from scripts.catalogue import documents, record
from scripts.console.errors import DiskError
from scripts.download.headers import Head
from tests.curation import changing
from tests.world import Fault
from tests.world.checkpoints import ARCHIVES, TAPNET, published
from tests.world.clones import TestClone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World

PAGES = {*ARCHIVES, "tapnet_checkpoint_wo_optstate"}  # where the address is not the file's own
NAME = "tapnet_checkpoint"
BUCKET = f"{TAPNET}/checkpoint.npy"
HEAD = Head(9, '"etag"')


def texts(folder: Path) -> dict[str, str]:
    """Return the text of every source by its name."""
    return {path.stem: path.read_text() for path in folder.glob("[!.]*.dvc")}


def ours_and_native(clone: TestClone) -> tuple[dict[str, str], dict[str, str]]:
    """Record with our command, then let DVC record on a copy of what was there before."""
    folder, kept = clone.root / "sources", clone.root.parent / "before"
    shutil.copytree(folder, kept)
    done = clone.run("python", "-m", "scripts.upstream", "--record")
    assert done.stderr.count("Traceback") == 0
    ours = texts(folder)
    shutil.rmtree(folder)
    kept.rename(folder)
    names = sorted(f"{name}.dvc" for name in ours if name not in PAGES)
    TestClone(folder, clone.env).run("dvc", "update", "--no-download", *names, check=True)
    return ours, texts(folder)


def test_what_is_recorded_is_what_dvc_records(clone: TestClone, world: World) -> None:
    """At first, and again when publishers changed; comments and meta are kept by both."""
    source = clone.root / f"sources/{NAME}.dvc"
    mirrors = "meta:\n  mirrors:\n  - https://mirror.test/checkpoint.npy # somebody's\n"
    source.write_text(source.read_text() + mirrors)

    first = ours_and_native(clone)
    for url in (BUCKET, *list(published(10_000))[:4]):
        world.publish(url, b"another release")
    second = ours_and_native(clone)

    for ours, native in (first, second):
        assert len(ours) == 12
        assert {n: ours[n] for n in ours if n not in PAGES} == {
            n: native[n] for n in native if n not in PAGES
        }
    assert first[0][NAME] != second[0][NAME]
    assert "# somebody's" in second[0][NAME]


def test_behind_a_page_the_file_is_recorded(clone: TestClone) -> None:
    """DVC itself would record the page of Dropbox and of Google Drive."""
    clone.run("python", "-m", "scripts.upstream", "--record", "raft")

    seen = record.read(clone.root / "sources", "raft")

    assert seen.size is not None
    assert seen.size > 10_000
    assert str(seen.etag).startswith('"')


def test_the_same_is_not_written_twice(clone: TestClone) -> None:
    """And what was written is what is read."""
    folder = clone.root / "sources"

    assert record.write(folder, NAME, etag=HEAD.etag, size=HEAD.size)
    assert not record.write(folder, NAME, etag=HEAD.etag, size=HEAD.size)
    assert record.read(folder, NAME) == record.Record(BUCKET, '"etag"', 9)


def test_what_is_no_longer_told_is_forgotten(clone: TestClone, world: World) -> None:
    """An old ETag beside a new size would be of no version at all."""
    folder = clone.root / "sources"
    record.write(folder, NAME, etag=HEAD.etag, size=HEAD.size)
    world.fault(BUCKET, Fault.without("ETag"))

    record.write(folder, NAME, etag=None, size=7)

    assert record.read(folder, NAME) == record.Record(BUCKET, None, 7)


def test_what_was_downloaded_of_another_version_is_forgotten(clone: TestClone) -> None:
    """As DVC forgets the hash of an import it has not downloaded."""
    path = clone.root / f"sources/{NAME}.dvc"
    document = documents.editable(path)
    document["outs"][0].update(md5="0" * 32, size=7)
    path.write_text(documents.dumped(document))

    record.write(path.parent, NAME, etag=HEAD.etag, size=HEAD.size)

    assert dict(documents.editable(path)["outs"][0]) == {"hash": "md5", "path": NAME}


def test_a_source_that_cannot_be_written_is_told(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its name and the reason."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)

    with pytest.raises(DiskError, match=rf"{NAME}\.dvc"):
        record.write(clone.root / "sources", NAME, etag=HEAD.etag, size=HEAD.size)


def test_a_full_disk_leaves_a_source_as_it_was(clone: TestClone) -> None:
    """An address that is half written would be that of nobody."""
    before = changing.files(clone)

    with changing.quota(100), pytest.raises(DiskError, match="no room to write"):
        record.write(clone.root / "sources", NAME, etag=HEAD.etag, size=HEAD.size)

    assert changing.files(clone) == before
