"""Compare what a publisher serves now with the pin; make it the new pin if the user accepts it."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from scripts.catalogue import lock, params, sources
from scripts.checkout.clone import Clone
from scripts.checkout.leftovers import drop_begun
from scripts.checkout.local import reuse_local
from scripts.checkout.workspace import Origin, as_pin, place
from scripts.console.errors import CheckpointError, SourceError
from scripts.curation import git, release, transaction
from scripts.download import partial
from scripts.download.headers import Head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.catalogue.pins import Pin
    from scripts.curation.release import Release
    from scripts.curation.transaction import Change, Write
    from scripts.files.digests import Digest

_AS_IT_WAS = "models/, the cache and the pins are as they were."


def repin(root: Path, name: str, own: Path | None, *, accept: bool) -> Iterator[str]:
    """Compare the entry `name` with its publisher, or the file `own`; yield lines to print.

    With `accept` what is served becomes the new pin. Raises CheckpointError, and changes nothing.
    """
    clone = Clone.checked(root)
    (entry,) = clone.catalogue.find([name])
    if accept:
        git.refuse_dirty(clone.root)
    try:
        with clone.alone(f"{name}.new", name=name):
            yield from _repin(clone, entry, own, accept=accept)
    except SourceError as error:
        later = f"Next: try again later, or check the address in sources/{name}.dvc."
        raise CheckpointError(f"{name}: {error.what}", *error.details, _AS_IT_WAS, later) from error


def _repin(clone: Clone, entry: Published, own: Path | None, *, accept: bool) -> Iterator[str]:
    served = release.own(own) if own else release.announced(clone, entry)
    if served is None:
        yield f"{entry.name}: nothing to do: the publisher's own hash is the pinned one"
        return
    candidate, head = served
    with release.downloaded(clone, entry, candidate) as new:
        if not _changed(clone, new) and entry.sha256 in (None, new.digest.sha256):
            partial.discard(new.part)
            yield f"{entry.name}: nothing to do: {candidate.who} serves what is pinned"
            return
        yield "\n".join(_comparison(clone, entry, new, head))
        release.check(clone.root, new, head)
        if not accept:
            more = f" --from {own}" if own else ""
            yield f"{_AS_IT_WAS} {new.digest.size:,} bytes are kept in .dvc/tmp/fetch."
            yield f"Next: `./checkpoints repin {entry.name}{more} --accept` accepts this file."
            return
        with transaction.alone(clone.root) as change:
            _accept(change, entry, new, head)
            drop_begun(clone, entry, f"{entry.name}.new")
            yield f"{entry.name}: repinned."
            yield "Next: check `git diff`, then commit and `./checkpoints dvc push`;"
            yield "or undo it: git checkout . && ./checkpoints dvc checkout"


def _changed(clone: Clone, new: Release) -> dict[Checkpoint, Digest]:
    """Return the files that are not the pinned ones; a repacked archive may have none."""
    rows = [(file, clone.pin(file), digest) for file, (_, digest) in new.files.items()]
    return {file: digest for file, pin, digest in rows if pin is None or not pin.matches(digest)}


def _comparison(clone: Clone, entry: Published, new: Release, head: Head) -> Iterator[str]:
    """Yield what is pinned above what is served, for all that differs."""
    yield f"{entry.name}: the publisher serves another file than the pinned one"
    if entry.archive:
        yield from _rows(f"{entry.name}, the archive", clone.published_pin(entry), new.digest)
    for file, digest in _changed(clone, new).items():
        yield from _rows(file.path, clone.pin(file), digest)
    kinds = {"md5": head.md5, "sha256": head.sha256, "ETag": head.etag, "modified": head.modified}
    if stated := [f"    {kind} {value}" for kind, value in kinds.items() if value]:
        yield "  the publisher's own headers"
        yield from stated


def _rows(name: str, pin: Pin | None, got: Digest) -> Iterator[str]:
    yield f"  {name}"
    if pin and pin.md5:
        size = f"  {pin.size:,} bytes" if pin.size is not None else "  size not pinned"
        yield f"    pinned  md5 {pin.md5}{size}"
    if pin and pin.sha256:
        yield f"    pinned  sha256 {pin.sha256}"
    yield f"    served  md5 {got.md5}  {got.size:,} bytes"
    yield f"    served  sha256 {got.sha256}"


def _accept(change: Change, entry: Published, new: Release, head: Head) -> None:
    """Install the new files and write their pins; or raise CheckpointError, and change nothing."""
    clone, root = change.clone, change.clone.root
    changed = _changed(clone, new)
    with change.recorded(f"repin {entry.name}", changed) as write:
        # The cache keeps the old files, if they are here, so that `dvc checkout` can restore them.
        cached = {file: reuse_local(clone, file) for file in changed}
        for file, digest in changed.items():
            clone.cache.add(new.files[file][0], digest.md5)
        digests = {file.path: digest for file, digest in changed.items()}
        write({lock.LOCK: transaction.pinned(root, digests)})
        replace_sha256(root, entry, new, write)
        write(lock.render(root))
        if head != Head():  # the user's own file says nothing about the publisher's
            write(_recorded(root, entry.name, head))
        for file, digest in changed.items():
            if cached[file]:
                clone.cache.link(digest.md5, root / file.path)
            else:
                place(clone, file, as_pin(digest), Origin.REPINNED)


def _recorded(root: Path, name: str, head: Head) -> dict[str, str]:
    """Return the source of an entry with the ETag and size that the publisher sends now."""
    with TemporaryDirectory(dir=root / ".dvc/tmp") as folder:
        copy = Path(folder, f"{name}.dvc")
        shutil.copyfile(root / "sources" / copy.name, copy)
        sources.record(copy.parent, name, etag=head.etag, size=head.size)
        return {f"sources/{name}.dvc": transaction.read(copy.parent, copy.name)}


def replace_sha256(root: Path, entry: Published, new: Release, write: Write) -> None:
    """Replace each pinned sha256 where it is written; no other byte changes, in any layout."""
    digests = {file.sha256: digest for file, (_, digest) in new.files.items()}
    digests |= {entry.sha256: new.digest} if entry.archive else {}
    swaps = {old: str(digest.sha256) for old, digest in digests.items() if old}
    if not swaps:
        return
    known, text = params.read(root / "params.yaml").published, transaction.read(root, "params.yaml")
    text = re.sub("|".join(swaps), lambda old: swaps[old[0]], text)
    write({"params.yaml": text})
    if params.read(root / "params.yaml").published != known | {entry.name: _repinned(entry, new)}:
        raise CheckpointError(
            f"params.yaml: a program cannot replace the sha256 of {entry.name}: it is written",
            "in an unusual form, or another entry has the same one.",
            "Next: remove it there, commit, then run the same command again.",
        )


def _repinned(entry: Published, new: Release) -> Published:
    """Return the entry with the new sha256 wherever one is pinned."""
    digests = {file: file.sha256 and new.files[file][1].sha256 for file in entry.files}
    files = tuple(dataclasses.replace(file, sha256=digest) for file, digest in digests.items())
    return dataclasses.replace(entry, files=files, sha256=entry.sha256 and new.digest.sha256)
