"""What the publisher of an entry serves now: downloaded aside, whatever the pins say, checked."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.catalogue.urls import host_of
from scripts.checkout.candidates import Candidate
from scripts.console.errors import ArchiveError, ContentError, PickleError, SourceError, UsageError
from scripts.console.progress import Bar
from scripts.curation import drift
from scripts.download import partial
from scripts.download.headers import Head
from scripts.download.request import Request
from scripts.files import archive
from scripts.files.disk import disk_errors, is_file, special
from scripts.pickles import screening

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.checkout.clone import Clone
    from scripts.files.digests import Digest


@dataclass(frozen=True)
class Release:
    """What an entry's address serves now: the file itself, or an archive and its members."""

    part: Path
    digest: Digest
    files: Mapping[Checkpoint, tuple[Path, Digest]]  # where each file is now, and its digest


def announced(clone: Clone, entry: Published) -> tuple[Candidate, Head] | None:
    """Return publisher and headers, or None if the headers prove that the pin is served.

    Raises SourceError if the publisher gives no headers.
    """
    ((source, finding),) = drift.compare(clone, [entry])
    if finding.head is None:
        raise SourceError(f"{finding.state}: {finding.why}")
    pin = clone.published_pin(entry)
    # An md5 alone proves nothing where a sha256 is pinned, too.
    if finding.state == "same" and pin and pin.sha256 in (None, finding.head.sha256):
        return None
    return Candidate(host_of(source.url), source.url), finding.head


def own(path: Path) -> tuple[Candidate, Head]:
    """Return a file of the user's in the publisher's place, without headers; raise UsageError."""
    if not is_file(path):
        with disk_errors(path):
            kind = special(path)
        raise UsageError(f"{path} is {kind}, not a file" if kind else f"{path} is not a file")
    return Candidate(str(path), path), Head()


@contextmanager
def downloaded(clone: Clone, entry: Published, candidate: Candidate) -> Iterator[Release]:
    """Download what the candidate serves, or resume; raise SourceError or DiskError.

    The partial file stays in .dvc/tmp/fetch: the next call only checks that it is still what is
    served. A file or an archive that is refused is removed.
    """
    part = clone.cache.temporary / f"{entry.name}.new.part"
    try:
        with Bar(entry.name) as bar:
            digest = candidate.download(Request(entry.name, part, None, bar), clone.limits)
        files = _extract(part, entry) if entry.archive else {entry.files[0]: (part, digest)}
        yield Release(part, digest, files)
    except (ArchiveError, ContentError):
        partial.discard(part)
        raise
    finally:
        for path in part.parent.glob(f"{part.stem}.*.member"):
            path.unlink()


def _extract(part: Path, entry: Published) -> dict[Checkpoint, tuple[Path, Digest]]:
    files = {str(file.member): file for file in entry.files}
    targets = {name: part.with_name(f"{part.stem}.{i}.member") for i, name in enumerate(files)}
    found = archive.extract(part, targets, {})
    return {files[name]: (targets[name], digest) for name, digest in found}


def check(root: Path, release: Release, head: Head) -> None:
    """Check new bytes before they may become a pin; raise ContentError or PickleError.

    Every check of new bytes is here, and nowhere else. What is refused is removed.
    """
    try:
        _check_stated(release, head)
        for file, (path, _) in release.files.items():
            screening.judge(root, file.path, path)
    except (ContentError, PickleError):
        partial.discard(release.part)
        raise


def _check_stated(release: Release, head: Head) -> None:
    """Raise ContentError if the bytes are not what the publisher states, or none."""
    rows = []
    for kind in ("md5", "sha256", "size"):
        stated, got = getattr(head, kind), getattr(release.digest, kind)
        if stated not in (None, got):
            rows += [f"stated  {kind} {stated}", f"got     {kind} {got}"]
    if rows:
        raise ContentError("the bytes do not match the publisher's own headers", *rows)
    if empty := [file.path for file, (_, digest) in release.files.items() if not digest.size]:
        raise ContentError(f"{', '.join(empty)} would be an empty file")
