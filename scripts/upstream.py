"""Ask every publisher whether it still serves what is pinned: headers alone, all at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.catalogue import sources
from scripts.checkout.clone import Clone
from scripts.console.command import command
from scripts.console.errors import CheckpointError, SourceError
from scripts.console.progress import note, say
from scripts.curation import drift

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts.catalogue.params import Published
    from scripts.catalogue.sources import Source
    from scripts.curation.drift import Finding

_LEGEND = "\n".join(f"  {state:<10} {meaning}" for state, meaning in drift.STATES.items())
_EPILOG = f"""states:
{_LEGEND}

exit code: 0 nothing changed, 1 something changed or is gone, 2 something could not be told.
No checkpoint is downloaded. What has changed is looked at with `python -m scripts.repin NAME`."""


class _ChangedError(CheckpointError):
    """A publisher serves another file than the pinned one, or none."""


class _UntoldError(CheckpointError):
    """Of some publishers nothing could be told."""

    exit_code = 2


def _row(name: str, seen: Source, finding: Finding, *, recorded: bool) -> dict[str, Any]:
    known = {"url": seen.url, "etag": seen.etag, "size": seen.size}
    return {"name": name, **asdict(finding), "recorded": known, "written": recorded}


def _show(rows: Iterable[dict[str, Any]]) -> None:
    rows = list(rows)
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        written = " (recorded)" if row["written"] else ""
        say(f"{row['name']:<{width}}  {row['state']:<9}  {row['why']}{written}")
    counts = Counter(row["state"] for row in rows)
    note(", ".join(f"{counts[state]} {state}" for state in drift.STATES if state in counts))


def _fail(rows: Iterable[dict[str, Any]]) -> None:
    """Raise what the rows mean for the exit code."""
    changed, untold = [], []
    for row in rows:
        if row["state"] in ("changed", "gone"):
            changed.append(row["name"])
        elif row["state"] in ("blocked", "unknown") and not row["written"]:
            untold.append(row["name"])
    if changed:
        raise _ChangedError(
            f"changed or gone at the publisher: {', '.join(changed)}",
            "models/, the cache and the pins are as they were.",
            "Next: `python -m scripts.repin NAME` shows what is served now against the pin.",
        )
    if untold:
        raise _UntoldError(
            f"nothing could be told of: {', '.join(untold)}",
            "Next: try again later; `--record` remembers what is served now where nothing was.",
        )


def _looked(clone: Clone, entries: Sequence[Published]) -> list[tuple[Source, Finding]]:
    try:
        return drift.look(clone, entries)
    except SourceError as error:
        raise _UntoldError(error.what, *error.details) from error


@command
def main(argv: Sequence[str] | None) -> None:
    """Parse names, look, record if asked to, show, and exit by what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.upstream", description=__doc__, epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("names", metavar="NAME", nargs="*", help="a key of params.yaml; or all")
    parser.add_argument(
        "--record", action="store_true", help="write today's ETag and size to sources/NAME.dvc"
    )
    parser.add_argument("--json", action="store_true", help="print a list of objects instead")
    given = parser.parse_args(argv)
    clone = Clone.at(Path.cwd())
    entries = clone.catalogue.find(given.names or list(clone.catalogue.published))
    rows = []
    for entry, (seen, finding) in zip(entries, _looked(clone, entries), strict=True):
        head = finding.head if given.record else None
        folder = clone.root / "sources"
        recorded = head is not None and sources.record(
            folder, entry.name, etag=head.etag, size=head.size
        )
        rows.append(_row(entry.name, seen, finding, recorded=recorded))
    if given.json:
        say(json.dumps(rows, indent=2))
    else:
        _show(rows)
    _fail(rows)


if __name__ == "__main__":
    sys.exit(main())
