"""Write the bill of materials of the tree: CycloneDX 1.6, one component for each file.

It is made of params.yaml, dvc.yaml, dvc.lock and sources/ alone: no checkpoint need be there, and
the same repository gives the same bytes. SOURCE_DATE_EPOCH adds a time, for those who need one.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timezone
from pathlib import Path

from scripts.catalogue import bill, witnesses
from scripts.checkout import journal
from scripts.console.command import command, parser, path
from scripts.console.errors import UsageError
from scripts.console.progress import note, say
from scripts.files.disk import write

_EXAMPLES = {"": "print it", "--output bom.json": "write it to a file"}


@command
def main(argv: list[str] | None) -> None:
    """Print the bill of the current folder, or write it to a file."""
    words = parser("bom", __doc__, examples=_EXAMPLES)
    words.add_argument("--output", metavar="FILE", type=path, help="write to FILE, not to stdout")
    output: Path | None = words.parse_args(argv).output
    root = Path.cwd()
    journal.recover(root)
    witnesses.read(root)  # a bill with fewer hashes would look complete
    text = bill.render(root, time=_time())
    if output is None:
        say(text.removesuffix("\n"))
        return
    write(output, text.encode())
    note(f"wrote {output}")


def _time() -> str | None:
    """Return SOURCE_DATE_EPOCH as a timestamp, if it is set; raise UsageError if it is no time."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return None
    try:
        return datetime.fromtimestamp(int(text), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as error:
        what = f"SOURCE_DATE_EPOCH is {text!r:.40}"
        raise UsageError(what, "It is a whole number of seconds since 1970.") from error


if __name__ == "__main__":
    sys.exit(main())
