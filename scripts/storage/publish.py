"""Write to a remote: mend what is damaged there, publish what its licence lets anybody pass on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.catalogue import artifacts
from scripts.console.errors import CheckpointError
from scripts.console.progress import note
from scripts.files import digests
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.checkout.clone import Clone
    from scripts.storage.remote import Remote, RemoteObject

# Licences that let anybody pass a file on; any other keeps it back.
FREE = {"Apache-2.0", "BSD-3-Clause", "CC-BY-NC-4.0", "MIT"}


def withheld(clone: Clone) -> dict[str, str]:
    """Return path -> reason of every pinned file that may not be published.

    What may are files of the catalogue whose licence in dvc.yaml is a free one: of the outs of
    other stages nothing is known. Raises CatalogueError.
    """
    words, known = artifacts.read(clone.root / "dvc.yaml"), clone.catalogue.files
    told = {
        path: (words[path].license if path in words else None) or "no licence in dvc.yaml"
        for path in clone.pins
    }
    return {
        path: licence if path in known else "not in the catalogue"
        for path, licence in told.items()
        if path not in known or licence not in FREE
    }


def mend(clone: Clone, remote: Remote, damaged: Sequence[RemoteObject]) -> int:
    """Send damaged objects anew and return how many; one that this cache lacks is left and told.

    Nothing is touched before the cache's own bytes are seen to be the pinned ones.
    """
    good = []
    for item in damaged:
        if _cached(clone, item):
            note(f"{item.path}: sending it to {remote.name} anew")
            good.append(item)
        else:
            note(f"{item.path}: left as it is, for this clone's cache does not have it")
    remote.send(good, clone.cache.object)
    return len(good)


def publish(clone: Clone, remote: Remote) -> tuple[int, dict[str, str]]:
    """Push what may be published; return how many files were sent and what was left out, and why.

    Raises CheckpointError, too, if something that may not be published is there already.
    """
    _expect_rights(remote)
    kept = withheld(clone)
    lacking = [item for item in remote.look(clone.pins) if item.broken and item.path not in kept]
    if lacking:
        _expect_cached(clone, remote, lacking)
        remote.send(lacking, clone.cache.object)
    held = remote.look(clone.pins)
    _expect_arrived(remote, [item for item in held if item.path not in kept])
    _expect_none(remote, [item for item in held if item.path in kept and item.found])
    return len(lacking), kept


def _expect_rights(remote: Remote) -> None:
    _, may_write = remote.rights()
    if may_write is False:
        raise CheckpointError(
            f"{remote.name}: {remote.url} may not be written by you; nothing was pushed",
            "Next, for a bucket that is read over https: name the bucket itself, in this clone,",
            f"`dvc remote modify --local {remote.name} url gs://BUCKET/PREFIX`; and ask its owner",
            "for roles/storage.objectUser.",
        )


def _expect_cached(clone: Clone, remote: Remote, wanted: Sequence[RemoteObject]) -> None:
    if lacking := [item.path for item in wanted if not _cached(clone, item)]:
        raise CheckpointError(
            f"{remote.name}: nothing was pushed, for {len(lacking)} files are not in the cache",
            *lacking,
            "Next: bring them with `dvc pull` or `dvc repro models.dvc`, then run again.",
        )


def _expect_arrived(remote: Remote, held: Sequence[RemoteObject]) -> None:
    if lost := [item.path for item in held if item.broken]:
        raise CheckpointError(
            f"{remote.name}: {len(lost)} of {len(held)} files did not arrive",
            *lost,
            "Next: run again; what has arrived is not sent twice.",
        )


def _expect_none(remote: Remote, theirs: Sequence[RemoteObject]) -> None:
    if theirs:
        raise CheckpointError(
            f"{remote.name} holds {len(theirs)} files that may not be redistributed",
            *(f"{item.path}  {item.pin.md5}" for item in theirs),
            f"Next: if others can read {remote.url}, delete those objects there.",
        )


def _cached(clone: Clone, held: RemoteObject) -> bool:
    """Tell whether the cache has the pinned bytes, which are read to make sure."""
    path = clone.cache.object(str(held.pin.md5))
    if not path.exists():
        return False
    with disk_errors(path):
        return held.pin.matches(digests.of_file(path, sha256=False))
