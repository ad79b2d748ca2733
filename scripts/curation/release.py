"""What a publisher serves now, brought aside whatever the pins say, and judged."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.console.errors import ArchiveError, ContentError, PickleError
from scripts.console.progress import Bar
from scripts.download import partial
from scripts.download.request import Request
from scripts.files import archive
from scripts.pickles import screening

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.checkout.candidates import Candidate
    from scripts.checkout.clone import Clone
    from scripts.download.headers import Head
    from scripts.files.digests import Digest


@dataclass(frozen=True)
class Release:
    """What stands at an entry's address now: the file itself, or an archive and its members."""

    part: Path
    digest: Digest
    files: Mapping[Checkpoint, tuple[Path, Digest]]  # where the bytes of each lie, what they are


@contextmanager
def brought(clone: Clone, entry: Published, offer: Candidate) -> Iterator[Release]:
    """Bring what is offered, or go on with that; raise SourceError or DiskError.

    The bytes lie in .dvc/tmp/fetch and stay there: the next call asks only whether they are
    still those that are served. What is refused as content or as an archive is removed.
    """
    part = clone.cache.temporary / f"{entry.name}.new.part"
    try:
        digest = _bytes(clone, offer, part, entry.name)
        files = dict(_taken(part, entry)) if entry.archive else {entry.files[0]: (part, digest)}
        yield Release(part, digest, files)
    except (ArchiveError, ContentError, PickleError):
        partial.discard(part)
        raise
    finally:
        for path in part.parent.glob(f"{part.stem}.*.member"):
            path.unlink()


def _bytes(clone: Clone, offer: Candidate, part: Path, name: str) -> Digest:
    with Bar(name) as bar:
        wanted = Request(name, part, None, bar)
        return offer.download(wanted, clone.limits)


def _taken(part: Path, entry: Published) -> Iterator[tuple[Checkpoint, tuple[Path, Digest]]]:
    files = {str(file.member): file for file in entry.files}
    targets = {n: part.with_name(f"{part.stem}.{i}.member") for i, n in enumerate(files)}
    for name, digest in archive.extract(part, targets, {}):
        yield files[name], (targets[name], digest)


def examine(root: Path, release: Release, head: Head) -> None:
    """Judge new bytes before anybody may accept them; raise ContentError or PickleError.

    The one place where that is done: whatever is to be asked of new bytes is asked here.
    """
    got = release.digest
    rows = [
        (f"says    {kind} {told}", f"brought {kind} {value}")
        for kind, told, value in (
            ("md5", head.md5, got.md5),
            ("sha256", head.sha256, got.sha256),
            ("size", head.size, got.size),
        )
        if told not in (None, value)
    ]
    if rows:
        what = "the bytes are not those that the publisher's own headers announce"
        raise ContentError(what, *(line for row in rows for line in row))
    for file, (path, digest) in release.files.items():
        if not digest.size:
            raise ContentError(f"{file.path} would be an empty file")
        screening.judge(root, file.path, path)
