"""Clones of this repository whose catalogue points at the benchmark's own files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from bench.command import FailedError, Place, empty
from bench.files import md5
from tests.world import clones

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One name of a catalogue: its address, and what the file there must be."""

    name: str
    url: str
    size: int
    md5: str

    @property
    def path(self) -> str:
        """Where the file belongs, from the root of the clone."""
        return f"models/{self.name}/{self.name}.bin"


@dataclass(frozen=True)
class Clone:
    """A clone on disk with a catalogue of its own."""

    root: Path
    entries: tuple[Entry, ...]
    place: Place

    def reset(self) -> None:
        """Forget every byte that was fetched: models/, the cache, what was begun."""
        empty(self.root / "models", self.root / ".dvc/cache", self.root / ".dvc/tmp/fetch")

    def verify(self) -> None:
        """Read every file of the tree; raise FailedError unless all are what they must be."""
        for entry in self.entries:
            path = self.root / entry.path
            if not path.is_file() or md5(path) != entry.md5:
                raise FailedError(f"{entry.path} is not what it must be")

    def object(self, pinned: str) -> Path:
        """Return where the cache holds an object."""
        return cached(self.root, pinned)


def cached(root: Path, pinned: str) -> Path:
    """Return where the cache of the clone at `root` holds an object."""
    return root / ".dvc/cache/files/md5" / pinned[:2] / pinned[2:]


def make(root: Path, entries: Sequence[Entry], env: Mapping[str, str]) -> Clone:
    """Copy the repository, with these entries alone; fetch_minimal wants the first two."""
    clones.copy(root, clones.REPOSITORY)
    _write_params(root, entries)
    _write_sources(root, entries)
    _write_stages(root, entries)
    (root / "models.dvc").unlink(missing_ok=True)
    clones.commit(root, env)
    place = Place(root, env)
    place.run(sys.executable, "-m", "compileall", "-q", "scripts")
    place.run("dvc", "stage", "list")  # DVC makes its own folders with the first command
    return Clone(root, tuple(entries), place)


def _write_params(root: Path, entries: Sequence[Entry]) -> None:
    params = load(root / "params.yaml")
    params["checkpoints"] = {entry.name: {"path": entry.path} for entry in entries}
    params.pop("archives", None)
    params["network"].pop("mirrors", None)
    dump(root / "params.yaml", params)


def _write_sources(root: Path, entries: Sequence[Entry]) -> None:
    for path in (root / "sources").glob("*.dvc"):
        if path.is_file():
            path.unlink()
    for entry in entries:
        dump(
            root / f"sources/{entry.name}.dvc",
            {
                "frozen": True,
                "deps": [{"hash": "md5", "path": entry.url}],
                "outs": [{"hash": "md5", "path": entry.name}],
            },
        )


def _write_stages(root: Path, entries: Sequence[Entry]) -> None:
    """Keep the repository's own fetch stage as it is; fetch_minimal asks for the first two."""
    document = load(root / "dvc.yaml")
    fetch, least = document["stages"]["fetch"], entries[:2]
    minimal = {
        "cmd": f"python -m scripts.fetch {' '.join(entry.name for entry in least)}",
        "deps": [entry.path for entry in least],
    }
    dump(root / "dvc.yaml", {"stages": {"fetch": fetch, "fetch_minimal": minimal}})
    command = str(fetch["do"]["cmd"])
    stages = {f"fetch@{entry.name}": _locked(entry, command) for entry in entries}
    deps = [_recorded(entry) for entry in least]
    stages["fetch_minimal"] = {"cmd": minimal["cmd"], "deps": deps}
    dump(root / "dvc.lock", {"schema": "2.0", "stages": stages})


def _locked(entry: Entry, command: str) -> dict[str, Any]:
    params = {f"checkpoints.{entry.name}": {"path": entry.path}}
    return {
        "cmd": command.replace("${key}", entry.name),
        "params": {"params.yaml": params},
        "outs": [_recorded(entry)],
    }


def _recorded(entry: Entry) -> dict[str, Any]:
    return {"path": entry.path, "hash": "md5", "md5": entry.md5, "size": entry.size}


def load(path: Path) -> Any:  # noqa: ANN401 - a yaml document is any data
    """Return what a yaml file holds."""
    return YAML(typ="safe", pure=True).load(path)


def dump(path: Path, document: Any) -> None:  # noqa: ANN401 - as above
    """Write a yaml file, quoting what DVC would quote."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(document, path)
