"""Show what a publisher serves now against the pin; take it as the new pin only if told to."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import amendment, changes, drift, partial, release, tree
from scripts.catalogue import Checkpoint
from scripts.clone import Clone
from scripts.command import command
from scripts.disk import is_file
from scripts.errors import ArchiveError, CheckpointError, SourceError, UsageError
from scripts.heads import Head
from scripts.offers import Offer
from scripts.progress import say
from scripts.sources import host_of
from scripts.workspace import as_pin, place, put_back, settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.catalogue import Published
    from scripts.digests import Digest
    from scripts.pins import Pin
    from scripts.release import Release
    from scripts.workspace import Outcome

_AS_IT_WAS = "models/, the cache and the pins are as they were."
_EPILOG = """Without --accept no file of the repository is changed; what was downloaded is kept in
.dvc/tmp/fetch, so that --accept need not fetch it again. With --accept the bytes take their
place under models/, and dvc.lock, models.dvc, sources/NAME.dvc and a sha256 in params.yaml say so.
To undo that before it is committed: git checkout . && dvc checkout"""


def _looked(clone: Clone, entry: Published) -> tuple[Offer, Head] | None:
    """Return who serves it and headers, or None if they prove that the pinned bytes are served."""
    ((seen, finding),) = drift.look(clone, [entry])
    if finding.head is None:
        raise SourceError(f"{finding.state}: {finding.why}")
    pin = drift.pin_of(clone, entry)
    told = pin.sha256 in (None, finding.head.sha256) if pin else False
    if finding.state == "same" and told:
        return None
    return Offer(host_of(seen.url), seen.url), finding.head


def _file(path: Path) -> Offer:
    if not is_file(path):
        raise UsageError(f"{path} is no file")
    return Offer(str(path), lambda: path.open("rb"))


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
        if (clone.root / tree.INVENTORY).exists():
            settle(clone, Checkpoint(tree.INVENTORY))
        for file, digest in news.items():
            clone.cache.add(served.files[file][0], digest.md5)
        amendment.write(clone.root, entry, {f.path: new for f, new in news.items()}, served.digest)
        changes.reseal(clone.root, clone.cache)
        if head != Head():  # a file of the user's own says nothing of the publisher's
            amendment.remember(clone.root, entry, head)
        for file, digest in news.items():
            if held[file]:
                clone.cache.link(digest.md5, clone.root / file.path)
            else:
                placed = place(clone, file, as_pin(digest), "repinned")
                undo.callback(put_back, clone.root / file.path, placed.aside)
        undo.pop_all()


def _secure(clone: Clone, file: Checkpoint, undo: ExitStack) -> Outcome | None:
    """See to it that the cache has the old file, if anybody has; say how to put back what is here.

    From the cache the user's own undo can bring it back, too.
    """
    path = clone.root / file.path
    undo.callback(changes.prune, clone.root, file.path)
    outcome = settle(clone, file)
    if outcome and outcome.how.startswith("kept"):
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


@command
def main(argv: Sequence[str] | None) -> None:
    """Parse the name, and see to it that what will be written can be undone."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.repin", description=__doc__, epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME", help="a key of checkpoints: or archives:")
    parser.add_argument("--accept", action="store_true", help="make it the new pin")
    parser.add_argument(
        "--from", dest="own", metavar="FILE", type=Path, help="take this file, ask no publisher"
    )
    given = parser.parse_args(argv)
    clone = Clone.at(Path.cwd())
    (entry,) = clone.catalogue.find([given.name])
    if unpinned := [file.path for file in entry.files if not clone.pin(file)]:
        raise UsageError(
            f"{entry.name}: there is no pin yet of {', '.join(unpinned)}",
            "Next: `dvc repro` its stage; what comes first is trusted and recorded.",
        )
    if given.accept:
        changes.refuse_dirty(clone.root)
    with clone.alone(f"{entry.name}.new"), _said_of(entry):
        say(_repin(clone, entry, given.own, accept=given.accept))


if __name__ == "__main__":
    sys.exit(main())
