"""Helpers for tests of transfers: one large file, an attempt to fetch it, and what it leaves."""

from __future__ import annotations

import hashlib
import random
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts import fetch
from scripts.catalogue import lock as sealing
from scripts.download import publisher
from scripts.download.connections import Session
from scripts.download.ranges import RangeDownload
from scripts.files.digests import Hashing
from tests.world import clones
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
_WRITTEN = (sealing.LOCK, sealing.SEAL, "models.json")
_SEALED: dict[tuple[bytes, ...], dict[str, bytes]] = {}
THREADS = (RangeDownload._worker.__name__, Hashing._follow.__name__)  # noqa: SLF001


def noise(size: int, seed: int = 0) -> bytes:
    """Return random bytes, different for every seed."""
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


def patiently(monkeypatch: pytest.MonkeyPatch, silence: float | None = None) -> None:
    """Give each connection a minute to be made, however short the timeout of the test.

    A handshake on a busy machine is no fault. With `silence`, as many seconds without data are
    none either, and only the watch over the rate uses the timeout.
    """
    monkeypatch.setattr(
        publisher, "Session", lambda url, limits: Session(url, (60.0, silence or limits[1]))
    )


def pin(clone: TestClone, data: bytes, *, size: bool = True, path: str = PATH) -> None:
    """Pin `data` for the file at `path` by its md5, with its size or without."""
    lock, params = clone.root / "dvc.lock", clone.root / "params.yaml"
    entry = (
        rf"(    - path: {re.escape(path)}\n      hash: md5\n)      md5: \w+\n(      size: \d+\n)?"
    )
    after = rf"\g<1>      md5: {md5(data)}\n" + (f"      size: {len(data)}\n" if size else "")
    text, count = re.subn(entry, after, lock.read_text())
    assert count
    lock.write_text(text)
    sha256 = rf"(    path: {re.escape(path)}\n)    sha256: .*\n"
    params.write_text(re.sub(sha256, r"\g<1>", params.read_text()))
    _seal(clone.root)


def _seal(root: Path) -> None:
    """Seal a clone; the same pins need only be sealed once."""
    read = ("params.yaml", "dvc.yaml", "dvc.lock", "models.dvc")
    key = tuple((root / name).read_bytes() for name in read)
    if key not in _SEALED:
        sealing.write(root)
        _SEALED[key] = {name: (root / name).read_bytes() for name in _WRITTEN}
    for name, data in _SEALED[key].items():
        (root / name).write_bytes(data)


def unpin(clone: TestClone, stage: str = f"fetch@{NAME}") -> None:
    """Remove the pin of a stage's files, as for a new checkpoint."""
    clones.unpin(clone.root, stage)


@dataclass(frozen=True)
class Attempt:
    """The exit code and the output of one run of the command."""

    code: int
    out: str
    err: str


def attempt(clone: TestClone, capsys: pytest.CaptureFixture[str], name: str = NAME) -> Attempt:
    """Fetch in this process; no thread is left, no secret is shown, the lock is unchanged."""
    lock = clone.read("dvc.lock")
    trusted = f"fetch@{name}:".encode() not in lock and f"unpack_{name}:".encode() not in lock
    capsys.readouterr()
    code = fetch.main(["--trust-first-use", name] if trusted else [name])
    out, err = capsys.readouterr()
    assert_no_threads()
    assert not re.search("Traceback|X-Amz|Signature|rlkey|confirm=", out + err)
    assert lock == clone.read("dvc.lock")
    return Attempt(code, out, err)


def assert_no_threads() -> None:
    """No thread of a transfer is left."""
    assert not [t for t in threading.enumerate() if any(word in t.name for word in THREADS)]


def part_of(clone: TestClone, data: bytes) -> Path:
    """Return the path of the partial file of pinned data."""
    return clone.root / ".dvc/tmp/fetch" / f"{md5(data)}.part"


def assert_placed(clone: TestClone, data: bytes, path: str = PATH) -> None:
    """The right bytes are once under models/ and once in the cache, and nothing else is left."""
    assert clone.tree() == {path: data}
    assert clone.objects() == {md5(data): data}
    assert not list((clone.root / ".dvc/tmp/fetch").iterdir())


def assert_failed(clone: TestClone, run: Attempt, world: World, *words: str) -> None:
    """One message says what, the state of the disk and the next step; nothing has changed."""
    assert run.code == 1, run.err
    assert run.out == ""
    assert run.err.startswith("error: ")
    for word in (*words, "models/ and the cache are as they were", "Next: "):
        assert word in run.err, run.err
    assert clone.tree() == {}
    assert clone.objects() == {}
    assert world.refused == []
