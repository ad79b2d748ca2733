"""What each file is, in words: the artifacts of dvc.yaml, by the path they describe."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.catalogue.documents import load
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_RESTRICTED = "non-commercial"  # how a licence_note says that not everybody may use a file


@dataclass(frozen=True)
class Artifact:
    """One file in words: its family (the first label), licence and source repository."""

    path: str
    desc: str = ""
    family: str = ""
    license: str | None = None
    license_note: str = ""
    source: str | None = None


def read(path: Path) -> dict[str, Artifact]:
    """Return what dvc.yaml says of each file; raise CatalogueError with every fault."""
    document = load(path)
    entries = document.get("artifacts", {}) if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise CatalogueError(path.name, ["no map of artifacts"])
    faults = [
        f"artifacts.{name}: not a map with a path and a map named meta"
        for name, entry in entries.items()
        if not isinstance(entry, dict)
        or not isinstance(entry.get("path"), str)
        or not isinstance(entry.get("meta"), dict)
    ]
    if faults:
        raise CatalogueError(path.name, faults)
    return {entry["path"]: _artifact(entry) for entry in entries.values()}


def notices(root: Path, paths: Iterable[str]) -> list[str]:
    """Return what users of these files have to know of their licences, once for each family.

    Nothing for a licence that lets everybody use a file, nor for a family of which a file is in
    place already: that was told. Raises CatalogueError.
    """
    known = read(root / "dvc.yaml")
    there = {words.family for path, words in known.items() if os.path.exists(root / path)}  # noqa: PTH110 - never raises
    restricted = [known[p] for p in paths if p in known and _RESTRICTED in known[p].license_note]
    return list(dict.fromkeys(_notice(words) for words in restricted if words.family not in there))


def _notice(artifact: Artifact) -> str:
    where = f" ({artifact.source})" if artifact.source else ""
    whose = artifact.family or artifact.path
    return f"licence of {whose}: {artifact.license}, {artifact.license_note}{where}"


def _artifact(entry: dict[str, object]) -> Artifact:
    meta, labels = entry["meta"], entry.get("labels")
    words = meta if isinstance(meta, dict) else {}
    first = labels[0] if isinstance(labels, list) and labels else ""
    return Artifact(
        path=str(entry["path"]),
        desc=str(entry.get("desc") or ""),
        family=str(first),
        license=_text(words.get("license")),
        license_note=str(words.get("license_note") or ""),
        source=_text(words.get("source")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
