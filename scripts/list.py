"""List the files: where each is, who needs it, licence and publisher.

A table for each family on a terminal, tab-separated lines elsewhere. Nothing is hashed: what DVC
knows of a file counts, and a file that has changed since is "not verified". No request is sent,
unless --remote asks the team's remote what it has.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.checkout.clone import Clone
from scripts.checkout.state import Place
from scripts.console.command import command, parser
from scripts.console.progress import say
from scripts.views import rows, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_STATES = "\n".join(f"  {each.mark} {each.option:<13} {each.meaning}" for each in Place)
_EPILOG = f"SELECT is what ./checkpoints fetch --help says. The states:\n{_STATES}"
_EXAMPLES = {
    "": "all files",
    "raft 'sam_*' --sort size": "a family and a glob, the largest file first",
    "--state missing": "what is neither here nor in the cache",
}
_EXITS = {
    0: "listed, whatever is missing",
    2: "wrong arguments, or a fault of the clone, which is named",
}


@command
def main(argv: Sequence[str] | None) -> None:
    """Print the table; fail if the clone has a fault."""
    given = _parser().parse_args(argv)
    clone, faults = Clone.examined(Path.cwd())
    found = rows.take(clone, faults, given.names, given.configs, ask=given.remote)
    found = found.only(given.states).sorted(given.sort)
    if given.json:
        say(json.dumps(found.as_json(), indent=2))
    else:
        table.show(found, hashes=given.hash, silent=given.quiet)
    if error := found.error():
        raise error


def _parser() -> argparse.ArgumentParser:
    words = parser("list", __doc__, examples=_EXAMPLES, exits=_EXITS, epilog=_EPILOG)
    option = words.add_argument
    option("names", metavar="SELECT", nargs="*", help="as for fetch; default: all")
    config = "what this configuration of params.yaml loads; may be repeated"
    option("--for", metavar="CONFIG", dest="configs", action="append", default=[], help=config)
    states = [place.option for place in Place]
    state = "only files in this state (see below); may be repeated"
    option(
        "--state", metavar="STATE", choices=states, dest="states", action="append", default=[],
        help=state,
    )  # fmt: skip
    option("--sort", choices=sorted(rows.ORDERS), help="another order than the catalogue's")
    option("--hash", action="store_true", help="show md5 and sha256, too")
    option("--remote", action="store_true", help="ask the team's remote what it has")
    option("--json", action="store_true", help="print one JSON document (docs/json.md)")
    return words


if __name__ == "__main__":
    sys.exit(main())
