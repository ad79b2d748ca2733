"""Record what C's unpickler imports, in a subprocess: torch.load and numpy.load use that one.

A mutated pickle may crash the subprocess. Then it is started again; the imports before the crash
count.
"""

from __future__ import annotations

import io
import json
import pickle
import resource
import signal
import struct
import subprocess
import sys
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_END = b"end\n"
_MEMORY = 1 << 30  # bytes
_SECONDS = 20  # for a file
_PICKLES = 100  # in a row in a file


class Loader:
    """A subprocess that loads pickles; each import gives it an object that does nothing."""

    def __init__(self) -> None:
        """Start the process."""
        self.crashes = 0
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own words
            [sys.executable, "-I", "-W", "ignore", __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def imports(self, data: bytes) -> set[str]:
        """Return the imports of the pickles in these bytes, one after another until one fails."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()
        answer = iter(self.process.stdout.readline, b"")
        names = {json.loads(line) for line in takewhile(lambda line: line != _END, answer)}
        if self.process.poll() is not None:
            self.crashes += 1
            self.stop()
            self._start()
        return names

    def stop(self) -> None:
        """End the process."""
        self.process.communicate()


@contextmanager
def loader() -> Iterator[Loader]:
    """Run a loader."""
    running = Loader()
    try:
        yield running
    finally:
        running.stop()


class _Accepting(type):
    """Any imported class or function, and its own instance; it accepts whatever is done to it."""

    path = ""

    def __call__(cls, *_: object, **__: object) -> _Accepting:
        """Return itself as its instance."""
        return cls

    def __setitem__(cls, *_: object) -> None:
        """Take an item."""


def _ignore(*_: object) -> None:
    pass


def _accepting(path: str) -> _Accepting:
    methods = ("append", "extend", "add", "update", "__setstate__")
    body = {name: staticmethod(_ignore) for name in methods}
    new = {"__new__": lambda cls, *_, **__: cls, "path": path}
    return _Accepting("Accepting", (), {**body, **new})


def _attribute(owner: object, name: object) -> _Accepting:
    """Stand for getattr."""
    return _asked(f"{owner.path if isinstance(owner, _Accepting) else '?'}.{name}")


def _asked(path: str) -> _Accepting:
    print(json.dumps(path), flush=True)  # before it crashes  # noqa: T201
    return _accepting(path)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        is_getattr = name == "getattr" and module in ("builtins", "__builtin__")
        return _attribute if is_getattr else _asked(f"{module}.{name}")

    def persistent_load(self, _: object) -> object:
        return _accepting("")


def _load(file: IO[bytes]) -> None:
    with suppress(Exception):
        for _ in range(_PICKLES):
            _Unpickler(file).load()


def main() -> None:
    """Load pickles from stdin, each from a file that C reads ahead of and from one it does not."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while head := sys.stdin.buffer.read(4):
        data = sys.stdin.buffer.read(struct.unpack("<I", head)[0])
        signal.alarm(_SECONDS)
        _load(io.BytesIO(data))
        _load(io.BufferedReader(io.BytesIO(data)))
        signal.alarm(0)
        sys.stdout.write(_END.decode())
        sys.stdout.flush()


if __name__ == "__main__":
    main()
