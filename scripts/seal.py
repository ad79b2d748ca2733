"""Update dvc.lock, models.dvc and models.json after a change of catalogue or code.

`dvc repro models.dvc` does the same, and needs all checkpoints on disk. This command needs none:
it takes their hashes from the pins. Of a stage, cmd, deps, params and outs are updated; a stage
that dvc.yaml no longer has is dropped, a new one is added if its outs are pinned.

No pin is changed. One that dvc.lock has lost is restored from the last commit, or from a branch
that is being merged; one that contradicts them is refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.catalogue import lock, resealing
from scripts.checkout import journal
from scripts.console.command import command, parser
from scripts.console.progress import say

_EXAMPLES = {
    "": "after a change of params.yaml, dvc.yaml or code",
    "&& git diff": "the same, then show what changed",
}


@command
def main(argv: list[str] | None) -> None:
    """Update the files of the current folder and name those that changed."""
    parser("seal", __doc__, examples=_EXAMPLES).parse_args(argv)
    root = Path.cwd()
    journal.recover(root)
    changed = lock.write(root, resealing.believed(root))
    current = "dvc.lock, models.dvc and models.json are up to date"
    say(f"wrote {', '.join(changed)}" if changed else current)


if __name__ == "__main__":
    sys.exit(main())
