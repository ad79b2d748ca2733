"""dvc.lock, models.dvc and models.json as the catalogue and the pins make them, in DVC's form."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

from scripts.catalogue import inventory, params, pins, stages
from scripts.catalogue.documents import dumped, editable, load
from scripts.catalogue.params import TREE
from scripts.console.errors import CatalogueError
from scripts.files import digests
from scripts.files.disk import disk_errors, is_file, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scripts.catalogue.pins import Pin
    from scripts.catalogue.stages import Stage

LOCK, SEAL = "dvc.lock", "models.dvc"


def tree_md5(pinned: Mapping[str, Pin]) -> str:
    """Return DVC's hash of a folder that holds these files (paths below models/)."""
    rows = [
        {"md5": pin.md5, "relpath": path.removeprefix(f"{TREE}/")}
        for path, pin in sorted(pinned.items())
    ]
    listing = json.dumps(rows, sort_keys=True).encode()
    return f"{hashlib.md5(listing, usedforsecurity=False).hexdigest()}.dir"


def render(root: Path) -> dict[str, str]:
    """Return what dvc.lock, models.dvc and models.json should say, by file name.

    Every stage of dvc.yaml whose files are pinned has its entry in the lock, in dvc.yaml's order,
    and no other. Raises CatalogueError or DiskError.
    """
    holds = params.read(root / "params.yaml")
    pinned = {p: pin for p, pin in pins.read(root / LOCK).items() if p in holds.files}
    values = load(root / "params.yaml")
    declared = stages.read(root / "dvc.yaml", values)
    lock, seal = editable(root / LOCK), editable(root / SEAL)
    known = lock["stages"]
    if faults := [fault for name, part in known.items() for fault in _faults(name, part)]:
        raise CatalogueError(LOCK, faults)
    if faults := list(_faults(SEAL, seal)):
        raise CatalogueError(SEAL, faults)
    if faults := [fault for stage in declared for fault in _missing(root, stage, pinned, values)]:
        raise CatalogueError("dvc.yaml", faults)
    lock["stages"] = {
        stage.name: _entry(root, stage, known.get(stage.name, {}), pinned, values)
        for stage in declared
        if all(path in pinned or path == inventory.INVENTORY for path in stage.outs)
    }
    for row in [*seal.get("deps", []), *seal.get("outs", [])]:
        _record(row, _identity(root, row["path"], pinned), in_place=True)
    texts = {LOCK: dumped(lock), SEAL: dumped(seal)}
    return texts | {inventory.INVENTORY: inventory.render(root)}


def write(root: Path) -> list[str]:
    """Write what differs and return the names of those files; raise CatalogueError or DiskError."""
    changed = []
    for name, text in render(root).items():
        if not is_file(root / name) or (root / name).read_bytes() != text.encode():
            replace(root / name, text.encode())
            changed.append(name)
    return changed


def _faults(name: str, part: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield what is wrong with a stage of the lock, or with the seal, as far as it is used here."""
    if not isinstance(part, dict):
        yield f"{name}: not a map"
        return
    for kind in ("deps", "outs"):
        rows = part.get(kind, [])
        if not isinstance(rows, list) or not all(_has_path(row) for row in rows):
            yield f"{name}: {kind} is not a list of maps with a path"


def _has_path(row: Any) -> bool:  # noqa: ANN401
    return isinstance(row, dict) and isinstance(row.get("path"), str)


def _missing(
    root: Path,
    stage: Stage,
    pinned: Mapping[str, Pin],
    values: Any,  # noqa: ANN401
) -> Iterator[str]:
    """Yield what a stage names and nobody has: a key of params.yaml, a pin, a file of code."""
    for key in stage.params:
        if not _holds(values, key):
            yield f"{stage.name}: params.yaml has no {key}"
    for path in stage.deps:
        if path in pinned or path in (TREE, inventory.INVENTORY) or is_file(root / path):
            continue
        what = "is not pinned" if path.startswith(f"{TREE}/") else "is missing"
        yield f"{stage.name}: {path} {what}"


def _entry(
    root: Path,
    stage: Stage,
    known: Any,
    pinned: Mapping[str, Pin],
    values: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Return the lock's entry of a stage: what DVC recorded, as far as it is still true."""
    entry: dict[str, Any] = {"cmd": stage.cmd}
    if stage.deps:
        entry["deps"] = _rows(root, stage.deps, known.get("deps", []), pinned)
    if stage.params:
        entry["params"] = {"params.yaml": {key: _value(values, key) for key in stage.params}}
    if stage.outs:
        entry["outs"] = _rows(root, stage.outs, known.get("outs", []), pinned)
    return entry


def _rows(
    root: Path, paths: tuple[str, ...], known: list[Any], pinned: Mapping[str, Pin]
) -> list[Any]:
    by_path = {row["path"]: row for row in known}
    rows = [by_path.get(path, {"path": path, "hash": "md5"}) for path in paths]
    for row in rows:
        _record(row, _identity(root, row["path"], pinned), in_place=False)
    return rows


def _record(entry: Any, identity: Mapping[str, str | int], *, in_place: bool) -> None:  # noqa: ANN401
    # As DVC does it: what has not changed is left alone, an entry of the lock is written anew,
    # one of a .dvc file is changed where it stands.
    if entry.get("md5") == identity["md5"]:
        return
    for key in ("md5", "size", "nfiles"):
        if key not in identity or not in_place:
            entry.pop(key, None)
    entry.update(identity)


def _identity(root: Path, path: str, pinned: Mapping[str, Pin]) -> dict[str, str | int]:
    """Return what DVC records of a path: md5, and size and nfiles where they are known."""
    if path in pinned:
        pin = pinned[path]
        return {"md5": str(pin.md5)} | ({"size": pin.size} if pin.size is not None else {})
    if path == TREE:
        sizes = [pin.size for pin in pinned.values() if pin.size is not None]
        whole = {"size": sum(sizes)} if len(sizes) == len(pinned) else {}
        return {"md5": tree_md5(pinned), **whole, "nfiles": len(pinned)}
    if path == inventory.INVENTORY:
        text = inventory.render(root).encode()
        return {"md5": hashlib.md5(text, usedforsecurity=False).hexdigest(), "size": len(text)}
    with disk_errors(root / path):
        digest = digests.of_file(root / path, sha256=False)
    return {"md5": digest.md5, "size": digest.size}


def _value(values: Any, key: str) -> Any:  # noqa: ANN401 - any value a yaml file can hold
    for name in key.split("."):
        values = values[name]
    return copy.deepcopy(values)  # one object dumped twice would become a yaml alias


def _holds(values: Any, key: str) -> bool:  # noqa: ANN401
    for name in key.split("."):
        if not isinstance(values, dict) or name not in values:
            return False
        values = values[name]
    return True
