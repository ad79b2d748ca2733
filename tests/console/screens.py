"""A terminal: a real pseudo-terminal to write to, and a model of what a person sees on it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Screen:
    """What is on a terminal that shows a long line on several rows, again after each resize."""

    def __init__(self, master: int, slave: TextIO, columns: int) -> None:
        """Start with an empty screen."""
        self._master, self.stream = master, slave
        self.lines = [""]
        self._line = self._row = self._column = 0  # the row is one of those of the line
        self.raw = ""
        self.columns = columns
        self.resize(columns)

    def resize(self, columns: int) -> None:
        """Give the terminal another width; the program is told, as by a window."""
        self.read()
        offset, self.columns = self._offset, columns
        self._move(offset)
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.stream.fileno(), termios.TIOCSWINSZ, size)

    def read(self) -> str:
        """Take what was written, and return what is on the screen."""
        self.stream.flush()
        data = b""
        while select.select([self._master], [], [], 0.02)[0]:
            data += os.read(self._master, 1 << 16)
        self.raw += data.decode()
        for count, code, control, text in _TOKEN.findall(data.decode()):
            self._take(count, code, control, text)
        return "\n".join(self.lines)

    @property
    def _offset(self) -> int:
        return self._row * self.columns + self._column

    def _move(self, offset: int) -> None:
        """Go to a place in the line; behind a full row the cursor stays in it."""
        self._row = max(offset - 1, 0) // self.columns
        self._column = offset - self._row * self.columns

    def _take(self, count: str, code: str, control: str, text: str) -> None:
        if text:
            at, line = self._offset, self.lines[self._line]
            self.lines[self._line] = line[:at].ljust(at) + text + line[at + len(text) :]
            self._move(at + len(text))
        elif control == "\r":
            self._column = 0
        elif control == "\n":
            self._line, self._row = self._line + 1, 0
            self.lines += [""] * (self._line + 1 - len(self.lines))
        elif code == "A":
            self._up(int(count or 1))
        elif code == "J":
            self.lines[self._line :] = [self.lines[self._line][: self._offset]]
        elif code == "K":
            self.lines[self._line] = ""
        elif code == "C":
            self._column += 1
        else:
            assert code in "mhl", code

    def _up(self, count: int) -> None:
        rows = [
            (number, row)
            for number, line in enumerate(self.lines)
            for row in range(max(-(-len(line) // self.columns), 1))
        ]
        here = rows.index((self._line, self._row))
        self._line, self._row = rows[max(here - count, 0)]


@contextmanager
def terminal(columns: int = 80) -> Iterator[Screen]:
    """Open a pseudo-terminal."""
    master, slave = os.openpty()
    try:
        with open(slave, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
            yield Screen(master, stream, columns)
    finally:
        os.close(master)
