"""Replace the machinery by that of another clone; the catalogue stays as it is.

FROM is a folder or an address of git, such as the repository that this one was started from. What
is the machinery, scripts/curation/machinery.txt lists; its files are replaced, and those that the
other one no longer has go. The seal is made again. Nothing is committed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console.command import command, parser, path
from scripts.console.progress import note, say
from scripts.curation import git
from scripts.curation.update import STAGES, update

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = {
    "../checkpoints": "the last commit of a clone on this disk",
    "https://host/checkpoints.git --at v2.0": "a tag of a repository elsewhere",
}


@command
def main(argv: Sequence[str] | None) -> None:
    """Replace the files, make the seal again, show what has changed and how to keep or undo it."""
    words = parser("update_machinery", __doc__, examples=_EXAMPLES)
    words.add_argument("source", metavar="FROM", help="a folder, or an address of git")
    at = "its commit, tag or branch; default: the last commit"
    words.add_argument("--at", metavar="REVISION", default="HEAD", help=at)
    given = words.parse_args(argv)
    root, folder = Path.cwd(), path(given.source)
    source = str(folder.resolve()) if folder.is_dir() else given.source
    commit, left = update(root, source, given.at)
    sealed = not left and _seal(root)
    changed = git.run(root, "diff", "--stat", "HEAD").rstrip()
    say(changed or f"the machinery is that of {commit[:12]} already")
    if changed:
        note(f"to keep it:  git commit -a -m 'Update the machinery to {commit[:12]}'")
        note("to undo it:  git reset -q --hard")
    for name in left:
        note(f"the stage {name} of dvc.yaml is not that of {STAGES}: change it by hand")
    if not sealed:
        note("Next: ./checkpoints seal")


def _seal(root: Path) -> bool:
    """Make the seal by the new machinery's own command, which may need another environment."""
    words = [sys.executable, "-m", "scripts", "seal"]
    return not subprocess.run(words, cwd=root, check=False, stdout=subprocess.DEVNULL).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
