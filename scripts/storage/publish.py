"""Write to a remote: replace damaged objects, publish the files that may be redistributed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.catalogue.licences import is_shareable
from scripts.console.errors import CheckpointError
from scripts.console.progress import counted, note
from scripts.files import digests
from scripts.files.disk import disk_errors
from scripts.storage.access import permissions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.catalogue.artifacts import Artifact
    from scripts.catalogue.params import Catalogue
    from scripts.catalogue.pins import Pin
    from scripts.storage.cache import Cache
    from scripts.storage.remote import Remote, RemoteObject


def withheld(
    pins: Mapping[str, Pin], holds: Catalogue, described: Mapping[str, Artifact]
) -> dict[str, str]:
    """Return path -> reason of every pinned file that may not be published.

    Only files of the catalogue whose licence allows redistribution may be: nothing is known of
    the outs of other stages.
    """
    reasons = {}
    for path in pins:
        licence = described[path].license if path in described else None
        if path not in holds.files:
            reasons[path] = "not in the catalogue"
        elif not is_shareable(licence):
            reasons[path] = licence or "no licence in dvc.yaml"
    return reasons


def repair(cache: Cache, remote: Remote, damaged: Sequence[RemoteObject]) -> int:
    """Replace damaged objects by those of the cache; return how many were replaced.

    One that the cache lacks stays as it is, with a note. The cache's bytes are hashed first.
    """
    good = [item for item in damaged if _cached(cache, item)]
    for item in damaged:
        lacking = "not replaced: this clone's cache does not have it"
        note(f"{item.path}: {f'replacing it in {remote.name}' if item in good else lacking}")
    remote.send(good, cache.object)
    return len(good)


def publish(pins: Mapping[str, Pin], cache: Cache, remote: Remote, kept: Mapping[str, str]) -> int:
    """Push every pinned file that is not kept back and that the remote lacks; return how many.

    Raises CheckpointError, too, if the remote has a file that is kept back.
    """
    if remote.rights()[1] is False:
        what = f"{remote.name}: no permission to write {remote.url}; nothing was pushed"
        if remote.kind == "local":
            raise CheckpointError(what, *permissions("write", folder=True))
        raise CheckpointError(
            what,
            "Next, for a bucket that is read over https: name the bucket itself, in this clone,",
            f"`./checkpoints dvc remote modify --local {remote.name} url gs://BUCKET/PREFIX`;",
            "and ask its owner for roles/storage.objectUser.",
        )
    lacking = [item for item in remote.look(pins) if item.broken and item.path not in kept]
    absent = [item.path for item in lacking if not _cached(cache, item)]
    _refuse(
        absent,
        f"{remote.name}: nothing was pushed: {counted(len(absent))} to push "
        f"{'is' if len(absent) == 1 else 'are'} not in the cache",
        "Next: `./checkpoints fetch complete`, or `./checkpoints dvc pull`; then run again.",
    )
    if lacking:
        remote.send(lacking, cache.object)
    _check(remote, remote.look(pins), kept)
    return len(lacking)


def _check(remote: Remote, found: Sequence[RemoteObject], kept: Mapping[str, str]) -> None:
    """Raise CheckpointError unless the remote has all that may be published, and nothing else."""
    sent = [item for item in found if item.path not in kept]
    lost = [item.path for item in sent if item.broken]
    _refuse(
        lost,
        f"{remote.name}: {len(lost)} of {counted(len(sent))} did not arrive",
        "Next: run again; what has arrived is not sent twice.",
    )
    stray = [f"{item.path}  {item.pin.md5}" for item in found if item.path in kept and item.found]
    _refuse(
        stray,
        f"{remote.name} holds {counted(len(stray))} that may not be redistributed",
        f"Next: if others can read {remote.url}, delete those objects there.",
    )


def _refuse(files: Sequence[str], what: str, step: str) -> None:
    if files:
        raise CheckpointError(what, *files, step)


def _cached(cache: Cache, item: RemoteObject) -> bool:
    """Tell whether the cache has the pinned bytes, which are hashed to make sure."""
    path = cache.object(str(item.pin.md5))
    if not path.exists():
        return False
    with disk_errors(path):
        return item.pin.matches(digests.of_file(path, sha256=False))
