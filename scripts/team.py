"""Check and repair a DVC remote, or publish the tree to one that everybody can read.

`./checkpoints dvc push` and `./checkpoints dvc pull` transfer the files.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue import artifacts
from scripts.checkout.clone import Clone
from scripts.console.command import command, parser
from scripts.console.errors import CheckpointError
from scripts.console.progress import counted, say
from scripts.storage.access import RemoteError, permissions
from scripts.storage.publish import publish, repair, withheld
from scripts.storage.remote import Remote
from scripts.storage.survey import Survey, survey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CHECK = """\
Report whether this clone can read and write a remote, which of the pinned files it holds, whether
their content is the pinned one (Google's bucket states an md5 of each object), and what a pull
would transfer. Only headers are read. To find out which kind of link works, links are made
between cache and models/ and removed at once; nothing else is written.

Exit code 0: a pull would be complete. 1: files are missing or damaged. 2: the remote could not be
checked or repaired (no account, no permission, no such bucket or folder, no network)."""
_EXAMPLES = {
    "check": "what a pull from the team's remote would lack",
    "check -r public --repair": "replace what is damaged in another one",
    "publish public": "push all that may be redistributed",
}
_PUBLISH = """\
Push every pinned file whose licence in dvc.yaml lets anybody redistribute it, and name the others.
Use it instead of `./checkpoints dvc push` for a remote that people outside your institution can
read."""


@command
def main(argv: Sequence[str] | None) -> None:
    """Run the subcommand in the clone of the current folder."""
    options = _parser().parse_args(argv)
    clone = Clone.checked(Path.cwd())
    kept = withheld(clone.pins, clone.catalogue, artifacts.read(clone.root / "dvc.yaml"))
    with closing(Remote(clone.root, options.remote)) as remote:
        if options.what == "check":
            _check(clone, remote, kept, options)
            return
        sent = publish(clone.pins, clone.cache, remote, kept)
        say(f"{remote.name}: {counted(sent)} pushed to {remote.url}")
        for path, licence in sorted(kept.items()):
            say(f"left out  {path}  ({licence})")


def _check(
    clone: Clone, remote: Remote, kept: Mapping[str, str], options: argparse.Namespace
) -> None:
    """Print the state of the remote; raise CheckpointError if a pull would be incomplete."""
    stages = clone.catalogue.stages
    seen = survey(clone.pins, clone.cache, remote, read=options.read)
    damaged = [item for item in seen.files if item.state == "damaged"]
    if options.repair and repair(clone.cache, remote, damaged):
        seen = survey(clone.pins, clone.cache, remote, read=options.read)
    say(json.dumps(seen.as_json(stages), indent=2) if options.json else "\n".join(seen.lines()))
    if not seen.read:
        what = f"{remote.name}: no permission to read all of {remote.url}"
        raise RemoteError(what, *permissions("read", folder=remote.kind == "local"))
    if seen.broken:
        raise CheckpointError(
            f"{remote.name}: a pull would lack {len(seen.broken)} of {counted(len(seen.files))}",
            *_next(seen, kept.keys() & stages.keys(), stages),
        )


def _next(seen: Survey, kept: set[str], stages: Mapping[str, str]) -> Iterator[str]:
    """Yield the next steps for missing and damaged files."""
    if theirs := [item.path for item in seen.broken if item.path in kept]:
        yield f"{len(theirs)} of them may not be redistributed; download them from their publisher:"
        needed = " ".join(dict.fromkeys(stages[path] for path in theirs))
        yield f"  ./checkpoints dvc repro {needed}"
    if any(item.state == "missing" and item.path not in kept for item in seen.broken):
        yield f"Next: `./checkpoints dvc push -r {seen.remote}` in a clone that has them;"
        yield "or download them from the publishers: `./checkpoints fetch complete`."
    if damaged := [item.path for item in seen.broken if item.state == "damaged"]:
        more = f" and {len(damaged) - 1} more" if damaged[1:] else ""
        yield f"{seen.url} has other bytes than the pinned ones for: {damaged[0]}{more}"
        yield "Next, in a clone that has them (`./checkpoints dvc push` would not replace them):"
        yield f"`./checkpoints team check -r {seen.remote} --repair`."


def _parser() -> argparse.ArgumentParser:
    words = parser("team", __doc__, examples=_EXAMPLES)
    what = words.add_subparsers(dest="what", required=True)
    check = what.add_parser("check", help="report what a remote holds", description=_CHECK)
    out = what.add_parser("publish", help="push all shareable files", description=_PUBLISH)
    check.formatter_class = out.formatter_class = words.formatter_class
    check.add_argument("-r", "--remote", metavar="NAME", type=_name, help="default: the team's")
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.add_argument("--read", action="store_true", help="hash objects that no header proves")
    check.add_argument("--repair", action="store_true", help="replace damaged objects")
    out.add_argument("remote", metavar="REMOTE", type=_name, help="one of `dvc remote list`")
    return words


def _name(word: str) -> str:
    if not word:  # DVC takes it for the default remote
        raise argparse.ArgumentTypeError("the name of a remote is empty")
    return word


if __name__ == "__main__":
    sys.exit(main())
