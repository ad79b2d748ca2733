"""What a new checkpoint adds to each file of the catalogue, in the form these files have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from scripts.catalogue import documents
from scripts.curation import changes, yaml_lines
from scripts.download import addresses

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = "NOASSERTION"  # SPDX's word for a licence that nobody has stated


@dataclass(frozen=True)
class Entry:
    """A checkpoint to be: its address, its place, and what is said about it."""

    url: str
    path: str
    name: str
    family: str
    member: str | None = None
    sha256: str | None = None
    desc: str | None = None
    license: str | None = None

    @property
    def stage(self) -> str:
        """The stage that brings it."""
        return f"unpack_{self.name}" if self.member else f"fetch@{self.name}"

    @property
    def artifact(self) -> str:
        """Its name among the artifacts, which have hyphens."""
        return self.name.replace("_", "-").strip("-")


def texts(root: Path, entry: Entry) -> dict[str, str]:
    """Return what each file says with the entry, by name; the lock is DVC's to write."""
    params, stages, ignored = (
        changes.read(root, name) for name in ("params.yaml", "dvc.yaml", changes.IGNORED)
    )
    held = documents.data(stages)
    if entry.member:
        last = [name for name in held["stages"] if name.startswith("unpack_")][-1:]
        stages = yaml_lines.add(stages, "stages", {entry.stage: _stage(entry)}, after="".join(last))
    artifact = _artifact(entry, held.get("artifacts", {}))
    section = "archives" if entry.member else "checkpoints"
    if ignored and not ignored.endswith("\n"):
        ignored += "\n"
    return {
        f"sources/{entry.name}.dvc": source(entry),
        changes.IGNORED: f"{ignored}/{entry.name}\n",
        "params.yaml": yaml_lines.add(params, section, {entry.name: _params(entry)}),
        "dvc.yaml": yaml_lines.add(stages, "artifacts", {entry.artifact: artifact}),
    }


def source(entry: Entry) -> str:
    """Return the import-url file that `dvc import-url --no-exec` writes for this address."""
    dep, out = {"hash": "md5", "path": entry.url}, {"hash": "md5", "path": entry.name}
    return documents.dumped({"frozen": True, "deps": [dep], "outs": [out]})


def _params(entry: Entry) -> dict[str, Any]:
    file = {"member": entry.member} if entry.member else {}
    file["path"] = entry.path
    if entry.sha256:
        file["sha256"] = DoubleQuotedScalarString(entry.sha256)
    return {"members": [file]} if entry.member else dict(file)


def _stage(entry: Entry) -> dict[str, Any]:
    return {
        "desc": f"{_title(entry)}, out of its archive",
        "cmd": f"python -m scripts.fetch {entry.name}",
        "params": [f"archives.{entry.name}"],
        "outs": [{entry.path: {"persist": True}}],
    }


def _artifact(entry: Entry, artifacts: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of the file; a family whose files agree lends licence and source."""
    family = [held["meta"] for held in artifacts.values() if entry.family in held.get("labels", [])]
    meta = dict(family[0]) if family and all(other == family[0] for other in family) else {}
    if entry.license:
        meta.pop("license_note", None)
        meta["license"] = entry.license
    meta = {"license": UNKNOWN, "source": addresses.repository(entry.url)} | meta
    return {
        "path": entry.path,
        "type": "model",
        "desc": _title(entry),
        "labels": [entry.family],
        "meta": meta,
    }


def _title(entry: Entry) -> str:
    return entry.desc or PurePosixPath(entry.path).stem
