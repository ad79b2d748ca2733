"""Share the tree through a DVC remote: see what it holds, mend it, publish it to everybody.

`dvc push` and `dvc pull` move the files; these commands say what DVC leaves unsaid.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.checkout.clone import Clone
from scripts.console.command import command
from scripts.console.errors import CheckpointError
from scripts.console.progress import say
from scripts.storage.access import ROLES, RemoteError
from scripts.storage.publish import mend, publish, withheld
from scripts.storage.remote import Remote
from scripts.storage.survey import Survey, stages, survey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CHECK = """\
Say whether this clone can read and write a remote, which of the pinned files it holds, whether
their content is the pinned one (Google's bucket states an md5 of each object), and what a pull
would transfer. Headers alone are read; all that is written are links between cache and models/,
to find out which kind works, and they are removed at once.

Exit code 0: a pull would be complete. 1: files are missing or damaged. 2: it could not be looked
at, or mended (no account, no right, no such bucket or folder, no network)."""
_PUBLISH = """\
Push every pinned file that its licence in dvc.yaml lets anybody pass on, and name those left out.
Use it instead of `dvc push` for a remote that people outside your institution can read."""


@command
def main(argv: Sequence[str] | None) -> None:
    """Parse the words and do what the subcommand says in the clone of the current folder."""
    options = _parser().parse_args(argv)
    clone = Clone.at(Path.cwd())
    with Remote(clone.root, options.remote) as remote:
        if options.what == "check":
            _check(clone, remote, options)
            return
        sent, kept = publish(clone, remote)
        say(f"{remote.name}: {sent} files pushed to {remote.url}")
        for path, licence in sorted(kept.items()):
            say(f"left out  {path}  ({licence})")


def _check(clone: Clone, remote: Remote, options: argparse.Namespace) -> None:
    """Print what the remote holds; raise CheckpointError if a pull from it would be incomplete."""
    seen = survey(clone, remote, read=options.read)
    damaged = [held for held in seen.files if held.state == "damaged"]
    if options.repair and mend(clone, remote, damaged):
        seen = survey(clone, remote, read=options.read)
    if options.json:
        say(json.dumps(seen.as_json(stages(clone)), indent=2))
    else:
        say("\n".join(seen.lines()))
    if not seen.read:
        raise RemoteError(f"{remote.name}: {remote.url} may not be read by you in full", *ROLES)
    if seen.broken:
        raise CheckpointError(
            f"{remote.name}: a pull would lack {len(seen.broken)} of {len(seen.files)} files",
            *_next(clone, seen),
        )


def _next(clone: Clone, seen: Survey) -> Iterator[str]:
    """Yield what to do about missing and damaged files."""
    kept, origin = withheld(clone).keys() & clone.catalogue.files.keys(), stages(clone)
    if theirs := [held.path for held in seen.broken if held.path in kept]:
        yield f"{len(theirs)} of them may not be redistributed; their publisher has them:"
        yield f"  dvc repro {' '.join(dict.fromkeys(origin[path] for path in theirs))}"
    if any(held.state == "missing" and held.path not in kept for held in seen.broken):
        yield f"Next: `dvc push -r {seen.remote}` in a clone that has what is missing; or bring it"
        yield "from the publishers: `dvc repro models.dvc`."
    if damaged := [held.path for held in seen.broken if held.state == "damaged"]:
        more = f" and {len(damaged) - 1} more" if damaged[1:] else ""
        yield f"{seen.url} has other bytes than the pinned ones for: {damaged[0]}{more}"
        yield "Next: in a clone that has them (`dvc push` takes them for sent),"
        yield f"`python -m scripts.team check -r {seen.remote} --repair`."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.team", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    look = what.add_parser("check", help="say what a remote holds", description=_CHECK)
    out = what.add_parser("publish", help="push what may be passed on", description=_PUBLISH)
    for part in (parser, look, out):
        part.formatter_class = argparse.RawDescriptionHelpFormatter
    look.add_argument("-r", "--remote", metavar="NAME", type=_name, help="by default the team's")
    look.add_argument("--json", action="store_true", help="for a program: stdout is JSON")
    look.add_argument("--read", action="store_true", help="hash objects that no header proves")
    look.add_argument("--repair", action="store_true", help="send damaged objects anew")
    out.add_argument("remote", metavar="REMOTE", type=_name, help="one of `dvc remote list`")
    return parser


def _name(word: str) -> str:
    if not word:  # DVC takes it for the default remote
        raise argparse.ArgumentTypeError("the name of a remote is empty")
    return word


if __name__ == "__main__":
    sys.exit(main())
