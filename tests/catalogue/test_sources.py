"""scripts.catalogue.sources: a file's URL and what is recorded of it, as DVC itself records it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.catalogue import documents, sources, urls
from scripts.catalogue.sources import Mirror, Source
from scripts.console.errors import CatalogueError, DiskError
from tests.curation import changing
from tests.world.checkpoints import FBAI, TAPNET
from tests.world.clones import TestClone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World

NAME = "tapnet_checkpoint"
BUCKET = f"{TAPNET}/checkpoint.npy"
HOSTS = (NAME, "sam_hq_vit_h", "sam_vit_b", "superpoint_v1")  # a source of each kind of host
DEPS = "deps:\n- path: https://h/f\n"


def read(tmp_path: Path, text: str) -> Source:
    """Return what sources/sam.dvc with this text says."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/sam.dvc").write_text(text, encoding="utf-8")
    return sources.read(tmp_path / "sources", "sam")


@pytest.mark.parametrize(("size", "expected"), [("", None), ("  size: 0\n", 0), ("  size: 9\n", 9)])
def test_a_source_is_what_import_url_wrote(size: str, expected: int, tmp_path: Path) -> None:
    """URL, ETag and size; the rest of what DVC records is not read."""
    text = (
        f"frozen: true\ndeps:\n- checksum: 'x'\n  path: https://h/f.pth?r=a&b=c\n{size}outs: []\n"
    )

    source = read(tmp_path, text)

    assert source == Source("sam", "https://h/f.pth?r=a&b=c", "x", expected)


@pytest.mark.parametrize(
    "url",
    [
        "https://dl.fbaipublicfiles.com/f",
        "https://host:8443/f",
        "HTTPS://HOST/f",
        "http://127.0.0.1:8000/f",
        "http://127.8.9.1/f",
        "http://[::1]:8000/f",
    ],
)
def test_https_is_safe_and_so_is_this_very_machine(url: str) -> None:
    """Nobody listens in between on a loopback address."""
    assert urls.is_safe(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://dl.fbaipublicfiles.com/f",
        "http://localhost/f",
        "http://localhost.localdomain:80/f",
        "http://127.0.0.1.evil.example/f",
        "http://127.0.0.1@evil.example/f",
        "http://evil.example\\@127.0.0.1/f",
        "https://evil.example\\@good.example/f",
        "http://0.0.0.0/f",
        "http://127.1/f",
        "http://10.0.0.1/f",
        "http://[::1/f",
        "https://",
        "https:///f",
        "https://host:port/f",
        "https://host:99999/f",
        "ftp://host/f",
        "file:///etc/passwd",
        "s3://bucket/f",
        "/etc/passwd",
        "//host/f",
        "",
    ],
)
def test_no_other_address_is_opened(url: str) -> None:
    """A name is what a resolver says it is, and two parsers may read one address as two hosts."""
    assert not urls.is_safe(url)


@pytest.mark.parametrize("meta", ["", "meta: 7\n", "meta: {}\n", "meta:\n  note: words\n"])
def test_a_source_may_have_no_mirrors(meta: str, tmp_path: Path) -> None:
    """Whatever else DVC's users keep under meta."""
    assert read(tmp_path, DEPS + meta).mirrors == ()


def test_sizes_that_nobody_has_confirmed_are_estimates(tmp_path: Path) -> None:
    """Of what the URL serves, and of the files in it."""
    source = read(tmp_path, f"{DEPS}meta:\n  size: 7\n  sizes: {{models/a: 9}}\n")

    assert (source.size, source.estimate, source.estimates) == (None, 7, {"models/a": 9})


def test_mirrors_are_addresses_of_all_or_of_one_member(tmp_path: Path) -> None:
    """In the order in which they are to be asked."""
    rows = "  - https://h/a\n  - member: models/m\n    url: https://h/b\n"

    source = read(tmp_path, f"{DEPS}meta:\n  mirrors:\n{rows}")

    assert source.mirrors == (Mirror("https://h/a"), Mirror("https://h/b", "models/m"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["not an import-url file: it has not exactly one dep"]),
        ("- a\n", ["not an import-url file: it has not exactly one dep"]),
        ("outs: []\n", ["not an import-url file: it has not exactly one dep"]),
        ("deps: {}\n", ["not an import-url file: it has not exactly one dep"]),
        ("deps: [a]\n", ["not an import-url file: it has not exactly one dep"]),
        (
            "deps: [{path: https://h/a}, {path: https://h/b}]\n",
            ["not an import-url file: it has not"],
        ),
        ("deps: [{}]\n", ["deps: None is not an https address"]),
        ("deps: [{path: [https://h]}]\n", ["deps: ['https://h'] is not an https address"]),
        ("deps: [{path: http://h/f}]\n", ["deps: 'http://h/f' is not an https address"]),
        (
            "deps: [{path: https://h/f, size: true}]\n",
            ["deps: size is True, not a number of bytes"],
        ),
        ("deps: [{path: 1, size: -1}]\n", ["deps: 1 is not an https", "deps: size is -1, not a n"]),
        ("deps: [\n", ["line 2: did not find expected node content"]),
        (
            "deps: [{path: 'https://h/f?a=1&token=tell'}]\n",
            ["deps: https://h/f: contains the secret parameter token, and sources/ is public"],
        ),
        (
            DEPS + "meta: {mirrors: [{url: 'https://h/f?sig=tell', member: m}]}\n",
            ["meta.mirrors: https://h/f: contains the secret parameter sig, and sources/"],
        ),
        (
            DEPS + "meta: {mirrors: ['https://tell:tell@h/f']}\n",
            ["meta.mirrors: https://h/f: contains a password, and sources/ is public"],
        ),
        (
            DEPS + "meta: {mirrors: ['http://h/f?token=tell']}\n",
            ["meta.mirrors: 'http://h/f' is not an https address"],
        ),
        (DEPS + "meta: {alternative: [1]}\n", ["meta.alternative: not a text"]),
        (DEPS + "meta: {size: -1}\n", ["meta.size: -1 is not a number of bytes"]),
        (DEPS + "meta: {sizes: 1}\n", ["meta.sizes: not a map of paths to numbers of bytes"]),
        (DEPS + "meta: {sizes: {a: x}}\n", ["meta.sizes: not a map of paths to numbers of bytes"]),
        (DEPS + "meta: {mirrors: {}}\n", ["meta.mirrors: not a list"]),
        (DEPS + "meta:\n  mirrors:\n  - 7\n", ["meta.mirrors: 7 is not an https address"]),
        (DEPS + "meta:\n  mirrors:\n  - http://h/f\n", ["meta.mirrors: 'http://h/f' is not an"]),
        (
            DEPS + "meta:\n  mirrors:\n  - url: https://h/f\n    member: 7\n",
            ["meta.mirrors: 7 is not the name of a member"],
        ),
    ],
)
def test_a_malformed_source_is_told_with_all_faults(
    text: str, expected: list[str], tmp_path: Path
) -> None:
    """Wrong shape, wrong types, wrong kind of address: the message names the file with folder."""
    with pytest.raises(CatalogueError) as caught:
        read(tmp_path, text)

    assert caught.value.what == f"sources/sam.dvc: {len(expected)} fault{'s'[: len(expected) - 1]}"
    assert all(map(str.startswith, caught.value.faults, expected))
    assert "tell" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "the file is missing"), ("deps: [{path: http://h/f}]\n", "is not an https address")],
)
def test_a_file_without_a_good_source_is_not_fetched(
    text: str | None,
    expected: str,
    clone: TestClone,
    world: World,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2 before any request; models/, the cache and the lock stay as they were."""
    path, lock = clone.root / "sources/sam_vit_b.dvc", clone.read("dvc.lock")
    path.write_text(text) if text else path.unlink()

    code = fetch.main(["sam_vit_b"])

    err = capsys.readouterr().err
    assert code == 2
    assert err.startswith("error: sources/sam_vit_b.dvc: 1 fault\n")
    assert expected in err
    assert (world.requests, world.refused) == ([], [])
    assert (clone.tree(), clone.objects(), clone.read("dvc.lock")) == ({}, {}, lock)


def test_an_alternative_is_one_line(tmp_path: Path) -> None:
    """Another way to the same file, for the message when the publisher fails."""
    text = f"{DEPS}meta:\n  alternative: >-\n    make it\n    yourself\n"

    assert read(tmp_path, text).alternative == "make it yourself"


def ours_and_native(clone: TestClone) -> tuple[dict[str, str], dict[str, str]]:
    """Record with our command, then let DVC record on a copy of what was there before."""
    folder = clone.root / "sources"
    kept = shutil.copytree(folder, clone.root.parent / "before")
    done = clone.run("python", "-m", "scripts.upstream", "--record", *HOSTS)
    assert "Traceback" not in done.stderr
    ours = {name: (folder / f"{name}.dvc").read_text() for name in HOSTS}
    shutil.rmtree(folder)
    kept.rename(folder)
    names = [f"{name}.dvc" for name in HOSTS]
    TestClone(folder, clone.env).run("dvc", "update", "--no-download", *names, check=True)
    return ours, {name: (folder / f"{name}.dvc").read_text() for name in HOSTS}


def test_what_is_recorded_is_what_dvc_records(clone: TestClone, world: World) -> None:
    """At first, and again when publishers changed; comments and meta are kept by both."""
    source = clone.root / f"sources/{NAME}.dvc"
    mirrors = "meta:\n  mirrors:\n  # Likely.\n  - https://m.test/checkpoint.npy # somebody's\n"
    source.write_text(source.read_text() + mirrors)

    first, native = ours_and_native(clone)
    assert first == native
    for url in (BUCKET, f"{FBAI}/segment_anything/sam_vit_b_01ec64.pth"):
        world.publish(url, b"another release")
    second, native = ours_and_native(clone)

    assert second == native
    assert first[NAME] != second[NAME]
    assert mirrors in second[NAME]


def test_behind_a_page_the_file_is_recorded(clone: TestClone) -> None:
    """DVC itself would record the page of Dropbox and of Google Drive."""
    clone.run("python", "-m", "scripts.upstream", "--record", "raft")

    seen = sources.read(clone.root / "sources", "raft")

    assert seen.size is not None
    assert seen.size > 10_000
    assert str(seen.etag).startswith('"')


def test_the_same_is_not_written_twice(clone: TestClone) -> None:
    """And what was written is what is read; without an ETag, none is kept beside a new size."""
    folder = clone.root / "sources"

    assert sources.record(folder, NAME, etag='"e"', size=9)
    assert not sources.record(folder, NAME, etag='"e"', size=9)
    assert sources.read(folder, NAME) == Source(NAME, BUCKET, '"e"', 9)
    assert sources.record(folder, NAME, etag=None, size=7)
    assert sources.read(folder, NAME) == Source(NAME, BUCKET, None, 7)


def test_what_was_downloaded_of_another_version_is_dropped(clone: TestClone) -> None:
    """As DVC drops the hash of an import it has not downloaded."""
    path = clone.root / f"sources/{NAME}.dvc"
    document = documents.editable(path)
    document["outs"][0].update(md5="0" * 32, size=7)
    path.write_text(documents.dumped(document))

    sources.record(path.parent, NAME, etag='"e"', size=9)

    assert dict(documents.editable(path)["outs"][0]) == {"hash": "md5", "path": NAME}


def test_a_source_that_cannot_be_written_is_reported(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its name and the reason."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)

    with pytest.raises(DiskError, match=rf"{NAME}\.dvc"):
        sources.record(clone.root / "sources", NAME, etag='"e"', size=9)


def test_a_full_disk_leaves_a_source_as_it_was(clone: TestClone) -> None:
    """Half a file would have no URL at all."""
    before = changing.files(clone)

    with changing.quota(100), pytest.raises(DiskError, match="no room to write"):
        sources.record(clone.root / "sources", NAME, etag='"e"', size=9)

    assert changing.files(clone) == before
