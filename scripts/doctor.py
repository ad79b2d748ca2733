"""Check this machine and this clone: one line for each thing, `ok` or what to type.

Python, packages, git, network, catalogue, files, disk, what was left behind, publishers, and the
team's remote are checked. Nothing is changed, and no checkpoint is downloaded.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.checkout import doctor
from scripts.console.command import command, parser
from scripts.console.errors import CheckpointError
from scripts.console.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = {"": "a line for each check", "--json": "the same for a program"}
_EXITS = {0: "all is well", 1: "there is a fault; its line says what to type"}


@command
def main(argv: Sequence[str] | None) -> None:
    """Print a line for each check; fail if one has found a fault."""
    words = parser("doctor", __doc__, examples=_EXAMPLES, exits=_EXITS)
    words.add_argument("--json", action="store_true", help="print a list of objects instead")
    given, lines = words.parse_args(argv), []
    for line in doctor.examine(Path.cwd()):
        lines.append(line)
        if not given.json:
            say(str(line))
    if given.json:
        say(json.dumps([{**asdict(line), "ok": line.ok} for line in lines], indent=2))
    if faults := [line.name for line in lines if not line.ok]:
        raise CheckpointError(f"{len(faults)} of {len(lines)} checks failed: {', '.join(faults)}")


if __name__ == "__main__":
    sys.exit(main())
