"""Check that models/ holds exactly the catalogue's files, and write the inventory models.json."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from scripts.catalogue import artifacts, params, pins
from scripts.catalogue.params import TREE, Catalogue
from scripts.console.errors import CheckpointError

if TYPE_CHECKING:
    from scripts.catalogue.artifacts import Artifact
    from scripts.catalogue.pins import Pin

INVENTORY = "models.json"


def names(root: Path) -> set[str]:
    """Return the path of every file and link under models/, as params.yaml writes paths.

    A folder that holds nothing is one, too, with a slash: loaders that list a folder trip over it.
    """
    found: set[str] = set()
    for folder, folders, files in os.walk(root / TREE):
        above = Path(folder).relative_to(root)
        links = [name for name in folders if Path(folder, name).is_symlink()]
        found.update((above / name).as_posix() for name in [*links, *files])
        if not folders and not files:
            found.add(f"{above.as_posix()}/")
    return found


def check(root: Path, holds: Catalogue) -> None:
    """Raise CheckpointError unless models/ has exactly the catalogue's files; hashes nothing."""
    found = names(root)
    folders = {f"{folder}/" for path in holds.files for folder in PurePosixPath(path).parents}
    stray = sorted(found - holds.files.keys() - folders)
    missing = sorted(
        path for path in holds.files if path not in found or not (root / path).exists()
    )
    if not stray and not missing:
        return
    raise CheckpointError(
        f"{TREE}/ is not the catalogue's tree: {len(stray)} stray, {len(missing)} missing",
        *(f"stray    {path}" for path in stray),
        *(f"missing  {path}" for path in missing),
        "The lock and the seal are as they were.",
        "Next: move stray files out of models/ (some loaders take the highest step they find",
        "there); bring missing ones with `dvc repro models.dvc` or `dvc pull`.",
    )


def inventory(holds: Catalogue, pinned: dict[str, Pin], words: dict[str, Artifact]) -> str:
    """Return models.json: a function of catalogue, lock and artifacts alone, sorted by path."""
    rows = [
        {
            "path": path,
            "md5": pinned[path].md5 if path in pinned else None,
            "sha256": file.sha256,
            "license": words[path].license if path in words else None,
            "source": words[path].source if path in words else None,
        }
        for path, file in sorted(holds.files.items())
    ]
    return json.dumps({"files": rows}, indent=2) + "\n"


def render(root: Path) -> str:
    """Return the inventory of the clone at `root`; raise CatalogueError."""
    holds = params.read(root / "params.yaml")
    return inventory(holds, pins.read(root / "dvc.lock"), artifacts.read(root / "dvc.yaml"))
