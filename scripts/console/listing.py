"""Lists of commands: coloured on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys

from scripts.console.progress import say
from scripts.console.terminal import can_draw

_HEADING = r"(?m)^\S.*:$"
_COMMAND = r"(?m)^  (?:\./checkpoints )?\S+(?: [^ ]+)*(?=  )"


def show(text: str, *, crop: bool = False) -> None:
    """Print headings and two columns, with `crop` no wider than a terminal; raise OutputError."""
    if not (sys.stdout and can_draw(sys.stdout)):
        say(text)
        return
    from rich.console import Console  # noqa: PLC0415 - for a terminal alone
    from rich.text import Text  # noqa: PLC0415

    painted = Text(text)
    painted.highlight_regex(_HEADING, "bold")
    painted.highlight_regex(_COMMAND, "cyan")
    more = {"no_wrap": True, "overflow": "ellipsis"} if crop else {"soft_wrap": True}
    Console(highlight=False).print(painted, **more)


def printable(text: str) -> str:
    """Return a text whose control characters, tabs and line breaks are shown as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
