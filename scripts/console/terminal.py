"""Lines at the bottom of a terminal, drawn again and again, which go without a trace."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from rich.text import Text

_FALLBACK = 80  # columns, if the terminal does not tell
_RIGHT = 3  # columns that stay free: a Ctrl-C is echoed there


def can_draw(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal on which the cursor can be moved."""
    return stream.isatty() and os.environ.get("TERM") not in (None, "", "dumb", "unknown")


class Screen:
    """The block of lines that stands last on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        """Draw nothing yet."""
        # Imported here: a command that draws nothing must not pay for it.
        from rich.console import Console  # noqa: PLC0415

        self._stream = stream
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._drawn: list[int] = []  # columns of each line

    @property
    def columns(self) -> int:
        """The columns that a line may have now."""
        with suppress(OSError, ValueError):
            return max(os.get_terminal_size(self._stream.fileno()).columns - _RIGHT, 1)
        return _FALLBACK - _RIGHT

    @property
    def is_unicode(self) -> bool:
        """Whether more than ASCII can be drawn."""
        return self._console.encoding.startswith("utf")

    def draw(self, lines: Sequence[Text]) -> None:
        """Replace the block."""
        width = self.columns
        for line in lines:
            line.truncate(width)
        with suppress(OSError, ValueError):  # the terminal has gone
            with self._console.capture() as capture:
                for number, line in enumerate(lines):
                    self._console.print(line, end="\n" if number < len(lines) - 1 else "")
            self._write(f"{self._erasing()}{capture.get()}")
        self._drawn = [line.cell_len for line in lines]

    def erase(self) -> None:
        """Remove the block."""
        if self._drawn:
            self._write(self._erasing())
            self._drawn = []

    def _erasing(self) -> str:
        """Return what moves to the start of the block and erases it.

        A terminal that became narrower shows each line on several rows.
        """
        width = self.columns + _RIGHT
        rows = sum(max(1, -(-length // width)) for length in self._drawn)
        return f"\r\x1b[{rows - 1}A\x1b[J" if rows > 1 else "\r\x1b[J"

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal has gone
            self._stream.write(text)
            self._stream.flush()
