"""Print the files for people without DVC: hashes, a list for downloads, or a table.

FORMAT is one of:
  md5sums     for `md5sum -c`
  sha256sums  for `sha256sum -c`; files whose sha256 is not known are left out
  aria2       for `aria2c -i`: addresses, mirrors and hashes
  pooch       a registry of the Python package pooch
  csv         a table of all that is known, which `import-url --from` reads

Files in archives and on Google Drive are not in the lists for aria2 and pooch, unless a mirror has
them. What is left out is named on stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue.selection import select
from scripts.checkout.clone import Clone
from scripts.console.command import command, parser
from scripts.console.progress import note, say
from scripts.views import exports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.views.exports import Export

_EXAMPLES = {
    "md5sums > models.md5": "then, beside models/: md5sum -c models.md5",
    "aria2 > models.aria2": "then, where models/ is to be: aria2c -x8 -i models.aria2",
    "csv > list.csv": "for another repository: import-url --from list.csv",
}


@command
def main(argv: Sequence[str] | None) -> None:
    """Print the selected files of the current folder in one format."""
    words = parser("export", __doc__, examples=_EXAMPLES)
    form = "what is to read it"
    words.add_argument("format", metavar="FORMAT", choices=[*exports.FORMATS], help=form)
    what = "which files; default: all of them"
    words.add_argument("names", metavar="SELECT", nargs="*", help=what)
    given = words.parse_args(argv)
    clone = Clone.checked(Path.cwd())
    holds = clone.catalogue
    paths = select(holds, given.names).paths if given.names else tuple(holds.files)
    made = exports.render(clone, paths, given.format)
    if made.text:
        say(made.text)
    _notice(clone, made)


def _notice(clone: Clone, made: Export) -> None:
    """Name what is left out, and the command for it."""
    for path, why in made.left_out.items():
        note(f"left out  {path}  ({why})")
    if made.left_out:
        entries = select(clone.catalogue, tuple(made.left_out)).entries
        note(f"Next: ./checkpoints {made.other} {' '.join(entry.name for entry in entries)}")


if __name__ == "__main__":
    sys.exit(main())
