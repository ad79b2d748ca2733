"""Let another checkout use the files of models/: link its models/ to this tree.

FOLDER is the checkout that loads models/... from its root. Where it has no models/, that becomes a
link to this tree. Where it has one, each file in it is verified: a right one is taken into the
cache and replaced by a link; a wrong one, and whatever else is there, is named and left as it is.
Nothing is deleted, and a command that was stopped is continued by the next one.

Then every path that the configurations of params.yaml load is checked.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.checkout import disks
from scripts.checkout.clone import Clone
from scripts.checkout.consumers import readiness
from scripts.checkout.consumers.consumer import Consumer
from scripts.checkout.consumers.link import link
from scripts.checkout.consumers.undo import undo
from scripts.console.command import command, parser, path
from scripts.console.errors import CheckpointError
from scripts.console.progress import note, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.checkout.consumers.link import Linked
    from scripts.checkout.consumers.readiness import Readiness

_EXAMPLES = {
    "../project": "link ../project/models to this tree, or adopt what is there",
    "--copy ../project": "for a container, in which a link to this tree would lead nowhere",
    "--undo ../project": "restore ../project/models as it was",
}
_EXITS = {0: "linked, even if files are still to be fetched", 1: "a wrong file is in the way"}
_FOLDER = "the checkout that loads models/... from its root"
_COPY = "make files instead of links: reflinks or hard links where the disk can, else copies"
_UNDO = "remove what this command has made, and restore what it replaced; nothing else"
_SHOWN = 10  # names in a list; --json has them all


@command
def main(argv: Sequence[str] | None) -> None:
    """Link a consumer, or undo that, and say what it finds there."""
    words = parser("link", __doc__, examples=_EXAMPLES, exits=_EXITS)
    words.add_argument("folder", metavar="FOLDER", type=path, help=_FOLDER)
    either = words.add_mutually_exclusive_group()
    either.add_argument("--copy", action="store_true", help=_COPY)
    either.add_argument("--undo", action="store_true", help=_UNDO)
    words.add_argument("--json", action="store_true", help="print what was done as JSON")
    given = words.parse_args(argv)
    clone = Clone.checked(Path.cwd())
    consumer = Consumer.at(given.folder, clone.root)
    if given.undo:
        _undo(clone, consumer, as_json=given.json)
        return
    done = link(clone, consumer, copy=given.copy)
    found = readiness.check(clone, done)
    if given.json:
        say(json.dumps(_document(consumer, done, found), indent=2))
    else:
        _show(consumer, done, copy=given.copy)
        _show_configurations(found)
        for line in disks.advice(clone):
            note(line)
    if done.wrong:
        raise _in_the_way(consumer, done)


def _show(consumer: Consumer, done: Linked, *, copy: bool) -> None:
    models = consumer.models
    for name in done.adopted:
        kept = "kept" if copy else "now a link"
        taken = ", and taken into this tree" if name in done.taken else ""
        say(f"{name}  verified: {kept}{taken}")
    _list(done.removed, "{} a link was there; it is no longer needed")
    if done.whole:
        say(f"{models} -> {consumer.tree}{'' if done.made else '  (as it was)'}")
        return
    made = "copied" if copy else "linked"
    say(f"{models}: {len(done.right)} files of this tree are there, {len(done.made)} newly {made}")
    _list(done.nested, "{} leads to this tree, and is of no use: `ln -s` onto a folder made it")
    _list(done.strays, "{} is not in the catalogue, and is left")
    if beside := _beside(done):
        note(f"Next: move what else is in {', '.join(beside)} away: a loader may list that folder.")
    why = "copies do not follow" if copy else "what else is there keeps models/ a folder"
    note(f"Run this again after each fetch: {why}.")


def _list(names: Sequence[str], text: str) -> None:
    for name in names[:_SHOWN]:
        say(text.format(f"{name} "))
    if len(names) > _SHOWN:
        say(f"... and {len(names) - _SHOWN} more; --json names them")


def _beside(done: Linked) -> list[str]:
    """Return the folders in which a stray lies beside a file of the catalogue."""
    known = {os.path.dirname(name) for name in (*done.right, *done.wrong)}  # noqa: PTH120
    return sorted({os.path.dirname(name) for name in done.strays} & known)  # noqa: PTH120


def _show_configurations(found: Sequence[Readiness]) -> None:
    if ready := [each.name for each in found if each.is_ready]:
        say(f"ready: {', '.join(ready)}")
    lines = {f"./checkpoints fetch --for {e.name}": e.size for e in found if e.missing}
    if lines:
        say("not ready; what they need is fetched by")
    for line, size in lines.items():
        say(f"  {line:<{max(map(len, lines))}}  {size}")
    for each in found:
        if each.wrong:
            say(f"{each.name} would load a wrong file: {', '.join(each.wrong)}")


def _document(consumer: Consumer, done: Linked, found: Sequence[Readiness]) -> dict[str, Any]:
    document = asdict(done) | {"right": sorted(done.right), "models": str(consumer.models)}
    document["configurations"] = {
        each.name: {"ready": each.is_ready, "missing": each.missing, "wrong": each.wrong}
        for each in found
    }
    return document


def _in_the_way(consumer: Consumer, done: Linked) -> CheckpointError:
    lines = [f"{name}: {why}" for name, why in sorted(done.wrong.items())]
    count = f"{len(lines)} file{'s are' if len(lines) > 1 else ' is'}"
    return CheckpointError(
        f"{count} in the way in {consumer.root}",
        *lines,
        "They are left as they are; everything else is done.",
        "Next: move them away, then run this again.",
    )


def _undo(clone: Clone, consumer: Consumer, *, as_json: bool) -> None:
    done = undo(clone, consumer)
    if as_json:
        say(json.dumps(asdict(done), indent=2))
        return
    say(f"{consumer.models}: {len(done.removed)} removed, {len(done.restored)} restored")
    _list(done.kept, "{} has changed since, and is left")


if __name__ == "__main__":
    sys.exit(main())
