"""Show where this clone stands: files, bytes, free room, remote, and what to do next."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.checkout.clone import Clone
from scripts.console import dispatch
from scripts.console.command import command, parser
from scripts.console.listing import show
from scripts.console.progress import say
from scripts.views import overview

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EXAMPLES = {"": "as ./checkpoints without a word", "--json": "the same for a program"}


@command
def main(argv: Sequence[str] | None) -> None:
    """Print the overview of the current folder's clone, and the commands."""
    words = parser("overview", __doc__, examples=_EXAMPLES)
    words.add_argument("--json", action="store_true", help="print one JSON document")
    given = words.parse_args(argv)
    clone = Clone.at(Path.cwd())
    found = overview.take(clone)
    if given.json:
        say(json.dumps(found.as_json(), indent=2))
    else:
        show("\n".join([*found.lines(), "", *_steps(found.steps()), ""]))
        show("\n".join(_commands()), crop=True)


def _steps(steps: dict[str, str]) -> Iterator[str]:
    """Yield what to do next."""
    yield "Next:"
    width = max(map(len, steps))
    yield from (f"  ./checkpoints {words:<{width}}  {why}" for words, why in steps.items())


def _commands() -> Iterator[str]:
    yield "Commands, each explained by ./checkpoints NAME --help:"
    yield from dispatch.listing()


if __name__ == "__main__":
    sys.exit(main())
