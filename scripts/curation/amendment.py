"""New hashes of one entry, written to lock, catalogue and source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from scripts.catalogue import documents, lock, params, sources
from scripts.catalogue.documents import compose
from scripts.console.errors import CheckpointError
from scripts.files.disk import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scripts.catalogue.params import Published
    from scripts.download.headers import Head
    from scripts.files.digests import Digest

LOCK, PARAMS = "dvc.lock", "params.yaml"


def files(entry: Published) -> list[str]:
    """Return the names of all files that an amendment of this entry may write."""
    return [LOCK, lock.SEAL, PARAMS, f"sources/{entry.name}.dvc"]


def write(root: Path, entry: Published, new: Mapping[str, Digest], whole: Digest) -> None:
    """Write the digests of files (by path), and of the archive; the seal is the caller's.

    Raises CatalogueError, CheckpointError or DiskError.
    """
    _write_lock(root / LOCK, new)
    _write_params(root / PARAMS, entry, {**new, entry.name: whole})


def remember(root: Path, entry: Published, head: Head) -> None:
    """Let the source say what the publisher said of the bytes that were taken."""
    sources.record(root / "sources", entry.name, etag=head.etag, size=head.size)


def _write_lock(path: Path, new: Mapping[str, Digest]) -> None:
    document = documents.editable(path)
    outs = [out for stage in document["stages"].values() for out in stage.get("outs", [])]
    for out in outs:
        if digest := new.get(out["path"]):
            out.update(md5=digest.md5, size=digest.size)
    replace(path, documents.dumped(document).encode())


def _write_params(path: Path, entry: Published, new: Mapping[str, Digest]) -> None:
    """Put the new sha256 in the place of each that is pinned; every other byte stays."""
    lines = path.read_bytes().decode().splitlines(keepends=True)
    for owner, node in _pinned(compose(path), entry):
        if owner in new:
            at, column = node.start_mark.line, node.start_mark.column
            tail = lines[at][column:].replace(node.value, str(new[owner].sha256), 1)
            lines[at] = lines[at][:column] + tail
    replace(path, "".join(lines).encode())
    _check_params(path, entry, new)


def _check_params(path: Path, entry: Published, new: Mapping[str, Digest]) -> None:
    amended = params.read(path).published[entry.name]
    told = {file.path: file.sha256 for file in amended.files} | {amended.name: amended.sha256}
    for owner, sha256 in told.items():
        if owner in new and sha256 not in (None, new[owner].sha256):
            raise CheckpointError(
                f"{path.name}: the sha256 of {owner} does not stand where a program can edit it",
                "Next: remove it there, commit, then run the same command again.",
            )


def _pinned(root: yaml.Node | None, entry: Published) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the nodes of an entry's sha256, each with the path, or the archive, it belongs to."""
    found = _fields(_fields(root)["archives" if entry.archive else "checkpoints"])[entry.name]
    members = _fields(found).get("members")
    for node in [found, *(members.value if members else [])]:
        fields = _fields(node)
        if "sha256" in fields:
            yield str(fields["path"].value if "path" in fields else entry.name), fields["sha256"]


def _fields(node: yaml.Node | None) -> dict[str, yaml.Node]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return {str(key.value): value for key, value in pairs}
