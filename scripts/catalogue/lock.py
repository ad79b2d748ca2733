"""dvc.lock, models.dvc and models.json as the catalogue and the pins make them, in DVC's form."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.catalogue import artifacts, inventory, params, pins, stages
from scripts.catalogue.documents import dumped, editable, load_as_dvc
from scripts.catalogue.params import TREE
from scripts.console.errors import CatalogueError
from scripts.files import digests
from scripts.files.disk import disk_errors, is_file, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
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
    """Return the right content of dvc.lock, models.dvc and models.json, by file name.

    The lock has an entry for every stage of dvc.yaml whose outs are pinned, and for no other:
    known ones in their order, new ones behind them, as DVC does. Raises CatalogueError or
    DiskError.
    """
    holds, values = params.read(root / "params.yaml"), load_as_dvc(root / "params.yaml")
    pinned, described = pins.read(root / LOCK), artifacts.read(root / "dvc.yaml")
    declared = stages.read(root / "dvc.yaml", values)
    listed = inventory.inventory(holds, pinned, described)
    tree = {path: pin for path, pin in pinned.items() if path in holds.files}
    facts = _Facts(root, values, pinned, tree, listed.encode())
    lock, seal = editable(root / LOCK), editable(root / SEAL)
    known = lock["stages"]
    _refuse(LOCK, (fault for name, part in known.items() for fault in _faults(name, part)))
    _refuse(SEAL, _faults(SEAL, seal))
    _refuse(SEAL, (fault for row in _rows(seal) for fault in facts.missing(row["path"])))
    _refuse("dvc.yaml", (fault for stage in declared for fault in facts.faults(stage)))
    entries = {
        stage.name: _entry(stage, _rows(known.get(stage.name, {})), facts)
        for stage in declared
        if all(facts.knows(path) for path in stage.outs)
    }
    kept = [name for name in known if name in entries]
    lock["stages"] = {name: entries[name] for name in dict.fromkeys([*kept, *entries])}
    for row in _rows(seal):
        _record(row, facts.identity(row["path"]), in_place=True)
    return {LOCK: dumped(lock), SEAL: dumped(seal), inventory.INVENTORY: listed}


def write(root: Path) -> list[str]:
    """Write what differs and return the names of those files; raise CatalogueError or DiskError."""
    changed = []
    for name, text in render(root).items():
        if not is_file(root / name) or (root / name).read_bytes() != text.encode():
            replace(root / name, text.encode())
            changed.append(name)
    return changed


@dataclass(frozen=True)
class _Facts:
    """What the rows of lock and seal are made of."""

    root: Path
    values: Any  # of params.yaml
    pinned: Mapping[str, Pin]
    tree: Mapping[str, Pin]  # those of the catalogue's files
    inventory: bytes

    def knows(self, path: str) -> bool:
        """Tell whether a path's hash is known without reading a file."""
        return path in self.pinned or path in (TREE, inventory.INVENTORY)

    def missing(self, path: str) -> Iterator[str]:
        """Yield a fault if nothing is known of a path."""
        if not self.knows(path) and not is_file(self.root / path):
            yield f"{path} {'has no pin' if path.startswith(f'{TREE}/') else 'is missing'}"

    def faults(self, stage: Stage) -> Iterator[str]:
        """Yield each key of params.yaml and each dependency that a stage names in vain."""
        for key in stage.params:
            if not _has(self.values, key):
                yield f"{stage.name}: params.yaml has no {key}"
        for path in stage.deps:
            yield from (f"{stage.name}: {fault}" for fault in self.missing(path))

    def identity(self, path: str) -> dict[str, str | int]:
        """Return what DVC records of a path: md5, and size and nfiles where they are known."""
        if path == TREE:
            sizes = [pin.size for pin in self.tree.values() if pin.size is not None]
            whole = {"size": sum(sizes)} if len(sizes) == len(self.tree) else {}
            return {"md5": tree_md5(self.tree), **whole, "nfiles": len(self.tree)}
        if path == inventory.INVENTORY:
            md5 = hashlib.md5(self.inventory, usedforsecurity=False).hexdigest()
            return {"md5": md5, "size": len(self.inventory)}
        if pin := self.pinned.get(path):
            return {"md5": str(pin.md5)} | ({"size": pin.size} if pin.size is not None else {})
        with disk_errors(self.root / path):
            digest = digests.of_file(self.root / path, sha256=False)
        return {"md5": digest.md5, "size": digest.size}


def _refuse(where: str, faults: Iterable[str]) -> None:
    if found := list(faults):
        raise CatalogueError(where, found)


def _faults(name: str, part: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield the faults of a stage of the lock, or of the seal, as far as it is used here."""
    if not isinstance(part, dict):
        yield f"{name}: not a map"
        return
    for kind in ("deps", "outs"):
        rows = part.get(kind, [])
        if not isinstance(rows, list) or not all(_has_path(row) for row in rows):
            yield f"{name}: {kind} is not a list of maps with a path"


def _has_path(row: Any) -> bool:  # noqa: ANN401
    return isinstance(row, dict) and isinstance(row.get("path"), str)


def _rows(part: Mapping[str, Any]) -> list[Any]:
    return [*part.get("deps", []), *part.get("outs", [])]


def _entry(stage: Stage, known: list[Any], facts: _Facts) -> dict[str, Any]:
    """Return the lock's entry of a stage; `known` are its rows so far, kept where still right."""
    rows = {path: {"path": path, "hash": "md5"} for path in (*stage.deps, *stage.outs)}
    rows |= {row["path"]: row for row in known}
    for path in (*stage.deps, *stage.outs):
        _record(rows[path], facts.identity(path), in_place=False)
    values = {key: copy.deepcopy(_get(facts.values, key)) for key in stage.params}
    parts = {
        "cmd": stage.cmd,
        "deps": [rows[path] for path in stage.deps],
        "params": {"params.yaml": values} if values else {},
        "outs": [rows[path] for path in stage.outs],
    }
    return {kind: part for kind, part in parts.items() if part}


def _record(row: Any, identity: Mapping[str, str | int], *, in_place: bool) -> None:  # noqa: ANN401
    # As DVC does: what has not changed is left alone, a row of the lock is written from scratch,
    # one of a .dvc file is changed where it stands.
    if row.get("md5") == identity["md5"]:
        return
    for key in ("md5", "size", "nfiles"):
        if key not in identity or not in_place:
            row.pop(key, None)
    row.update(identity)


def _get(values: Any, key: str) -> Any:  # noqa: ANN401 - any value a yaml file can hold
    for name in key.split("."):
        values = values[name]
    return values


def _has(values: Any, key: str) -> bool:  # noqa: ANN401
    for name in key.split("."):
        if not isinstance(values, dict) or name not in values:
            return False
        values = values[name]
    return True
