"""Show what loading the checkpoints would run: every import of every pickle in them.

The pickles are read opcode by opcode and never loaded. What they import is held against the
allow-list in imports.yaml; `weights_only` says whether torch.load(..., weights_only=True) takes
the file. A tripwire, not a boundary: see docs/pickles.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.checkout.clone import Clone
from scripts.console.command import command
from scripts.console.errors import CheckpointError, PickleError, UsageError
from scripts.console.progress import note, say
from scripts.files.disk import is_file
from scripts.pickles import screening

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.pickles.screening import Screening

_TAKES = {True: "weights_only takes it", False: "weights_only refuses it", None: "not torch's"}
_EPILOG = """verdicts: fine; beyond (an import that is not on the list); malformed; dangerous (an
import that can run anything, or one that cannot be told). exit code: 0 if every file is fine,
1 if one is not or is missing, 2 for words that mean nothing here."""


@command
def main(argv: Sequence[str] | None) -> None:
    """Scan the named files, or all that are here."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.scan",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="a name of params.yaml, or the path of any file"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")
    given = parser.parse_args(argv)
    clone = Clone.at(Path.cwd())
    found = dict(_screened(clone, _files(clone, given.names), named=bool(given.names)))
    if given.json:
        say(json.dumps([_row(file, one) for file, one in found.items()], indent=2))
    else:
        _show(found)
    bad = [file for file, one in found.items() if one.verdict != "fine"]
    if bad:
        raise PickleError(
            f"{len(bad)} of {len(found)} files would run more than {screening.ALLOWED} allows",
            "Nothing was loaded or changed.",
            "Next: do not load them, unless you know what these imports do; see docs/pickles.md.",
        )


def _files(clone: Clone, names: Sequence[str]) -> list[str]:
    """Return the files of these names, or all; raise UsageError naming every unknown one."""
    published = clone.catalogue.published
    unknown = [n for n in names if n not in published and not is_file(clone.root / n)]
    if unknown:
        what = f"unknown name{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}"
        raise UsageError(what, f"params.yaml has: {', '.join(sorted(published))}")
    chosen = [[f.path for f in published[n].files] if n in published else [n] for n in names]
    return [path for paths in chosen for path in paths] or sorted(clone.catalogue.files)


def _screened(clone: Clone, files: list[str], *, named: bool) -> Iterator[tuple[str, Screening]]:
    """Yield what each file would run; raise CheckpointError if none, or a named one, is here."""
    lists = screening.allowed(clone.root, files)
    missing = [file for file in files if not _place(clone, file).exists()]
    if missing and (named or len(missing) == len(files)):
        raise CheckpointError(
            f"{len(missing)} of {len(files)} files are not here",
            *(f"missing  {file}" for file in missing),
            "Next: bring them with `dvc pull` or `dvc repro`, then scan again.",
        )
    for file in files:
        if file not in missing:
            yield file, screening.screen(_place(clone, file), lists[file])
    if missing:
        note(f"{len(missing)} of {len(files)} files are not here and were not scanned")


def _place(clone: Clone, file: str) -> Path:
    """Return where the bytes of a file lie: in its place, or in the cache under its pin."""
    path, pin = clone.root / file, clone.pins.get(file)
    return clone.cache.object(str(pin.md5)) if pin and not path.exists() else path


def _show(found: dict[str, Screening]) -> None:
    for file, one in found.items():
        say(f"{file}  {one.verdict}: {one.kind}, {len(one.imports)} imports, "
            f"{_TAKES[one.weights_only]}")  # fmt: skip
        for name in one.beyond:
            say(f"  imports    {screening.shown(name)}")
        for fault in one.faults:
            say(f"  malformed  {screening.shown(fault)}")


def _row(file: str, one: Screening) -> dict[str, Any]:
    return {"path": file, "verdict": one.verdict, **asdict(one)}


if __name__ == "__main__":
    sys.exit(main())
