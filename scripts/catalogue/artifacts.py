"""The description of each file: the artifacts of dvc.yaml, by path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.catalogue import licences
from scripts.catalogue.documents import load
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Artifact:
    """The description of one file: family (the first label), licence, source repository."""

    path: str
    desc: str = ""
    family: str = ""
    license: str | None = None
    license_note: str = ""
    source: str | None = None


def read(path: Path) -> dict[str, Artifact]:
    """Return path -> description from dvc.yaml; raise CatalogueError with every fault."""
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
    """Return the licence notices that users of these files must see, one for each family.

    There is none for a licence that lets everybody use a file, nor for a family of which a file
    is in place already: its notice was shown then. Raises CatalogueError.
    """
    known = read(root / "dvc.yaml")
    shown = {each.family for path, each in known.items() if os.path.exists(root / path)}  # noqa: PTH110 - never raises
    described = [known[path] for path in paths if path in known]
    restricted = [a for a in described if licences.is_restricted(a.license, a.license_note)]
    return list(dict.fromkeys(_notice(each) for each in restricted if each.family not in shown))


def _notice(artifact: Artifact) -> str:
    what = ", ".join(filter(None, (artifact.license, artifact.license_note)))
    where = f" ({artifact.source})" if artifact.source else ""
    return f"licence of {artifact.family or artifact.path}: {what}{where}"


def _artifact(entry: dict[str, Any]) -> Artifact:
    labels, meta = entry.get("labels"), entry["meta"]
    return Artifact(
        path=entry["path"],
        desc=str(entry.get("desc") or ""),
        family=str(labels[0]) if isinstance(labels, list) and labels else "",
        license=_text(meta.get("license")),
        license_note=str(meta.get("license_note") or ""),
        source=_text(meta.get("source")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
