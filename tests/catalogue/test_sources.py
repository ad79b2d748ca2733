"""scripts.sources: the one address of each file, and which addresses may be opened at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.catalogue import sources, urls
from scripts.catalogue.sources import Mirror, Source
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

DEPS = "deps:\n- path: https://h/f\n"


def read(tmp_path: Path, text: str) -> Source:
    """Return what sources/sam.dvc with this text says."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/sam.dvc").write_text(text, encoding="utf-8")
    return sources.read(tmp_path / "sources", "sam")


@pytest.mark.parametrize(("size", "expected"), [("", None), ("  size: 0\n", 0), ("  size: 9\n", 9)])
def test_a_source_is_what_import_url_wrote(size: str, expected: int, tmp_path: Path) -> None:
    """Address and size; what else DVC records there is not asked for."""
    text = (
        f"frozen: true\ndeps:\n- etag: 'x'\n  path: https://h/f.pth?rlkey=a&b=c\n{size}outs: []\n"
    )

    source = read(tmp_path, text)

    assert source == Source("sam", "https://h/f.pth?rlkey=a&b=c", expected)


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
