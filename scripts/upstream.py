"""Check whether every publisher still serves what is pinned: headers only, all at once."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.catalogue import sources
from scripts.catalogue.params import EMPTY
from scripts.checkout import looks
from scripts.checkout.clone import Clone
from scripts.console.command import command, parser
from scripts.console.errors import CheckpointError, SourceError
from scripts.console.progress import note, say
from scripts.curation import drift

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEGEND = "\n".join(f"  {state:<10} {meaning}" for state, meaning in drift.STATES.items())
_EPILOG = f"""states:
{_LEGEND}

No checkpoint is downloaded. `./checkpoints repin NAME` shows what has changed."""
_EXAMPLES = {
    "": "ask every publisher",
    "--mirrors raft": "ask the publisher and the mirrors of one entry",
    "--record": "write down what is served today where nothing was",
}
_EXITS = {
    0: "nothing changed",
    1: "something changed or is gone",
    2: "some states are not known, or wrong arguments",
}


class _UnknownError(CheckpointError):
    """The state of some publishers is not known."""

    exit_code = 2


@command
def main(argv: Sequence[str] | None) -> None:
    """Compare, record if asked to, print, and exit by what was found."""
    words = parser("upstream", __doc__, examples=_EXAMPLES, exits=_EXITS, epilog=_EPILOG)
    option = words.add_argument
    option("names", metavar="NAME", nargs="*", help="a key of params.yaml; default: all")
    option("--mirrors", action="store_true", help="look at the mirrors of each source, too")
    option("--record", action="store_true", help="write today's ETag and size to sources/NAME.dvc")
    option("--json", action="store_true", help="print a list of objects instead")
    given = words.parse_args(argv)
    clone = Clone.at(Path.cwd())
    rows = _compared(clone, given.names, record=given.record, mirrors=given.mirrors)
    if given.json:
        say(json.dumps(rows, indent=2))
    else:
        _show(rows)
    _fail(rows)


def _compared(
    clone: Clone, names: Sequence[str], *, record: bool, mirrors: bool
) -> list[dict[str, Any]]:
    """Return a row for each name, or for all entries; raise CheckpointError."""
    entries = clone.catalogue.find(names or list(clone.catalogue.published))
    try:
        found = drift.compare(clone, entries, mirrors=mirrors)
    except SourceError as error:
        raise _UnknownError(error.what, *error.details) from error
    looks.remember(clone.root, {source.url: (each.state, each.why) for source, each in found})
    rows, folder = [], clone.root / "sources"
    for source, finding in found:
        written, head = False, finding.head
        if record and head and not finding.mirror:
            written = sources.record(folder, source.name, etag=head.etag, size=head.size)
        seen = {key: getattr(source, key) for key in ("url", "etag", "size")}
        rows.append({"name": source.name, **asdict(finding), "recorded": seen, "written": written})
    return rows


def _show(rows: Sequence[dict[str, Any]]) -> None:
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        written = " (recorded)" if row["written"] else ""
        say(f"{row['name']:<{width}}  {row['state']:<9}  {row['why']}{written}")
    counts = Counter(row["state"] for row in rows)
    found = (f"{counts[state]} {state}" for state in drift.STATES if state in counts)
    note(", ".join(found) or EMPTY)


def _fail(rows: Sequence[dict[str, Any]]) -> None:
    """Raise the error that the rows mean for the exit code; an unknown mirror means none."""
    changed = [row for row in rows if row["state"] in ("changed", "gone")]
    if own := [row["name"] for row in changed if not row["mirror"]]:
        raise CheckpointError(
            f"changed or gone at the publisher: {', '.join(own)}",
            "models/, the cache and the pins are as they were.",
            "Next: `./checkpoints repin NAME` compares what is served now with the pin.",
        )
    if changed:
        raise CheckpointError(
            "mirrors changed or gone:",
            *(f"{row['name']}: {row['recorded']['url']}" for row in changed),
            "Next: remove them from sources/NAME.dvc. The pin refuses what they serve.",
        )
    unclear = [row for row in rows if row["state"] in ("blocked", "unknown") and not row["mirror"]]
    if unknown := [row["name"] for row in unclear if not row["written"]]:
        raise _UnknownError(
            f"state not known: {', '.join(unknown)}",
            "Next: where a publisher did not answer, try again later. Where there is nothing to",
            "compare with, `./checkpoints upstream --record` writes down what is served now.",
        )


if __name__ == "__main__":
    sys.exit(main())
