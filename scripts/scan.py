"""Show what loading the checkpoints would import, and compare it with the list in imports.yaml.

The pickles are read and nothing of them is run. The output also says whether the weights_only mode
of torch.load allows the file. This is a tripwire, not a boundary: see docs/pickles.md.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue import names as catalogue_names
from scripts.catalogue.params import EMPTY
from scripts.checkout.clone import Clone
from scripts.console.command import command, parser, path
from scripts.console.errors import CheckpointError, PickleError
from scripts.console.progress import note, say
from scripts.pickles import screening
from scripts.pickles.weights_only import TORCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.pickles.screening import Screening

_TAKES = {
    True: f"allowed by weights_only of torch {TORCH}",
    False: f"refused by weights_only of torch {TORCH}",
    None: "not a torch file",
}
_EPILOG = """verdicts: fine; beyond (an import is not on the list); malformed; dangerous (an import
can run anything, or cannot be determined)."""
_EXAMPLES = {
    "": "scan all files that are there",
    "raft": "scan the files of one entry",
    "~/Downloads/model.pth": "scan any file, before you load it",
}
_EXITS = {0: "every file is fine", 1: "a file is not fine, or is missing"}


@command
def main(argv: Sequence[str] | None) -> None:
    """Scan the named files, or all that are present."""
    arguments = parser("scan", __doc__, examples=_EXAMPLES, exits=_EXITS, epilog=_EPILOG)
    arguments.add_argument(
        "names", metavar="NAME", nargs="*", help="a name of params.yaml, or the path of any file"
    )
    arguments.add_argument("--json", action="store_true", help="print one JSON document to stdout")
    given = arguments.parse_args(argv)
    clone = Clone.at(Path.cwd())
    found = dict(_screened(clone, _files(clone, given.names), named=bool(given.names)))
    if given.json:
        rows = [{"path": file, "verdict": one.verdict, **asdict(one), "torch": TORCH}
                for file, one in found.items()]  # fmt: skip
        say(json.dumps(rows, indent=2))
    else:
        _show(found)
    bad = [file for file, one in found.items() if one.verdict != "fine"]
    if bad:
        raise PickleError(
            f"{len(bad)} of {len(found)} files would import more than {screening.ALLOWED} allows",
            "Nothing was loaded or changed.",
            "Next: do not load them unless you know what these imports do; see docs/pickles.md.",
        )


def _files(clone: Clone, names: Sequence[str]) -> list[str]:
    """Return the files of these names, or all; raise UsageError naming every unknown one."""
    published = clone.catalogue.published
    named = {
        n: [f.path for f in published[n].files] if n in published else _paths(clone, n)
        for n in names
    }
    unknown = [n for n in names if not named[n]]
    if unknown:
        raise catalogue_names.unknown(unknown, published)
    return [file for n in names for file in named[n]] or sorted(clone.catalogue.files)


def _paths(clone: Clone, name: str) -> list[str]:
    """Return the path that a name is: from where the user is, or from the clone's root."""
    return [each for each in (str(path(name)), name) if os.path.lexists(clone.root / each)][:1]


def _screened(clone: Clone, files: list[str], *, named: bool) -> Iterator[tuple[str, Screening]]:
    """Yield the screening of each file; raise CheckpointError if all or a named one is missing."""
    lists = screening.allowed(clone.root, files)
    missing = [file for file in files if not _place(clone, file).exists()]
    if missing and (named or len(missing) == len(files)):
        raise CheckpointError(
            f"{len(missing)} of {len(files)} files are missing",
            *(f"missing  {file}" for file in missing),
            "Next: `./checkpoints fetch`, or `./checkpoints dvc pull`; then scan again.",
        )
    for file in files:
        if file not in missing:
            yield file, screening.screen(_place(clone, file), lists[file])
    if missing:
        note(f"{len(missing)} of {len(files)} files are missing and were not scanned")


def _place(clone: Clone, file: str) -> Path:
    """Return the path of a file under models/, or in the cache if it is missing there."""
    path, pin = clone.root / file, clone.pins.get(file)
    return clone.cache.object(str(pin.md5)) if pin and not path.exists() else path


def _show(found: dict[str, Screening]) -> None:
    if not found:
        note(EMPTY)
    for file, one in found.items():
        say(f"{file}  {one.verdict}: {one.kind}, {len(one.imports)} imports, "
            f"{_TAKES[one.weights_only]}")  # fmt: skip
        for row in one.rows:
            say(f"  {row}")


if __name__ == "__main__":
    sys.exit(main())
