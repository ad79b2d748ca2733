"""Lines at the bottom of a terminal, drawn again and again, which go without a trace."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from rich.text import Text

# While lines are drawn, a terminal that has just become narrower must not wrap them.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_EMPTY = "\x1b[2K"  # this line
_REST = "\x1b[J"  # the screen after the cursor; tmux keeps it if that is the whole screen
_FALLBACK = 80, 24  # columns and rows, if the terminal does not tell


def can_draw(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal on which the cursor can be moved, and may be.

    NO_COLOR asks for plain lines.
    """
    known = os.environ.get("TERM") not in (None, "", "dumb", "unknown")
    return stream.isatty() and known and not os.environ.get("NO_COLOR")


def clear_line(stream: TextIO | None) -> None:
    """Remove the `^C` that a terminal has echoed."""
    with suppress(OSError, ValueError):
        if stream and can_draw(stream):
            stream.write(f"\r{_EMPTY}")


class Screen:
    """The block of lines that stands last on a terminal.

    The cursor stays at its first character: however a terminal wraps or crops the lines when its
    size changes, the block is what comes after the cursor.
    """

    def __init__(self, stream: TextIO) -> None:
        """Draw nothing yet."""
        # Imported here: a command that draws nothing must not pay for it.
        from rich.console import Console  # noqa: PLC0415

        self._stream = stream
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._is_drawn = False

    @property
    def columns(self) -> int:
        """The columns that a line may have now."""
        return max(self._size[0] - 1, 1)  # the last one stays free: no line wraps

    @property
    def is_unicode(self) -> bool:
        """Whether more than ASCII can be drawn."""
        return self._console.encoding.startswith("utf")

    def draw(self, lines: Sequence[Text]) -> None:
        """Replace the block; lines that do not fit on the screen are left out."""
        width, shown = self.columns, lines[: max(self._size[1] - 1, 1)]
        with suppress(OSError, ValueError):  # the terminal has gone
            with self._console.capture() as capture:
                for number, line in enumerate(shown):
                    line.truncate(width)
                    end = f"\n{_EMPTY}" if number < len(shown) - 1 else ""
                    self._console.print(line, end=end)
            up = f"\x1b[{len(shown) - 1}A" if len(shown) > 1 else ""
            self._write(f"{_NO_WRAP}\r{_EMPTY}{capture.get()}{_REST}{up}\r{_WRAP}")
        self._is_drawn = True

    def erase(self) -> None:
        """Remove the block."""
        if self._is_drawn:
            self._write(f"\r{_EMPTY}\x1b[C{_REST}\r")  # see _REST
            self._is_drawn = False

    @property
    def _size(self) -> tuple[int, int]:
        with suppress(OSError, ValueError):
            columns, rows = os.get_terminal_size(self._stream.fileno())
            if columns and rows:  # a terminal that nobody has told its size says 0
                return columns, rows
        return _FALLBACK

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal has gone
            self._stream.write(text)
            self._stream.flush()
