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

from scripts import catalogue, digests, pins, tree
from scripts.catalogue import TREE
from scripts.command import command
from scripts.disk import refusals
from scripts.documents import load
from scripts.progress import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    lock, seal = (_yaml().load(root / name) for name in ("dvc.lock", SEAL))
    for stage in lock["stages"].values():
        for key in stage.get("params", {}).get("params.yaml", {}):
            stage["params"]["params.yaml"][key] = _value(params, key)
    for part in (seal, *lock["stages"].values()):
        for entry in [*part.get("deps", []), *part.get("outs", [])]:
            entry.update(_identity(root, entry["path"], pinned))
    return {"dvc.lock": _dump(lock), SEAL: _dump(seal)}


def write(root: Path) -> list[str]:
    """Write what differs and return the names of those files; raise CatalogueError or DiskError."""
    changed = []
    for name, text in render(root).items():
        if (root / name).read_text(encoding="utf-8") != text:
            with refusals(root / name):
                (root / name).write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


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
    digest = digests.of_file(root / path, sha256=False)
    return {"md5": digest.md5, "size": digest.size}


def _value(params: Any, key: str) -> Any:  # noqa: ANN401 - any value a yaml file can hold
    for name in key.split("."):
        params = params[name]
    return copy.deepcopy(params)  # one object dumped twice would become a yaml alias


def _yaml() -> YAML:
    # As DVC sets it up, so that what is written here is what DVC would write.
    yaml = YAML()
    yaml.default_flow_style = False
    return yaml


def _dump(document: Any) -> str:  # noqa: ANN401
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
