"""One catalogue of tiny checkpoints in several layouts, as if all had been fetched."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from scripts.catalogue import lock
from scripts.catalogue.pins import Pin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

FAMILY = 25  # entries; the number in this repository
_SHA256 = "a" * 64  # every entry has one here; in params.yaml most have one


@dataclass(frozen=True)
class Entry:
    """One checkpoint: its name in the catalogue, its path, its content."""

    name: str
    path: str
    data: bytes


def entries(number: int) -> list[Entry]:
    """Return `number` different checkpoints, 25 to a folder."""
    return [
        Entry(f"entry_{i}", f"models/family_{i // FAMILY}/{i}.pth", f"{i}\n".encode())
        for i in range(number)
    ]


def one_yaml(root: Path, made: Sequence[Entry]) -> None:
    """Write the layout of this repository: one params.yaml, one dvc.yaml, a stage per entry."""
    _pipeline(root, made, "params.yaml")


def one_json(root: Path, made: Sequence[Entry]) -> None:
    """Write the same, with the catalogue in a json file."""
    _pipeline(root, made, "catalogue.json")


def families(root: Path, made: Sequence[Entry]) -> None:
    """Write a folder for each family, with its own dvc.yaml and params.yaml."""
    for name, family in _families(made):
        _pipeline(root / "families" / name, family, "params.yaml", up="../../")


def folders(root: Path, made: Sequence[Entry]) -> None:
    """Write a stage for each family, whose out is the folder, with one hash in the lock."""
    stages = {}
    named: dict[str, Mapping[str, object]] = {}
    for name, family in _families(made):
        path, files = f"models/{name}", {entry.name: entry.path for entry in family}
        rows = [{"md5": _md5(e.data), "relpath": e.path.rpartition("/")[2]} for e in family]
        rows.sort(key=lambda row: row["relpath"])
        listing = json.dumps(rows, sort_keys=True).encode()
        md5 = lock.tree_md5({f"models/{row['relpath']}": Pin(row["md5"]) for row in rows})
        _cache(root, listing, md5)
        out = {"path": path, "hash": "md5", "md5": md5, "nfiles": len(family)}
        named[name] = {"path": path, "files": files}
        stages[name] = (named[name], out | {"size": sum(len(e.data) for e in family)})
        for entry in family:
            _cache(root, entry.data)
    _write(root, named, stages, "params.yaml")


LAYOUTS: dict[str, Callable[[Path, Sequence[Entry]], None]] = {
    "one params.yaml": one_yaml,
    "one catalogue.json": one_json,
    "a pipeline per family": families,
    "a folder per family": folders,
}


def _families(made: Sequence[Entry]) -> Iterator[tuple[str, Sequence[Entry]]]:
    for number in range(0, len(made), FAMILY):
        yield f"family_{number // FAMILY}", made[number : number + FAMILY]


def _pipeline(root: Path, made: Sequence[Entry], catalogue: str, *, up: str = "") -> None:
    named = {entry.name: {"path": up + entry.path, "sha256": _SHA256} for entry in made}
    cache = root / up if up else root
    stages = {}
    for entry in made:
        _cache(cache, entry.data)
        out = {"path": up + entry.path, "hash": "md5", "md5": _md5(entry.data)}
        stages[entry.name] = (named[entry.name], out | {"size": len(entry.data)})
    _write(root, named, stages, catalogue)


def _write(
    root: Path,
    named: Mapping[str, object],
    stages: Mapping[str, tuple[object, Mapping[str, object]]],
    catalogue: str,
) -> None:
    """Write catalogue, dvc.yaml and dvc.lock as if every stage had run."""
    root.mkdir(parents=True, exist_ok=True)
    _dump(root / catalogue, {"checkpoints": named})
    stage = {
        "cmd": "python -m scripts.fetch ${key}",
        "params": [{catalogue: ["checkpoints.${key}"]}],
        "outs": [{"${item.path}": {"persist": True}}],
    }
    _dump(
        root / "dvc.yaml",
        {
            "vars": [catalogue] if catalogue != "params.yaml" else [],
            "stages": {"fetch": {"foreach": "${checkpoints}", "do": stage}},
        },
    )
    locked = {
        f"fetch@{name}": {
            "cmd": f"python -m scripts.fetch {name}",
            "params": {catalogue: {f"checkpoints.{name}": params}},
            "outs": [out],
        }
        for name, (params, out) in stages.items()
    }
    _dump(root / "dvc.lock", {"schema": "2.0", "stages": locked})


def _dump(path: Path, document: object) -> None:
    dump = json.dumps if path.suffix == ".json" else _yaml
    path.write_text(dump(document), encoding="utf-8")


def _yaml(document: object) -> str:
    return str(yaml.dump(document, Dumper=yaml.SafeDumper, sort_keys=False))


def _cache(root: Path, data: bytes, name: str = "") -> None:
    name = name or _md5(data)
    path = root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o444)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
