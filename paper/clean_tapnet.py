"""Make checkpoint_wo_optstate.npy from checkpoint.npy: its `params` and `state` alone.

This needs neither tapnet, haiku, optax, jax, tensorflow nor numpy, and runs no code of the pickle.
Arrays keep their bytes. The format is that of NumPy 1, as in the published file. Use it when the
quota of Google Drive, the only publisher of that file, is used up.

Without arguments it reads and makes the files of the catalogue. The result is placed under models/
only if its hash is the pinned one. Otherwise it is moved to quarantine and compared with the
pinned file, if that is on this disk.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from paper.tapnet import cleaning
from scripts.checkout.clone import Clone
from scripts.checkout.workspace import report
from scripts.console.command import command, parser, path
from scripts.console.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence


_EXAMPLES = {
    "": "make the file of the catalogue, if its hash is the pinned one",
    "checkpoint.npy clean.npy": "make another file out of another one",
}


@command
def main(argv: Sequence[str] | None) -> None:
    """Read the one file and make the other."""
    words = parser("clean_tapnet", __doc__, examples=_EXAMPLES)
    words.add_argument("input", metavar="INPUT", nargs="?", type=path, help="checkpoint.npy")
    words.add_argument("output", metavar="OUTPUT", nargs="?", type=path, help="a new file")
    given = words.parse_args(argv)
    made = cleaning.rebuild(Clone.at(Path.cwd()), given.input, given.output)
    say(made) if isinstance(made, str) else report(made)


if __name__ == "__main__":
    sys.exit(main())
