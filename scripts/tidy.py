"""Remove what only takes room: begun downloads, quarantine, objects that no commit uses.

With SELECT (a name, a file name, a family, a glob or a set): remove these files from models/ and
from the cache. They stay in the catalogue, and `./checkpoints fetch SELECT` downloads them again.
Nothing is ever removed from a remote.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue.selection import select
from scripts.checkout import tidy
from scripts.checkout.clone import Clone
from scripts.console.command import command, parser, path
from scripts.console.errors import CheckpointError, UsageError
from scripts.console.progress import human, note, say
from scripts.storage import garbage

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from scripts.checkout.tidy import Item
    from scripts.checkout.unwanted import Unwanted

_UNCHANGED = "Nothing was removed."
_SHOWN = 10  # names of a kind; more would not fit a screen
_EXAMPLES = {
    "--dry-run": "what may go, and how much room it takes",
    "": "remove it, after a question",
    "sam_vit_h": "remove the files of one entry",
}
_EXITS = {0: "done, or nothing to do", 1: "something stays; the message says what"}
_EPILOG = """\
What another process is at work on stays. So does an object of the cache that a branch, a tag or
any other commit uses, or a file of this clone. A cache outside the clone may be that of other
clones, too, whose commits are not known: only --shared removes from it."""


@command
def main(argv: Sequence[str] | None) -> None:
    """Find what may go, show it, ask, and remove it."""
    words = parser("tidy", __doc__, examples=_EXAMPLES, exits=_EXITS, epilog=_EPILOG)
    option = words.add_argument
    option("names", metavar="SELECT", nargs="*", help="files that are not wanted here any more")
    option("--dry-run", action="store_true", help="remove nothing, only show what would go")
    option("--yes", action="store_true", help="do not ask")
    option("--shared", action="store_true", help="remove from a cache outside this clone, too")
    also = "another clone with the same cache: what it uses stays"
    option("--clone", metavar="DIR", action="append", default=[], type=path, help=also)
    option("--last-copy", action="store_true", help="remove files that no other source has, too")
    option("--json", action="store_true", help="print what goes as JSON")
    given = words.parse_args(argv)
    clone = Clone.checked(Path.cwd())
    (_forget if given.names else _tidy)(clone, given)


def _tidy(clone: Clone, given: Namespace) -> None:
    """Remove what no file of the catalogue needs; raise CheckpointError if something stays."""
    items = [*tidy.partials(clone), *tidy.quarantined(clone), *_unused(clone, given)]
    size = sum(item.size for item in items)
    if not given.json:
        _show(items)
    removed = bool(items) and _agreed(given, f"remove {human(size)}")
    left = tidy.remove(clone, items) if removed else []
    if given.json:
        rows = [{"kind": item.kind, "name": item.name, "bytes": item.size} for item in items]
        names = [item.name for item in left]
        _print({"removed": removed, "bytes": size, "items": rows, "left": names})
    if removed:
        note(f"{human(size - sum(item.size for item in left))} freed")
    _refuse_left([f"{item.kind}: {item.name}" for item in left])


def _unused(clone: Clone, given: Namespace) -> list[Item]:
    """Return the unused objects of the cache, or say why they are not looked for."""
    for folder in given.clone:
        if not (folder / ".dvc").is_dir():
            raise UsageError(f"{folder} is not a clone: it has no .dvc folder", _UNCHANGED)
    if not garbage.is_own(clone.cache):
        theirs = "what other clones use is not known, but for those that --clone names"
        rest = theirs if given.shared else "--shared looks there, too"
        note(f"{clone.cache.folder} is outside this clone; {rest}")
    try:
        return tidy.unused(clone, shared=given.shared, others=given.clone)
    except UsageError as error:
        note(f"the cache stays as it is: {error}")
        return []


def _show(items: Sequence[Item]) -> None:
    for kind in dict.fromkeys(item.kind for item in items):
        found = [item for item in items if item.kind == kind]
        say(f"{kind}: {len(found)}, {human(sum(item.size for item in found))}")
        if kind == tidy.UNUSED:
            continue  # they have no name
        for item in found[:_SHOWN]:
            say(f"  {human(item.size):>9}  {item.name}")
        if found[_SHOWN:]:
            say(f"  and {len(found) - _SHOWN} more; --json names all")
    if not items:
        say("nothing to remove")


def _forget(clone: Clone, given: Namespace) -> None:
    """Remove the files of entries that others still have; raise CheckpointError if some stay."""
    from scripts.checkout import unwanted  # noqa: PLC0415 - it imports requests

    chosen = select(clone.catalogue, given.names)
    found = unwanted.here(clone, chosen, shared=given.shared)
    having = unwanted.sources(clone, [each.entry for each in found])
    going = [each for each in found if having[each.entry.name] or given.last_copy]
    size = sum(each.size for each in going)
    if not given.json:
        _show_unwanted(found, having)
    removed = bool(going) and _agreed(given, f"remove {human(size)}")
    left = unwanted.remove(clone, going) if removed else []
    gone = [each for each in going if removed and each.entry.name not in left]
    if given.json:
        rows = [_row(each, having[each.entry.name]) for each in found]
        _print({"removed": removed, "bytes": size, "entries": rows, "left": left})
    if gone:
        note(f"{human(sum(each.size for each in gone))} freed")
        names = " ".join(each.entry.name for each in gone)
        note(f"To get them back: ./checkpoints fetch {names}")
    _refuse_last([each for each in found if each not in going])
    _refuse_left(left)


def _show_unwanted(found: Sequence[Unwanted], having: dict[str, list[str]]) -> None:
    for each in found:
        who = having[each.entry.name]
        only = " alone" if len(who) == 1 else ""
        again = f"also at {', '.join(who)}{only}" if who else "no other source has it"
        say(f"{human(each.size):>9}  {each.entry.name}: {again}")
        for name in each.own:
            say(f"  {name} is not the pinned file, and stays")
    if not found:
        say("nothing to remove: none of these files is here")


def _row(each: Unwanted, having: Sequence[str]) -> dict[str, object]:
    files = [file.path for file in each.files]
    return {
        "name": each.entry.name, "bytes": each.size, "files": files, "objects": len(each.objects),
        "stay": each.own, "sources": having,
    }  # fmt: skip


def _print(report: dict[str, object]) -> None:
    say(json.dumps(report, indent=2))


def _agreed(given: Namespace, what: str) -> bool:
    """Ask the user, unless the options say it; raise UsageError without a terminal."""
    if given.dry_run or given.yes:
        return bool(given.yes and not given.dry_run)
    if not sys.stdin.isatty():
        step = "Next: run again with --yes, or with --dry-run to see what would go."
        raise UsageError(f"no terminal to ask whether to {what}", _UNCHANGED, step)
    sys.stderr.write(f"{what}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    note("nothing was removed")
    return False


def _refuse_last(kept: Sequence[Unwanted]) -> None:
    if kept:
        raise CheckpointError(
            f"not removed, as no other source has it: {' '.join(each.entry.name for each in kept)}",
            "The team's remote, mirrors and the publisher were asked.",
            "Next: `./checkpoints dvc push` keeps a copy in the team's remote.",
            "Or, to remove it: --last-copy",
        )


def _refuse_left(names: Sequence[str]) -> None:
    if names:
        raise CheckpointError(
            f"{len(names)} not removed: another process is at work in this clone",
            *names[:_SHOWN],
            "Next: wait until it has finished, then run again.",
        )


if __name__ == "__main__":
    sys.exit(main())
