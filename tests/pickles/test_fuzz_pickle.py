"""Any pickle is read or refused, in bounded memory, and no import of it is missed."""

from __future__ import annotations

import random
import resource
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts.pickles import reader, screening
from scripts.pickles.unpickler import UNKNOWN
from tests.pickles import numpy1, pickling
from tests.pickles.loader import loader
from tests.pickles.pickling import text
from tests.world.checkpoints import PAPER
from tests.world.clones import REPOSITORY
from tests.world.formats import zip_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.pickles.loader import Loader

RUNS = 10_000  # mutated files
COMPARED = 5_000  # pickles that C loads, too, for each way to make them
SHARES = 10
LARGEST = 250 << 20  # bytes beside those of the modules; every file here is below two thousand
PATH = "models/tapnet_ckpts/open_source_ckpt/checkpoint.npy"
SHORT = [trick for trick in pickling.TRICKS.values() if len(trick) < 500]
FILES = [
    numpy1.save(numpy1.checkpoint()),
    numpy1.save(numpy1.checkpoint(), 4),
    numpy1.save(numpy1.checkpoint(), 0),
    pickling.torch(pickling.state_dict()),
    pickling.stream(pickling.state_dict()),
    pickling.tar(),
    *SHORT,
]
PICKLES = [
    *(numpy1.save(numpy1.checkpoint(), protocol)[128:] for protocol in (0, 2, 3, 4, 5)),
    pickling.state_dict(),
    *SHORT,
]
# Opcodes, and wrong lengths, counts and indices.
PIECES = [
    *(bytes([code]) for code in range(256)),
    *(struct.pack("<I", number) for number in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF)),
    struct.pack("<Q", 1 << 62), b"cos\nsystem\n", b"\x8c\x02os", b"\x8c\x06system\x93", b"p0\n",
    b"g0\n", b"q\x00", b"h\x00", b"(", b"t", b"R", b"0", b"2", b".", b"\n", b"cbuiltins\ngetattr\n",
    b"2" * 99, b"(" * 99, b"\x85" * 200, b"}" * 50, b"\x94" * 50,
]  # fmt: skip


# What pushes a value: texts and numbers in every form that C may read and Python may not.
VALUES = [
    text("os"), text("system"), b"Vos\n", b"Vsystem\n", b"S'os'\n", b'S"system"\n', b"U\x02os",
    b"T\x06\0\0\0system", b"X\x02\0\0\0os", b"\x8d\x06\0\0\0\0\0\0\0system", b"V\\u006fs\n",
    b"S'\\x6fs'\n", b"V\xe9\n", b"U\1\xe9", b"\x8c\3\xed\xa0\x80", b"cos\nsystem\n", b"cos\n\n",
    b"ctorch\nFloatStorage\n", b"cbuiltins\ngetattr\n", b"c\xc3\xa9\nb\n", b")", b"]", b"}",
    b"\x8f", b"N", b"\x88", b"K\x01", b"I010\n", b"I0x1f\n", b"I1\0x\n", b"I\0\n", b"I 7 \n",
    b"I1_0\n", b"I09\n", b"I00\n", b"I01\n", b"L010L\n", b"L12L\n", b"L0x1\n", b"F1.5\0\n",
    b"F1_0\n", b"Fnan\n", b"F0x1p3\n", b"\x8a\x00", b"\x8a\x02\xff\x00", b"\x8b\1\0\0\0\7",
    b"J\xff\xff\xff\xff", b"M\1\2", b"G" + bytes(8), b"B\1\0\0\0x", b"C\1x", b"\x94", b"q\0",
    b"q\1", b"p0\n", b"p01\n", b"p 1\n", b"p1_0\n", b"p1\0\n", b"r\1\0\0\0", b"(", b"P1\n",
    b"\x8e\1\0\0\0\0\0\0\0x", b"\x96\2\0\0\0\0\0\0\0xx",
]  # fmt: skip
# What takes values from the stack or the memo, and what fails.
STEPS = [
    b"\x93", b"\x93", b"\x93", b"R", b"R", b"\x81", b"\x92", b"o", b"ios\nsystem\n", b"t", b"l",
    b"d", b"\x91", b"\x90", b"e", b"u", b"a", b"s", b"b", b"0", b"1", b"2", b"\x85", b"\x86",
    b"\x87", b"g0\n", b"g01\n", b"g+1\n", b"g10\n", b"h\0", b"h\1", b"j\1\0\0\0", b"Q", b"P\xe9\n",
    b"(e", b"(u", b"(\x90", b"i\xc3\xa9\nb\n", b"\x80\2", b"\x80\4", b"\x80\6", b"\x82\1",
    b"\x8c\1\xff", b"\x97", b"\x98", b".",
]  # fmt: skip


def mutated(chance: random.Random, seeds: list[bytes] = PICKLES) -> bytes:
    """Return one of the seeds with a few pieces cut out, doubled, or put in."""
    data = chance.choice(seeds)
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 4, 40)))
        piece = chance.choice((chance.choice(PIECES), data[start:end] * 2, b""))
        data = data[:start] + piece + data[end:]
    return data


def generated(chance: random.Random) -> bytes:
    """Return a pickle of random steps, perhaps with a frame, and with another one after it."""
    count, start = chance.randint(2, 24), chance.choice((b"", b"\x80\4"))
    parts = [chance.choice(VALUES if chance.random() < 0.85 else STEPS) for _ in range(count)]
    place, end = chance.randint(0, count), chance.choice((b"", b".", b".", b".cpost\nhoc\n."))
    size = chance.choice((len(b"".join(parts[place:])) + 1, chance.randint(0, 40)))
    frame = chance.choice((b"", b"", b"\x95" + struct.pack("<Q", size)))
    return start + b"".join([*parts[:place], frame, *parts[place:]]) + end


def is_unknown(names: Iterable[str]) -> bool:
    """Return whether an import could not be determined, or any attribute may be."""
    return any(UNKNOWN in name or name == "builtins.getattr" for name in names)


@pytest.fixture(scope="module")
def c() -> Iterator[Loader]:
    """Run one process for all pickles."""
    with loader() as running:
        yield running


def peak() -> int:
    """Return the most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("share", range(SHARES))
def test_no_pickle_breaks_a_command(share: int, tmp_path: Path) -> None:
    """10,000 mutated pickles: a verdict, the file as it was, and no memory bomb."""
    chance, path, before = random.Random(share), tmp_path / "file", peak()  # noqa: S311
    allowed = screening.allowed(PAPER, [PATH])[PATH]
    for number in range(RUNS // SHARES):
        data = mutated(chance, FILES)
        path.write_bytes(data)

        found = screening.screen(path, allowed)

        assert found.verdict in ("fine", "beyond", "malformed", "dangerous"), (share, number)
        assert path.read_bytes() == data
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert peak() - before < LARGEST


@pytest.mark.parametrize("make", [mutated, generated])
def test_no_import_is_missed(
    make: Callable[[random.Random], bytes], c: Loader, tmp_path: Path
) -> None:
    """C's unpickler imports nothing that is not reported, unless something is unknown."""
    chance, path, importing = random.Random(make.__name__), tmp_path / "file", 0  # noqa: S311
    for number in range(COMPARED):
        data = make(chance)
        path.write_bytes(data)

        found = reader.read(path).imports

        imports = c.imports(data)
        if not is_unknown(found):
            importing += bool(imports)
            assert imports <= set(found), (number, data)
    assert importing > COMPARED // 20  # or the comparison would show nothing


@pytest.mark.parametrize("trick", pickling.TRICKS)
def test_no_import_of_a_trick_is_missed(trick: str, c: Loader, tmp_path: Path) -> None:
    """The same for the tricks that were made to be missed."""
    (tmp_path / "file").write_bytes(pickling.TRICKS[trick])

    found = reader.read(tmp_path / "file").imports

    assert c.imports(pickling.TRICKS[trick]) <= set(found) or is_unknown(found)


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
    "npz": lambda bomb: zip_of({f"{number}": pickling.npy(bomb) for number in range(2)}),
}  # fmt: skip
BOUND = f"""
import resource, sys
from pathlib import Path
from scripts.pickles import screening
there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (there + {LARGEST}, there + {LARGEST}))
for path in map(Path, sys.argv[1:]):
    screening.screen(path, frozenset())
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
