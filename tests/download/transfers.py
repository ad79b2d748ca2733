"""What the tests of the transfer share: one big file, an attempt to fetch it, what it left."""

from __future__ import annotations

import hashlib
import random
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts import fetch
from tests.world.checkpoints import FBAI

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.world import World
    from tests.world.clones import TestClone

MIB = 1 << 20
NAME = "cotracker_stride_4_wind_8"
PATH = f"models/cotracker_ckpts/{NAME}.pth"
URL = f"{FBAI}/cotracker/{NAME}.pth"
HOST = "dl.fbaipublicfiles.com"
OURS = ("_member", "_follow")  # what the threads of a transfer run


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that no other seed gives."""
    return random.Random(seed).randbytes(size)  # noqa: S311


def md5(data: bytes) -> str:
    """Return the md5 as dvc.lock writes it."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def limit(clone: TestClone, **values: float) -> None:
    """Set values of `network:` in the clone's params.yaml."""
    params = clone.root / "params.yaml"
    text = params.read_text()
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^  {key}: [\d.]+", f"  {key}: {value}", text)
        assert count == 1
    params.write_text(text)


def pin(clone: TestClone, data: bytes, *, size: bool = True, path: str = PATH) -> None:
    """Pin `data` for the file that the tests fetch, with its size or without."""
    lock = clone.root / "dvc.lock"
    entry = (
        rf"(    - path: {re.escape(path)}\n      hash: md5\n)      md5: \w+\n(      size: \d+\n)?"
    )
    after = rf"\g<1>      md5: {md5(data)}\n" + (f"      size: {len(data)}\n" if size else "")
    text, count = re.subn(entry, after, lock.read_text())
    assert count
    lock.write_text(text)


def unpin(clone: TestClone) -> None:
    """Forget every pin, as for a checkpoint that is new."""
    (clone.root / "dvc.lock").unlink()


@dataclass(frozen=True)
class Attempt:
    """What one run of the command gave, and what it left."""

    code: int
    out: str
    err: str


def attempt(clone: TestClone, capsys: pytest.CaptureFixture[str], name: str = NAME) -> Attempt:
    """Fetch in this very process; no thread outlives it, no secret shows, the lock is let be."""
    lock = clone.read("dvc.lock") if (clone.root / "dvc.lock").exists() else b""
    capsys.readouterr()
    code = fetch.main([name])
    out, err = capsys.readouterr()
    assert not [t for t in threading.enumerate() if any(word in t.name for word in OURS)]
    assert not re.search("Traceback|X-Amz|Signature|rlkey|confirm=", out + err)
    assert lock == (clone.read("dvc.lock") if lock else b"")
    return Attempt(code, out, err)


def part_of(clone: TestClone, data: bytes) -> Path:
    """Return where the partial file of a pinned file lies."""
    return clone.root / ".dvc/tmp/fetch" / f"{md5(data)}.part"


def assert_placed(clone: TestClone, data: bytes, path: str = PATH) -> None:
    """The right bytes, once under models/ and once in the cache, and nothing half done."""
    assert clone.tree() == {path: data}
    assert clone.objects() == {md5(data): data}
    left = [p.name for p in (clone.root / ".dvc/tmp/fetch").iterdir() if p.suffix != ".lock"]
    assert not left


def assert_failed(clone: TestClone, run: Attempt, world: World, *words: str) -> None:
    """One message says what, the state of the disk and the next step; nothing else has changed."""
    assert run.code == 1, run.err
    assert run.out == ""
    assert run.err.startswith("error: ")
    for word in (*words, "models/ and the cache are as they were", "Next: "):
        assert word in run.err, run.err
    assert clone.tree() == {}
    assert clone.objects() == {}
    assert world.refused == []
