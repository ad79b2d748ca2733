"""Check that models/ holds exactly the catalogue's files, and make the inventory models.json."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from scripts.catalogue import artifacts, documents, params, pins
from scripts.catalogue.params import TREE, Catalogue
from scripts.catalogue.pins import Pin
from scripts.console.errors import CheckpointError
from scripts.files.disk import disk_errors, is_file, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

INVENTORY = "models.json"
# Neither `dvc checkout` nor `dvc pull` restores it.
RESTORE = f"`git checkout {INVENTORY}`; if you changed the catalogue, `./checkpoints seal`"


def names(root: Path) -> set[str]:
    """Return the path of every file and link under models/, as params.yaml writes paths.

    An empty folder counts, too, with a slash: loaders that list a folder stumble over it.
    """
    found: set[str] = set()
    for folder, folders, files in os.walk(root / TREE):
        above = Path(folder).relative_to(root)
        links = [name for name in folders if Path(folder, name).is_symlink()]
        found.update((above / name).as_posix() for name in [*links, *files])
        if not folders and not files:
            found.add(f"{above.as_posix()}/")
    return found


def strays(found: set[str], holds: Catalogue) -> list[str]:
    """Return which names, of those found under models/, no entry of the catalogue has."""
    folders = {f"{folder}/" for path in holds.files for folder in PurePosixPath(path).parents}
    return sorted(found - holds.files.keys() - folders - {f"{TREE}/"})


def check(root: Path, holds: Catalogue) -> None:
    """Raise CheckpointError unless models/ has exactly the catalogue's files; hash nothing."""
    found = names(root)
    others = strays(found, holds)
    missing = sorted(p for p in holds.files if p not in found or not is_file(root / p))
    if not others and not missing:
        return
    raise CheckpointError(
        f"{TREE}/ is not the catalogue's tree: {len(others)} stray, {len(missing)} missing",
        *(f"stray    {path}" for path in others),
        *(f"missing  {path}" for path in missing),
        "The lock and the seal are as they were.",
        "Next: move stray files out of models/ (some loaders take the highest step they find",
        "there); then `./checkpoints fetch complete`, or `./checkpoints dvc pull`.",
    )


def render(root: Path, pinned: Mapping[str, Pin] | None = None) -> str:
    """Return models.json: a function of catalogue, lock and artifacts alone, sorted by path.

    `pinned` takes the place of what the lock pins. Raises CatalogueError.
    """
    holds = params.read(root / "params.yaml")
    pinned = pins.read(root / "dvc.lock") if pinned is None else pinned
    described = artifacts.read(root / "dvc.yaml")
    rows = [
        {
            "path": path,
            "md5": pinned[path].md5 if path in pinned else None,
            "sha256": file.sha256,
            "license": described[path].license if path in described else None,
            "source": described[path].source if path in described else None,
        }
        for path, file in sorted(holds.files.items())
    ]
    return json.dumps({"files": rows}, indent=2) + "\n"


def parse(text: str) -> dict[str, Pin] | None:
    """Return path -> md5 and sha256 as a models.json lists them; None if it is damaged."""
    try:
        rows = json.loads(text)["files"]
        return {str(row["path"]): Pin(row["md5"], None, row["sha256"]) for row in rows}
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def listed(root: Path) -> dict[str, Pin] | None:
    """Return what models.json lists; None if it is missing or damaged: `tree` writes it again.

    Raises CatalogueError if a merge is not finished.
    """
    try:
        text = (root / INVENTORY).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    documents.refuse_conflict(text, INVENTORY)
    return parse(text)


def fault(root: Path) -> str | None:
    """Return the fault of models.json (missing, outdated, a link), or None.

    Raises CatalogueError or DiskError.
    """
    path, right = root / INVENTORY, render(root).encode()
    if not is_file(path):
        return "missing"
    if path.is_symlink():  # as DVC made it while models.json was in its cache
        return "a link"
    with disk_errors(path):
        return None if path.read_bytes() == right else "outdated"


def write(root: Path) -> str | None:
    """Write models.json if it has a fault, and return that; raise CatalogueError or DiskError."""
    found = fault(root)
    if found:
        replace(root / INVENTORY, render(root).encode())
    return found
