"""dvc.lock, models.dvc and models.json as the catalogue and the pins make them, in DVC's form."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

from scripts.catalogue import inventory, params, pins, stages
from scripts.catalogue.documents import dumped, editable, load_as_dvc
from scripts.catalogue.inventory import INVENTORY
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
Identity = dict[str, str | int]  # md5, and size and nfiles where they are known


def tree_md5(pinned: Mapping[str, Pin]) -> str:
    """Return DVC's hash of a folder that holds these files (paths below models/)."""
    rows = [
        {"md5": pin.md5, "relpath": path.removeprefix(f"{TREE}/")}
        for path, pin in sorted(pinned.items())
    ]
    listing = json.dumps(rows, sort_keys=True).encode()
    return f"{hashlib.md5(listing, usedforsecurity=False).hexdigest()}.dir"


def render(root: Path, pinned: Mapping[str, Pin] | None = None) -> dict[str, str]:
    """Return the right content of dvc.lock, models.dvc and models.json, by file name.

    The lock has an entry for every stage of dvc.yaml whose outs are pinned, and for no other, in
    the order of dvc.yaml: so that two branches with a new entry each make the same lock when they
    are merged. `pinned` takes the place of what the lock pins. Raises CatalogueError or DiskError.
    """
    listed, facts = _facts(root, pins.read(root / LOCK) if pinned is None else pinned)
    declared = stages.read(root / "dvc.yaml", load_as_dvc(root / "params.yaml"))
    lock, seal = editable(root / LOCK), editable(root / SEAL)
    known = lock["stages"]
    _refuse(LOCK, (fault for name, part in known.items() for fault in _faults(name, part)))
    _refuse(SEAL, _faults(SEAL, seal))
    sealed = [stage for stage in declared if facts.keys() >= set(stage.outs)]
    tracked = [row["path"] for row in _rows(seal)]
    for path in {*tracked}.union(*(stage.deps for stage in declared)) - facts.keys():
        if is_file(root / path):
            with disk_errors(root / path):
                digest = digests.of_file(root / path, sha256=False)
            facts[path] = _identity(digest.md5, digest.size)
    _refuse(SEAL, _lacking(tracked, facts))
    _refuse("dvc.yaml", (f"{s.name}: {f}" for s in declared for f in _lacking(s.deps, facts)))
    lock["stages"] = {s.name: _entry(s, _rows(known.get(s.name, {})), facts) for s in sealed}
    for row in _rows(seal):
        _record(row, facts[row["path"]], in_place=True)
    return {LOCK: dumped(lock), SEAL: dumped(seal), INVENTORY: listed}


def write(root: Path, pinned: Mapping[str, Pin] | None = None) -> list[str]:
    """Write what differs and return the names of those files; raise CatalogueError or DiskError."""
    changed = []
    for name, text in render(root, pinned).items():
        if not is_file(root / name) or (root / name).read_bytes() != text.encode():
            replace(root / name, text.encode())
            changed.append(name)
    return changed


def _facts(root: Path, pinned: Mapping[str, Pin]) -> tuple[str, dict[str, Identity]]:
    """Return the inventory, and what DVC records of each path that need not be read for it."""
    holds, listed = params.read(root / "params.yaml"), inventory.render(root, pinned)
    tree = {path: pin for path, pin in pinned.items() if path in holds.files}
    sizes = [pin.size for pin in tree.values() if pin.size is not None]
    whole = sum(sizes) if len(sizes) == len(tree) else None
    facts = {path: _identity(str(pin.md5), pin.size) for path, pin in pinned.items()}
    facts[TREE] = _identity(tree_md5(tree), whole) | {"nfiles": len(tree)}
    data = listed.encode()
    facts[INVENTORY] = _identity(hashlib.md5(data, usedforsecurity=False).hexdigest(), len(data))
    return listed, facts


def _identity(md5: str, size: int | None) -> Identity:
    return {"md5": md5} | ({} if size is None else {"size": size})


def _lacking(paths: Iterable[str], facts: Mapping[str, Identity]) -> Iterator[str]:
    for path in paths:
        if path not in facts:
            yield f"{path} {'has no pin' if path.startswith(f'{TREE}/') else 'is missing'}"


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
        maps = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        if not maps or not all(isinstance(row.get("path"), str) for row in rows):
            yield f"{name}: {kind} is not a list of maps with a path"


def _rows(part: Mapping[str, Any]) -> list[Any]:
    return [*part.get("deps", []), *part.get("outs", [])]


def _entry(stage: Stage, known: list[Any], facts: Mapping[str, Identity]) -> dict[str, Any]:
    """Return the lock's entry of a stage; `known` are its rows so far, kept where still right."""
    rows = {path: {"path": path, "hash": "md5"} for path in (*stage.deps, *stage.outs)}
    rows |= {row["path"]: row for row in known}
    for path in (*stage.deps, *stage.outs):
        _record(rows[path], facts[path], in_place=False)
    parts = {
        "cmd": stage.cmd,
        "deps": [rows[path] for path in stage.deps],
        "params": {"params.yaml": copy.deepcopy(stage.params)} if stage.params else {},
        "outs": [rows[path] for path in stage.outs],
    }
    return {kind: part for kind, part in parts.items() if part}


def _record(row: Any, identity: Identity, *, in_place: bool) -> None:  # noqa: ANN401
    # As DVC does: what has not changed is left alone, a row of the lock is written from scratch,
    # one of a .dvc file is changed where it stands.
    if row.get("md5") == identity["md5"]:
        return
    for key in ("md5", "size", "nfiles"):
        if key not in identity or not in_place:
            row.pop(key, None)
    row.update(identity)
