"""Make a page of the catalogue: one file that shows every checkpoint, and sends no request.

It has a treemap, a table that sorts and filters, and for each file its hashes, licence, sources,
state on this machine and the commands that get it. Nothing is downloaded or hashed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.checkout.clone import Clone
from scripts.console.command import command, parser, path
from scripts.console.errors import UsageError
from scripts.console.progress import counted, note
from scripts.files.disk import disk_errors, write
from scripts.views.page import data, html, picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.views.page.data import Page

_DEFAULT = Path("site/index.html")
_OUTPUT = f"write the page to FILE; default: {_DEFAULT}"
_PUBLIC = "leave out what is true of this machine alone: for a page that others read"
_PICTURE = "also draw the catalogue, as an SVG that is the same in every clone"
_SHOWN = 10  # faults in a message; the page has them all
_STEP = "Next: ./checkpoints doctor"
_EXITS = {0: "the page is complete", 1: "it could not be written"}
_EXAMPLES = {"": f"write {_DEFAULT}", "--output /srv/www/index.html": "write it to another file"}


@command
def main(argv: Sequence[str] | None) -> None:
    """Write the page."""
    words = parser("page", __doc__, examples=_EXAMPLES, exits=_EXITS)
    option = words.add_argument
    option("--output", metavar="FILE", type=path, default=_DEFAULT, help=_OUTPUT)
    option("--public", action="store_true", help=_PUBLIC)
    option("--picture", metavar="FILE", type=path, help=_PICTURE)
    given = words.parse_args(argv)
    output: Path = given.output
    clone, faults = Clone.examined(Path.cwd())
    made = data.collect(clone, faults, public=given.public)
    if output == _DEFAULT:
        with disk_errors(output.parent):
            output.parent.mkdir(exist_ok=True)
    write(output, html.render(made.document, made.stages).encode())
    if given.picture:
        public = made if given.public else data.collect(clone, faults, public=True)
        write(given.picture, picture.render(public.document).encode())
    _fail(made, output)
    note(f"wrote {output}")


def _fail(made: Page, output: Path) -> None:
    """Raise UsageError if a part of the page is not there."""
    if made.faults:
        lines = [f"{each.where}: {fault}" for each in made.faults for fault in each.faults]
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        steps = [step for each in made.faults for step in each.steps]
        what = f"the page is not complete: {counted(len(lines), 'fault')}"
        shown = [*lines[:_SHOWN], *more, f"{output} was written, and says so."]
        raise UsageError(what, *shown, *(steps or [_STEP]))


if __name__ == "__main__":
    sys.exit(main())
