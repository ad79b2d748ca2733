"""Show what a publisher serves now against the pin; take it as the new pin only if told to."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue import lock
from scripts.catalogue.params import Checkpoint
from scripts.catalogue.urls import host_of
from scripts.checkout.candidates import Candidate
from scripts.checkout.clone import Clone
from scripts.checkout.local import reuse_local
from scripts.checkout.outcome import Origin
from scripts.checkout.workspace import as_pin, place, put_back
from scripts.console.errors import ArchiveError, CheckpointError, SourceError, UsageError
from scripts.console.progress import say
from scripts.curation import amendment, changes, drift, release
from scripts.download import partial
from scripts.download.headers import Head
from scripts.files.disk import is_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.catalogue.params import Published
    from scripts.catalogue.pins import Pin
    from scripts.checkout.outcome import Outcome
    from scripts.curation.release import Release
    from scripts.files.digests import Digest

_AS_IT_WAS = "models/, the cache and the pins are as they were."


def _looked(clone: Clone, entry: Published) -> tuple[Candidate, Head] | None:
    """Return who serves it and headers, or None if they prove that the pinned bytes are served."""
    ((seen, finding),) = drift.look(clone, [entry])
    if finding.head is None:
        raise SourceError(f"{finding.state}: {finding.why}")
    pin = drift.pin_of(clone, entry)
    told = pin.sha256 in (None, finding.head.sha256) if pin else False
    if finding.state == "same" and told:
        return None
    return Candidate(host_of(seen.url), seen.url), finding.head


def _file(path: Path) -> Candidate:
    if not is_file(path):
        raise UsageError(f"{path} is no file")
    return Candidate(str(path), lambda: path.open("rb"))


def _news(clone: Clone, served: Release) -> dict[Checkpoint, Digest]:
    """Return the files that are not the pinned ones; an archive of the same files has none."""
    pairs = [(file, clone.pin(file), digest) for file, (_, digest) in served.files.items()]
    return {file: digest for file, pin, digest in pairs if pin is None or not pin.matches(digest)}


def _repacked(entry: Published, served: Release) -> bool:
    return entry.archive and entry.sha256 not in (None, served.digest.sha256)


def _lines(name: str, pin: Pin | None, got: Digest) -> Iterator[str]:
    """Yield what is pinned of a file or an archive above what is served, aligned."""
    yield f"  {name}"
    if pin and pin.md5:
        size = f"  {pin.size:,} bytes" if pin.size is not None else "  size not pinned"
        yield f"    pinned  md5 {pin.md5}{size}"
    if pin and pin.sha256:
        yield f"    pinned  sha256 {pin.sha256}"
    yield f"    served  md5 {got.md5}  {got.size:,} bytes"
    yield f"    served  sha256 {got.sha256}"


def _show(clone: Clone, entry: Published, served: Release, head: Head) -> None:
    """Print both identities of what differs."""
    if entry.archive:
        rows = list(_lines(f"{entry.name}, the archive", drift.pin_of(clone, entry), served.digest))
    else:
        rows = []
    for file, digest in _news(clone, served).items():
        rows += _lines(file.path, clone.pin(file), digest)
    told = {"md5": head.md5, "sha256": head.sha256, "ETag": head.etag, "modified": head.modified}
    stated = [f"    {kind} {value}" for kind, value in told.items() if value]
    rows += ["  the publisher's own headers", *stated] if stated else []
    say("\n".join([f"{entry.name}: what is served now is not what is pinned", *rows]))


def _accept(clone: Clone, entry: Published, served: Release, head: Head) -> None:
    """Give the new bytes their places, and amend what says what they must be; raise DiskError.

    If any of it fails, every file and every word is as it was.
    """
    news = _news(clone, served)
    restored = changes.restored(clone.root, amendment.files(entry))
    with clone.alone("params.yaml"), ExitStack() as undo, restored:
        held = {file: _secure(clone, file, undo) for file in news}
        for file, digest in news.items():
            clone.cache.add(served.files[file][0], digest.md5)
        amendment.write(clone.root, entry, {f.path: new for f, new in news.items()}, served.digest)
        lock.write(clone.root)
        if head != Head():  # a file of the user's own says nothing of the publisher's
            amendment.remember(clone.root, entry, head)
        for file, digest in news.items():
            if held[file]:
                clone.cache.link(digest.md5, clone.root / file.path)
            else:
                placed = place(clone, file, as_pin(digest), Origin.REPINNED)
                undo.callback(put_back, clone.root / file.path, placed.aside)
        undo.pop_all()


def _secure(clone: Clone, file: Checkpoint, undo: ExitStack) -> Outcome | None:
    """See to it that the cache has the old file, if anybody has; say how to put back what is here.

    From the cache the user's own undo can bring it back, too.
    """
    path = clone.root / file.path
    undo.callback(changes.prune, clone.root, file.path)
    outcome = reuse_local(clone, file)
    if outcome and outcome.origin is Origin.IN_PLACE:
        undo.callback(clone.cache.link, str(outcome.pin.md5), path)
    elif outcome:
        undo.callback(put_back, path, outcome.aside)
    return outcome


@contextmanager
def _said_of(entry: Published) -> Iterator[None]:
    """Say of what the publisher failed at that nothing has changed."""
    try:
        yield
    except (SourceError, ArchiveError) as error:
        raise CheckpointError(
            f"{entry.name}: {error.what}",
            *error.details,
            _AS_IT_WAS,
            f"Next: try again later, or look at the address in sources/{entry.name}.dvc.",
        ) from error


def _repin(clone: Clone, entry: Published, own: Path | None, *, accept: bool) -> str:
    """Look, show, and take what is served if told to; return the last words."""
    looked = (_file(own), Head()) if own else _looked(clone, entry)
    if looked is None:
        return f"{entry.name}: nothing to do: the publisher's own hash is the pinned one"
    offer, head = looked
    with release.brought(clone, entry, offer) as served:
        if not _news(clone, served) and not _repacked(entry, served):
            partial.discard(served.part)
            return f"{entry.name}: nothing to do: {offer.who} serves what is pinned"
        _show(clone, entry, served, head)
        release.examine(clone.root, served, head)
        if not accept:
            more = f" --from {own}" if own else ""
            return (
                f"{_AS_IT_WAS} {served.digest.size:,} bytes are kept in .dvc/tmp/fetch.\n"
                f"Next: `python -m scripts.repin {entry.name}{more} --accept` takes what is shown."
            )
        _accept(clone, entry, served, head)
        partial.discard(served.part)
    return (
        f"{entry.name}: repinned. Look at it with `git diff`, then commit and `dvc push`;\n"
        "or undo it: git checkout . && dvc checkout"
    )


def repin(root: Path, name: str, own: Path | None, *, accept: bool) -> str:
    """Compare the entry `name` with its publisher, or with the file `own`; return the last words.

    With `accept` what is served becomes the new pin. Raises CheckpointError, and leaves all as it
    was.
    """
    clone = Clone.at(root)
    (entry,) = clone.catalogue.find([name])
    if unpinned := [file.path for file in entry.files if not clone.pin(file)]:
        raise UsageError(
            f"{entry.name}: there is no pin yet of {', '.join(unpinned)}",
            "Next: `dvc repro` its stage; what comes first is trusted and recorded.",
        )
    if accept:
        changes.refuse_dirty(clone.root)
    with clone.alone(f"{entry.name}.new"), _said_of(entry):
        return _repin(clone, entry, own, accept=accept)
