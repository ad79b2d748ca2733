"""The bill of materials of the tree: CycloneDX 1.6, one component for each file."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from scripts.catalogue import artifacts, history, licences, lock, params, sources, title
from scripts.catalogue.artifacts import Artifact
from scripts.catalogue.pins import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint, Published

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"  # an identifier: not opened


def render(root: Path, *, time: str | None = None) -> str:
    """Return the bill of the repository at `root` as JSON; raise CatalogueError.

    `time` is its timestamp, in UTC as of RFC 3339; with None it has none.
    """
    holds = params.read(root / "params.yaml")
    pinned = {p: pin for p, pin in history.pinned(root)[1].items() if p in holds.files}
    name = title.slug(root)
    described = {path: Artifact(path) for path in holds.files} | artifacts.read(root / "dvc.yaml")
    rows = [
        _component(file, described[file.path], pinned.get(file.path, Pin(None)))
        | {"externalReferences": list(_references(root, entry, file, described[file.path].source))}
        for entry in holds.published.values()
        for file in entry.files
    ]
    tree = {"type": "data", "bom-ref": name, "name": name, "version": lock.tree_md5(pinned)}
    metadata = ({} if time is None else {"timestamp": time}) | {"component": tree}
    content = {"metadata": metadata, "components": sorted(rows, key=lambda row: str(row["name"]))}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {"$schema": _SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6"}
    head |= {"serialNumber": serial.urn}
    return json.dumps({**head, "version": 1, **content}, indent=2) + "\n"


def _component(file: Checkpoint, described: Artifact, pin: Pin) -> dict[str, Any]:
    """Return one file: its version is its md5, its hashes are those it is checked against."""
    hashes = {"MD5": pin.md5, "SHA-256": file.sha256}
    about = {"family": described.family, "license_note": described.license_note, "size": pin.size}
    licence = None if described.license == "NOASSERTION" else described.license  # SPDX: unknown
    properties = {f"checkpoints:{key}": str(value) for key, value in about.items() if value}
    row = {
        "type": "machine-learning-model",
        "bom-ref": file.path,
        "name": file.path,
        "version": pin.md5,
        "description": described.desc,
        "hashes": [{"alg": alg, "content": text} for alg, text in hashes.items() if text],
        "licenses": [licences.as_cyclonedx(licence)] if licence else [],
        "properties": [{"name": key, "value": value} for key, value in properties.items()],
    }
    return {key: value for key, value in row.items() if value}


def _references(
    root: Path, entry: Published, file: Checkpoint, source: str | None
) -> Iterator[dict[str, Any]]:
    """Yield where a file is downloaded from, and where its code lives."""
    distribution: dict[str, Any] = {"type": "distribution"}
    distribution["url"] = sources.read(root / "sources", entry.name).url
    if entry.archive:
        distribution["comment"] = f"member {file.member} of this archive"
    if entry.sha256:
        distribution["hashes"] = [{"alg": "SHA-256", "content": entry.sha256}]
    yield distribution
    if source:
        yield {"type": "vcs", "url": source}
