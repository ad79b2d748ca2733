"""Bring lock and seal in line with catalogue, pins and code, where no checkpoint is at hand.

`dvc repro models.dvc` does the same with the whole tree present. This takes what DVC would have
found from the pins alone, so that a change of words or code needs no gigabyte.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from scripts import catalogue, digests, pins, tree
from scripts.catalogue import TREE
from scripts.command import command
from scripts.disk import refusals, replace
from scripts.documents import load
from scripts.errors import CatalogueError
from scripts.progress import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.pins import Pin

SEAL = "models.dvc"


def tree_md5(pinned: Mapping[str, Pin]) -> str:
    """Return DVC's hash of a folder that holds these files (paths below models/)."""
    rows = [
        {"md5": pin.md5, "relpath": path.removeprefix(f"{TREE}/")}
        for path, pin in sorted(pinned.items())
    ]
    listing = json.dumps(rows, sort_keys=True).encode()
    return f"{hashlib.md5(listing, usedforsecurity=False).hexdigest()}.dir"


def render(root: Path) -> dict[str, str]:
    """Return what dvc.lock and models.dvc should say, by file name; raise CatalogueError."""
    holds = catalogue.read(root / "params.yaml")
    pinned = {p: pin for p, pin in pins.read(root / "dvc.lock").items() if p in holds.files}
    params = load(root / "params.yaml")
    lock, seal = (editable(root / name) for name in ("dvc.lock", SEAL))
    parts = {SEAL: seal, **lock["stages"]}
    if faults := [fault for name, part in parts.items() for fault in _faults(name, part, params)]:
        raise CatalogueError(f"dvc.lock and {SEAL}", faults)
    for part in parts.values():
        recorded = part.get("params", {}).get("params.yaml", {})
        recorded.update({key: _value(params, key) for key in recorded})
        for entry in [*part.get("deps", []), *part.get("outs", [])]:
            _record(entry, _identity(root, entry["path"], pinned), in_place=part is seal)
    return {"dvc.lock": dumped(lock), SEAL: dumped(seal)}


def write(root: Path) -> list[str]:
    """Write what differs and return the names of those files; raise CatalogueError or DiskError."""
    changed = []
    for name, text in render(root).items():
        if (root / name).read_text(encoding="utf-8") != text:
            replace(root / name, text.encode())
            changed.append(name)
    return changed


def editable(path: Path) -> Any:  # noqa: ANN401 - a document in ruamel's types, which keep its form
    """Return a document of DVC's to be changed and dumped again; raise CatalogueError."""
    load(path)  # most faults are told as everywhere; ruamel reads yaml 1.2, and has some more
    try:
        return _yaml().load(path)
    except YAMLError as error:
        raise CatalogueError(path.name, [" ".join(str(error).split())]) from error


def _faults(name: str, part: Any, params: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield what is wrong with a stage of the lock, or with the seal, as far as it is used here."""
    if not isinstance(part, dict):
        yield f"{name}: not a map"
        return
    for kind in ("deps", "outs"):
        rows = part.get(kind, [])
        if not isinstance(rows, list) or not all(_has_path(row) for row in rows):
            yield f"{name}: {kind} is not a list of maps with a path"
    files = part.get("params", {})
    recorded = files.get("params.yaml", {}) if isinstance(files, dict) else None
    if not isinstance(recorded, dict):
        yield f"{name}: params is not a map of maps"
        return
    for key in recorded:
        if not _holds(params, str(key)):
            yield f"{name}: params.yaml has no {key}"


def _has_path(row: Any) -> bool:  # noqa: ANN401
    return isinstance(row, dict) and isinstance(row.get("path"), str)


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
    if path == tree.INVENTORY:
        text = tree.render(root).encode()
        return {"md5": hashlib.md5(text, usedforsecurity=False).hexdigest(), "size": len(text)}
    with refusals(root / path):
        digest = digests.of_file(root / path, sha256=False)
    return {"md5": digest.md5, "size": digest.size}


def _value(params: Any, key: str) -> Any:  # noqa: ANN401 - any value a yaml file can hold
    for name in key.split("."):
        params = params[name]
    return copy.deepcopy(params)  # one object dumped twice would become a yaml alias


def _holds(params: Any, key: str) -> bool:  # noqa: ANN401
    for name in key.split("."):
        if not isinstance(params, dict) or name not in params:
            return False
        params = params[name]
    return True


def _yaml() -> YAML:
    # As DVC sets it up, so that what is written here is what DVC would write.
    yaml = YAML()
    yaml.default_flow_style = False
    return yaml


def dumped(document: Any) -> str:  # noqa: ANN401
    """Return the document as DVC itself would write it."""
    stream = io.StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()


@command
def main(argv: Sequence[str] | None) -> None:
    """Rewrite lock and seal of the current folder and name what changed."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.seal",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(argv)
    changed = write(Path.cwd())
    say(f"wrote {', '.join(changed)}" if changed else "lock and seal are in line")


if __name__ == "__main__":
    sys.exit(main())
