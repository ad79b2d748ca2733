"""Clones of this repository whose catalogue lists the benchmark's own files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from bench.command import FailedError, Place, empty
from bench.files import md5
from scripts.catalogue import inventory, params
from tests.world import clones
from tests.world.checkpoints import PAPER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


ENTRY = "sam_vit_b"


def catalogue() -> Path:
    """Return the folder of this repository's catalogue, or of the tests' own.

    It is the tests' own where this one has not the entry that the measured commands name.
    """
    own = params.read(clones.REPOSITORY / "params.yaml").published
    return clones.REPOSITORY if ENTRY in own else PAPER


@dataclass(frozen=True)
class Entry:
    """One file of the catalogue: its URL, size and md5; or the archive at the URL, and its name.

    With a sha256, both hashes are compared.
    """

    name: str
    url: str
    size: int
    md5: str
    archive: str = ""
    member: str = ""
    sha256: str = ""

    @property
    def path(self) -> str:
        """The path of the file, relative to the root of the clone."""
        return f"models/{self.name}/{self.name}.bin"


@dataclass(frozen=True)
class Clone:
    """A clone on disk, with its own catalogue."""

    root: Path
    entries: tuple[Entry, ...]
    place: Place

    def reset(self) -> None:
        """Remove models/, the cache and partial files."""
        empty(self.root / "models", self.root / ".dvc/cache", self.root / ".dvc/tmp/fetch")

    def verify(self) -> None:
        """Hash every file of the tree; raise FailedError if one is missing or wrong."""
        for entry in self.entries:
            path = self.root / entry.path
            if not path.is_file() or md5(path) != entry.md5:
                raise FailedError(f"{entry.path} is missing or wrong")

    def object(self, pinned: str) -> Path:
        """Return the path of an object in the cache."""
        return cached(self.root, pinned)


def cached(root: Path, pinned: str) -> Path:
    """Return the path of an object in the cache of the clone at `root`."""
    return root / ".dvc/cache/files/md5" / pinned[:2] / pinned[2:]


def make(root: Path, entries: Sequence[Entry], env: Mapping[str, str]) -> Clone:
    """Copy the repository with only these entries; fetch_minimal depends on the first two."""
    clones.copy(root, clones.REPOSITORY)
    _write_params(root, entries)
    _write_sources(root, entries)
    _write_stages(root, entries)
    (root / "models.dvc").unlink(missing_ok=True)
    inventory.write(root)
    clones.commit(root, env)
    place = Place(root, env)
    place.run(sys.executable, "-m", "compileall", "-q", "scripts")
    place.run("dvc", "stage", "list")  # the first DVC command creates DVC's folders
    return Clone(root, tuple(entries), place)


def _write_params(root: Path, entries: Sequence[Entry]) -> None:
    params = load(root / "params.yaml")
    params["checkpoints"] = {e.name: _listed(e) for e in entries if not e.archive}
    params["archives"] = {
        name: {"members": [{"member": e.member, "path": e.path} for e in held]}
        for name, held in _archives(entries).items()
    }
    params["sets"] = {"minimal": [entry.path for entry in entries[:2]]}
    params.pop("configurations", None)
    params["network"].pop("mirrors", None)
    dump(root / "params.yaml", params)


def _write_sources(root: Path, entries: Sequence[Entry]) -> None:
    for path in (root / "sources").glob("*.dvc"):
        if path.is_file():
            path.unlink()
    for name, url in {entry.archive or entry.name: entry.url for entry in entries}.items():
        dump(
            root / f"sources/{name}.dvc",
            {
                "frozen": True,
                "deps": [{"hash": "md5", "path": url}],
                "outs": [{"hash": "md5", "path": name}],
            },
        )


def _write_stages(root: Path, entries: Sequence[Entry]) -> None:
    """Keep the repository's fetch stage; let fetch_minimal depend on the first two entries.

    An archive needs no stage here: its pins are those of the lock.
    """
    document = load(root / "dvc.yaml")
    fetch, least = document["stages"]["fetch"], entries[:2]
    minimal = {
        "cmd": f"python -m scripts.fetch {' '.join(entry.name for entry in least)}",
        "deps": [entry.path for entry in least],
    }
    dump(root / "dvc.yaml", {"stages": {"fetch": fetch, "fetch_minimal": minimal}})
    command = str(fetch["do"]["cmd"])
    stages = {f"fetch@{e.name}": _locked(e, command) for e in entries if not e.archive}
    for name, held in _archives(entries).items():
        stages[f"unpack_{name}"] = {"cmd": "", "outs": [_recorded(entry) for entry in held]}
    deps = [_recorded(entry) for entry in least]
    stages["fetch_minimal"] = {"cmd": minimal["cmd"], "deps": deps}
    dump(root / "dvc.lock", {"schema": "2.0", "stages": stages})


def _archives(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return the members of each archive by its name."""
    names = dict.fromkeys(entry.archive for entry in entries if entry.archive)
    return {name: [e for e in entries if e.archive == name] for name in names}


def _locked(entry: Entry, command: str) -> dict[str, Any]:
    params = {f"checkpoints.{entry.name}": _listed(entry)}
    return {
        "cmd": command.replace("${key}", entry.name),
        "params": {"params.yaml": params},
        "outs": [_recorded(entry)],
    }


def _listed(entry: Entry) -> dict[str, str]:
    return {"path": entry.path, **({"sha256": entry.sha256} if entry.sha256 else {})}


def _recorded(entry: Entry) -> dict[str, Any]:
    return {"path": entry.path, "hash": "md5", "md5": entry.md5, "size": entry.size}


def load(path: Path) -> Any:  # noqa: ANN401 - a yaml document is any data
    """Return the document of a yaml file."""
    return YAML(typ="safe", pure=True).load(path)


def dump(path: Path, document: Any) -> None:  # noqa: ANN401 - as above
    """Write a yaml file, quoted as DVC quotes."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(document, path)
