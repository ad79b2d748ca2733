"""Whatever stands in a pickle: it is read or refused, in bounded memory, and nothing is missed."""

from __future__ import annotations

import io
import pickle
import random
import resource
import struct
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from scripts import clean_tapnet
from scripts.console.errors import PickleError
from scripts.pickles import screening
from scripts.pickles.unpickler import UNKNOWN, follow
from tests.pickles import numpy1, pickling
from tests.world.clones import REPOSITORY
from tests.world.formats import zip_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNS = 10_000  # mutated pickles in all
SHARES = 10
LARGEST = 200 << 20  # bytes; every file here is below two thousand
PATH = "models/tapnet_ckpts/open_source_ckpt/checkpoint.npy"
SEEDS = [
    numpy1.save(numpy1.checkpoint()),
    numpy1.save(numpy1.checkpoint(), 4),
    numpy1.save(numpy1.checkpoint(), 0),
    pickling.torch(pickling.state_dict()),
    pickling.stream(pickling.state_dict()),
    pickling.tar(),
    *(trick for trick in pickling.TRICKS.values() if len(trick) < 500),
]
# Opcodes, and lengths, counts and indices that lie.
PIECES = [
    *(bytes([code]) for code in range(256)),
    *(struct.pack("<I", number) for number in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF)),
    struct.pack("<Q", 1 << 62), b"cos\nsystem\n", b"\x8c\x02os", b"\x8c\x06system\x93", b"p0\n",
    b"g0\n", b"q\x00", b"h\x00", b"(", b"t", b"R", b"0", b"2", b".", b"\n", b"cbuiltins\ngetattr\n",
    b"2" * 99, b"(" * 99, b"\x85" * 200, b"}" * 50, b"\x94" * 50,
]  # fmt: skip


def mutated(chance: random.Random) -> bytes:
    """Return one of the seeds with a few pieces cut out, doubled, or put in."""
    data = chance.choice(SEEDS)
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 4, 40)))
        piece = chance.choice((chance.choice(PIECES), data[start:end] * 2, b""))
        data = data[:start] + piece + data[end:]
    return data


class Asked(pickle._Unpickler):  # noqa: SLF001 - it believes no length
    """Python's own unpickler, which writes down what it would import, and gets nothing."""

    def __init__(self, data: bytes) -> None:
        """Read these bytes."""
        super().__init__(io.BytesIO(data))
        self.names: set[str] = set()

    def find_class(self, module: str, name: str) -> type:
        """Return a class that does nothing."""
        self.names.add(f"{module}.{name}")
        return Inert

    def persistent_load(self, _: object) -> object:
        """Return an object that does nothing."""
        return Inert()


class Inert:
    """Takes whatever a pickle does to an object."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take any arguments."""

    def __setstate__(self, _: object) -> None:
        """Take any state."""

    def append(self, _: object) -> None:
        """Take any item."""

    def __setitem__(self, *_: object) -> None:
        """Take any item."""


def asked(data: bytes) -> set[str]:
    """Return every import that the unpickler asks for before it stops or fails."""
    unpickler = Asked(data)
    with suppress(Exception):
        unpickler.load()
    return {name for name in unpickler.names if not name.endswith(".getattr")}


def peak() -> int:
    """Return the most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("share", range(SHARES))
def test_no_pickle_breaks_a_command(share: int, tmp_path: Path) -> None:
    """10,000 mutated pickles: a PickleError or none, the file as it was, and no memory bomb."""
    chance, path, before = random.Random(share), tmp_path / "file", peak()  # noqa: S311
    allowed = screening.allowed(REPOSITORY, [PATH])[PATH]
    for number in range(RUNS // SHARES):
        data = mutated(chance)
        path.write_bytes(data)

        found = screening.screen(path, allowed)
        with suppress(PickleError):
            clean_tapnet.clean(data)

        assert found.verdict in ("fine", "beyond", "malformed", "dangerous"), (share, number)
        assert path.read_bytes() == data
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert peak() - before < LARGEST


@pytest.mark.parametrize("share", range(SHARES))
def test_no_import_is_missed(share: int) -> None:
    """Whatever the real unpickler asks for was told, or that something could not be told."""
    chance = random.Random(-share - 1)  # noqa: S311
    for number in range(RUNS // SHARES):
        data = mutated(chance)
        start = 128 if data[:6] == b"\x93NUMPY" else 0

        told = set(follow(data, start).imports)

        if not any(UNKNOWN in name for name in told):
            assert asked(data[start:]) <= told, (share, number, data)


@pytest.mark.parametrize("trick", pickling.TRICKS)
def test_no_import_of_a_trick_is_missed(trick: str) -> None:
    """The same for what was made to be missed."""
    first = asked(pickling.TRICKS[trick])

    told = follow(pickling.TRICKS[trick]).imports

    assert first <= set(told) or any(UNKNOWN in name for name in told)


BOMBS: dict[str, bytes] = {
    "a length of exabytes": b"\x8e" + struct.pack("<Q", 1 << 60) + b"x",
    "a memo of gigabytes": b"Nr\xff\xff\xff\xff.",
    "tuples in tuples": b")" + b"\x85" * 250_000 + b".",
    "lists that hold each other": b"]q\x00" + b"(h\x00l" * 60_000 + b".",
    "laughs": b"]" + b"(22222222l" * 25_000 + b".",
    "marks": b"(" * 250_000 + b".",
    "a number of megabytes": b"\x8b" + struct.pack("<I", 1 << 22) + b"\xff" * (1 << 22) + b".",
    "texts of four bytes a letter": (b"X\xfc\x0f\0\0" + b"a" * 4088 + "\U0001f4a3".encode()) * 4_000
    + b".",
    "a name of megabytes": b"c" + b"a" * (1 << 22) + b"\nb\n.",
}


HOLDERS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda bomb: bomb,
    "stream": lambda bomb: pickling.stream(bomb, bomb),
    "zip": lambda bomb: zip_of({f"a/{number}.pkl": bomb for number in range(30)}),
    "npz": lambda bomb: zip_of({f"{number}": pickling.npy(bomb) for number in range(30)}),
    "array to clean": lambda bomb: numpy1.save(numpy1.checkpoint(params="BOMB")).replace(
        b"X\x04\0\0\0BOMB", bomb[:-1]),
}  # fmt: skip
BOUND = f"""
import resource, sys
from contextlib import suppress
from pathlib import Path
from scripts import clean_tapnet
from scripts.pickles import screening
from scripts.console.errors import PickleError
resource.setrlimit(resource.RLIMIT_AS, ({LARGEST}, {LARGEST}))
for path in map(Path, sys.argv[1:]):
    screening.screen(path, frozenset())
    with suppress(PickleError):
        clean_tapnet.clean(path.read_bytes())
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_bomb_goes_off(bomb: str, tmp_path: Path) -> None:
    """Neither while it is read, nor when it is let go: no more memory can be had than this."""
    for name, holder in HOLDERS.items():
        (tmp_path / name).write_bytes(holder(BOMBS[bomb]))

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", BOUND, *(tmp_path / name for name in HOLDERS)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
