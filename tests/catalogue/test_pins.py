"""scripts.pins: what dvc.lock says each file must be, looked up by path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.catalogue import pins
from scripts.catalogue.pins import Pin
from scripts.console.errors import CatalogueError
from scripts.files.digests import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

A, B = "a" * 32, "b" * 32
BYTES = Digest(size=7, md5=A, sha256="c" * 64)


def read(tmp_path: Path, text: str) -> dict[str, Pin]:
    """Return the pins of a dvc.lock of this text."""
    (tmp_path / "dvc.lock").write_text(text, encoding="utf-8")
    return pins.read(tmp_path / "dvc.lock")


def lock(*outs: str, name: str = "fetch@sam") -> str:
    """Return a lock with a stage for each list of outs, in flow style."""
    stages = "".join(f"  {name}{number}:\n    outs: {out}\n" for number, out in enumerate(outs))
    return f"schema: '2.0'\nstages:\n{stages}"


def test_pins_are_found_by_path_over_all_stages(tmp_path: Path) -> None:
    """Whatever a stage is called, and whether its size is known or not; a stage may have none."""
    text = lock(f"[{{path: m/a, hash: md5, md5: {A}}}]", f"[{{path: m/b, md5: {B}, size: 7}}]")

    found = read(tmp_path, f"{text}  tree:\n    cmd: x\n")

    assert found == {"m/a": Pin(A), "m/b": Pin(B, 7)}


def test_no_lock_holds_no_pins(tmp_path: Path) -> None:
    """The first use of everything, which commands say aloud."""
    assert pins.read(tmp_path / "dvc.lock") == {}


@pytest.mark.parametrize(
    "sizes", [("", ", size: 7"), (", size: 7", ""), (", size: 7", ", size: 7")]
)
def test_a_stage_left_over_by_a_renaming_is_no_conflict(
    sizes: tuple[str, str], tmp_path: Path
) -> None:
    """DVC keeps the old stage in the lock; the same hash is the same pin, and a size is kept."""
    text = lock(*(f"[{{path: m/a, md5: {A}{size}}}]" for size in sizes))

    assert read(tmp_path, text) == {"m/a": Pin(A, 7)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["its last line has no end"]),
        ("stages: {}", ["its last line has no end"]),
        ("\n", ["no map of stages"]),
        ("[]\n", ["no map of stages"]),
        ("schema: '2.0'\n", ["no map of stages"]),
        ("stages: [a]\n", ["no map of stages"]),
        ("stages: {a: 1, b: {outs: {}}, c: {outs: [x]}, d: {outs: null}}\n",
         [f"{name}: outs is not a list of maps" for name in "abcd"]),
        (lock("[{md5: x}]"), ["fetch@sam0: an out has no path"]),
        (lock("[{path: 1}, {path: p}]"),
         ["fetch@sam0: an out has no path",
          "fetch@sam0: p: md5 is None, not 32 hex digits in quotes"]),
        (lock(f"[{{path: p, md5: {'1' * 32}}}]"), [f"fetch@sam0: p: md5 is {'1' * 32}, not 32"]),
        (lock(f"[{{path: p, md5: {A.upper()}}}]"), [f"fetch@sam0: p: md5 is '{A.upper()}', not"]),
        (lock(f"[{{path: p, md5: {A}, size: -1}}]"), ["fetch@sam0: p: size is -1, not a number"]),
        (lock(f"[{{path: p, md5: {A}, size: true}}]"), ["fetch@sam0: p: size is True, not a"]),
        (lock(f"[{{path: p, md5: {A}, size: '7'}}]"), ["fetch@sam0: p: size is '7', not a number"]),
        (lock(f"[{{path: p, md5: {A}}}]", f"[{{path: p, md5: {B}}}]"),
         [f"fetch@sam1: p: md5 is {B}, and {A} in an earlier stage"]),
        (lock("[]") + "  fetch@sam0: {}\n", ["line 5: duplicate key fetch@sam0"]),
        ("<<<<<<< ours\nstages: {}\n", ["line 1: a conflict marker: a merge is not finished"]),
        ("stages:\n<<<<<<< ours\n  a: {}\n=======\n>>>>>>> b\n", ["line 2: a conflict marker"]),
    ],
)  # fmt: skip
def test_a_malformed_lock_is_told_with_all_faults(
    text: str, expected: list[str], tmp_path: Path
) -> None:
    """A lock that cannot be believed pins nothing: no file is taken on trust because of it."""
    with pytest.raises(CatalogueError) as caught:
        read(tmp_path, text)

    assert caught.value.what.startswith("dvc.lock: ")
    assert len(caught.value.faults) == len(expected)
    assert all(map(str.startswith, caught.value.faults, expected))


@pytest.mark.parametrize("pin", [Pin(A), Pin(A, 7), Pin(A, 7, "c" * 64), Pin(None, None, "c" * 64)])
def test_a_pin_matches_the_bytes_it_was_made_of(pin: Pin) -> None:
    """What a pin does not know, it does not ask."""
    assert pin.matches(BYTES)
    assert pin.allows_size(7)


@pytest.mark.parametrize("pin", [Pin(B), Pin(A, 8), Pin(A, 7, "d" * 64), Pin(None, None, "d" * 64)])
def test_a_pin_refuses_bytes_that_differ_in_anything_it_knows(pin: Pin) -> None:
    """md5, size and sha256 each are enough to refuse."""
    assert not pin.matches(BYTES)


def test_a_size_is_refused_before_anything_is_read() -> None:
    """An unknown size allows every one, an empty file is a size like any other."""
    assert Pin(A).allows_size(0)
    assert not Pin(A, 7).allows_size(0)
    assert not Pin(A, 0).allows_size(7)


def test_a_renamed_key_keeps_its_pin(clone: TestClone, world: World) -> None:
    """Its bytes are held against the pin of its path, which the old stage recorded."""
    for name in ("params.yaml", "sources/sam_vit_b.dvc"):
        path = clone.root / name
        path.write_text(path.read_text().replace("  sam_vit_b:", "  sam_base:"))
    (clone.root / "sources/sam_vit_b.dvc").rename(clone.root / "sources/sam_base.dvc")
    url = "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth"
    world.publish(url, b"other bytes")

    code = fetch.main(["sam_base"])

    assert code == 1
    assert (clone.tree(), clone.objects()) == ({}, {})


def test_a_conflicted_lock_stops_a_fetch(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 before any request; the lock is left for its owner to merge."""
    conflicted = b"<<<<<<< HEAD\n" + clone.read("dvc.lock")
    (clone.root / "dvc.lock").write_bytes(conflicted)

    code = fetch.main(["sam_vit_b"])

    told = capsys.readouterr().err
    assert code == 2
    assert told.startswith("error: dvc.lock: 1 fault\n  line 1: a conflict marker: ")
    assert "`git checkout HEAD dvc.lock models.dvc models.json`" in told
    assert (world.requests, clone.tree(), clone.read("dvc.lock")) == ([], {}, conflicted)
