"""The bill of materials of the tree: CycloneDX 1.6, one component for each file."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from scripts.catalogue import artifacts, licences, lock, params, pins, sources
from scripts.catalogue.artifacts import Artifact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.catalogue.pins import Pin

NAME = "sam-pt-checkpoints"
_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"  # an identifier: not opened


def render(root: Path, *, epoch: int | None = None) -> str:
    """Return the bill of the repository at `root` as JSON; raise CatalogueError.

    `epoch` is its time in seconds since 1970; with None it has none.
    """
    holds = params.read(root / "params.yaml")
    pinned = {p: pin for p, pin in pins.read(root / "dvc.lock").items() if p in holds.files}
    described = artifacts.read(root / "dvc.yaml")
    rows = [
        _component(file, described.get(file.path, Artifact(file.path)), pinned.get(file.path))
        | {"externalReferences": list(_references(root, entry, file, described))}
        for entry in holds.published.values()
        for file in entry.files
    ]
    tree = {"type": "data", "bom-ref": NAME, "name": NAME, "version": lock.tree_md5(pinned)}
    metadata = ({} if epoch is None else {"timestamp": time(epoch)}) | {"component": tree}
    content = {"metadata": metadata, "components": sorted(rows, key=lambda row: str(row["name"]))}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {"$schema": _SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6"}
    head |= {"serialNumber": serial.urn}
    return json.dumps({**head, "version": 1, **content}, indent=2) + "\n"


def _component(file: Checkpoint, described: Artifact, pin: Pin | None) -> dict[str, Any]:
    """Return one file: its version is its md5, its hashes are those it is checked against."""
    row: dict[str, Any] = {"type": "machine-learning-model", "bom-ref": file.path}
    row["name"] = file.path
    hashes = {"MD5": pin.md5 if pin else None, "SHA-256": file.sha256}
    if pin:
        row["version"] = pin.md5
    if described.desc:
        row["description"] = described.desc
    if any(hashes.values()):
        row["hashes"] = [{"alg": alg, "content": text} for alg, text in hashes.items() if text]
    if described.license and described.license != "NOASSERTION":  # SPDX's word for an unknown one
        row["licenses"] = [licences.as_cyclonedx(described.license)]
    size = pin.size if pin else None
    about = {"family": described.family, "license_note": described.license_note, "size": size}
    found = [{"name": f"{NAME}:{key}", "value": str(v)} for key, v in about.items() if v]
    return row | ({"properties": found} if found else {})


def _references(
    root: Path, entry: Published, file: Checkpoint, described: dict[str, Artifact]
) -> Iterator[dict[str, Any]]:
    """Yield where a file is downloaded from, and where its code lives."""
    distribution: dict[str, Any] = {"type": "distribution"}
    distribution["url"] = sources.read(root / "sources", entry.name).url
    if entry.archive:
        distribution["comment"] = f"member {file.member} of this archive"
    if entry.sha256:
        distribution["hashes"] = [{"alg": "SHA-256", "content": entry.sha256}]
    yield distribution
    if file.path in described and (source := described[file.path].source):
        yield {"type": "vcs", "url": source}


def time(epoch: int) -> str:
    """Return a time in seconds since 1970 as CycloneDX writes it; raise ValueError and the like."""
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
