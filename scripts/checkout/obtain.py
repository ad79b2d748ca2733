"""Obtain the files of an entry: reuse or download, verify, screen, install."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

from scripts.checkout import candidates, served
from scripts.checkout.leftovers import drop_begun, key
from scripts.checkout.local import reuse_local, screen
from scripts.checkout.served import Served
from scripts.checkout.workspace import Origin, as_pin, place
from scripts.console.errors import CheckpointError, PickleError, RoomError, SourceError
from scripts.console.progress import Bar, duration, human, note
from scripts.download import partial
from scripts.download.request import Request, mismatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.checkout.candidates import Candidate
    from scripts.checkout.clone import Clone
    from scripts.checkout.workspace import Outcome
    from scripts.download.partial import Version
    from scripts.files.digests import Digest

    Failures = list[tuple[Candidate, CheckpointError]]


AS_BEFORE = "models/ and the cache are as they were"


class NoSourceError(CheckpointError):
    """No source has a file; of several files the next step is the same."""


def obtain(clone: Clone, entry: Published, *, within: Bar | None = None) -> list[Outcome]:
    """Put every file of an entry in its place; raise CheckpointError.

    A file that is in place or in the cache is reused; others are downloaded. Progress is shown
    as part of the bar `within`, if one is given.
    """
    with clone.alone(key(clone, entry), name=entry.name):
        outcomes = {file: reuse_local(clone, file) for file in entry.files}
        if not all(outcomes.values()):
            _try_candidates(clone, entry, outcomes, within)
        drop_begun(clone, entry, key(clone, entry))
        return [outcome for outcome in outcomes.values() if outcome]


def _try_candidates(
    clone: Clone, entry: Published, outcomes: dict[Checkpoint, Outcome | None], within: Bar | None
) -> None:
    """Try one candidate after another until no file is missing; raise CheckpointError."""
    failures: Failures = []
    missing, reason = [file for file in outcomes if not outcomes[file]], ""
    for candidate in candidates.candidates(clone, entry):
        files = [file for file in missing if candidate.file in (None, file)]
        if not files:
            continue
        if reason:
            note(f"{entry.name}: {reason}; trying {candidate.who}")
            reason = ""
        request = _request(clone, entry, candidate.file, Bar(entry.name, within=within))
        try:
            with _lock(clone, entry, candidate.file), request.bar:
                targets = _targets(entry, request.part, files, candidate.file)
                outcomes.update(_obtain_from(candidate, clone, request, targets))
        except (SourceError, RoomError) as error:
            reason = _reason(clone, candidate, error)
            failures.append((candidate, error))
        if not (missing := [file for file in missing if not outcomes[file]]):
            return
    raise _failure(clone, entry, failures, missing)


def _obtain_from(
    candidate: Candidate, clone: Clone, request: Request, targets: Mapping[Checkpoint, Path]
) -> dict[Checkpoint, Outcome]:
    """Download what a candidate has; verify, screen and install it; return how that went.

    `targets` maps each file to where its bytes are before they are installed: the partial file
    itself, or a path of its own for the member of an archive.
    """
    began = time.monotonic()
    whole = candidate.download(request, clone.limits)
    took = max(time.monotonic() - began, 0.001)
    version = partial.version(request.part)
    try:
        packed = request.part not in targets.values()
        found = _extract(clone, request.part, targets) if packed else dict.fromkeys(targets, whole)
        for file in found:
            screen(clone, file, targets[file])
        for file, digest in found.items():
            clone.cache.add(targets[file], digest.md5)
    except (SourceError, PickleError):
        partial.discard(request.part)
        raise
    finally:
        for path in set(targets.values()) - {request.part}:
            path.unlink(missing_ok=True)
    if version and version.validator and not candidate.is_mirror:
        _remember(clone, request.name, candidate, version, found)
    partial.discard(request.part)
    rate = f"{human(whole.size)} in {duration(took)}, {human(whole.size / took)}/s"
    return {
        file: place(clone, file, as_pin(digest), Origin.DOWNLOADED, f"{candidate.who}: {how}")
        for file, digest in found.items()
        for how in [f"{human(digest.size)} of an archive of {rate}" if packed else rate]
    }


def _remember(
    clone: Clone,
    name: str,
    candidate: Candidate,
    version: Version,
    found: Mapping[Checkpoint, Digest],
) -> None:
    """Keep which version of its file a publisher served, now that the bytes are verified."""
    md5s = {file.path: digest.md5 for file, digest in found.items()}
    seen = Served(str(candidate.place), version.size, str(version.validator), md5s)
    served.remember(clone, name, seen)


def _extract(
    clone: Clone, path: Path, targets: Mapping[Checkpoint, Path]
) -> dict[Checkpoint, Digest]:
    """Extract members and verify each against its pin; raise SourceError or DiskError."""
    from scripts.files import archive  # noqa: PLC0415 - most entries are none

    files = {str(file.member): file for file in targets}
    pins = {name: clone.pin(file) for name, file in files.items()}
    sizes = {name: pin.size for name, pin in pins.items() if pin}
    found = {}
    for name, digest in archive.extract(path, {n: targets[f] for n, f in files.items()}, sizes):
        if (pin := pins[name]) and not pin.matches(digest):
            raise mismatch(f"{name} in the archive", pin, digest)
        found[files[name]] = digest
    return found


def _reason(clone: Clone, candidate: Candidate, error: SourceError | RoomError) -> str:
    """Return why the next candidate is tried; raise if the publisher's file needs more room.

    The reason is empty if another thread has already reported that the candidate is down.
    """
    if isinstance(error, RoomError):
        if not candidate.is_mirror:  # a mirror may announce an implausible size
            raise error
    elif candidate.is_mirror and error.host_down:
        if candidate.server in clone.unreachable:
            return ""
        clone.unreachable.add(candidate.server)
    what = candidate.named(error.what)
    return what if candidate.who.split()[-1] in what else f"{candidate.who}: {what}"


def _lock(
    clone: Clone, entry: Published, file: Checkpoint | None
) -> AbstractContextManager[object]:
    """Return the lock that a download needs beside that of its entry."""
    if not entry.archive:
        return nullcontext()
    # One archive at a time; of a member, another entry may have the same bytes.
    return clone.alone(key(clone, entry, file), name=file.path) if file else clone.unpacking


def _request(clone: Clone, entry: Published, file: Checkpoint | None, bar: Bar) -> Request:
    part = clone.cache.temporary / f"{key(clone, entry, file)}.part"
    pin = clone.pin(file) if file else clone.published_pin(entry)
    unpacked = map(clone.pin, entry.files if entry.archive and not file else ())
    return Request(entry.name, part, pin, bar, reserve=sum(p.size or 0 for p in unpacked if p))


def _targets(
    entry: Published, part: Path, files: list[Checkpoint], file: Checkpoint | None
) -> dict[Checkpoint, Path]:
    if file or not entry.archive:
        return dict.fromkeys(files, part)
    # By number: a member's own name may be longer than the disk allows.
    return {f: part.with_name(f"{part.stem}.{entry.files.index(f)}.member") for f in files}


def _failure(
    clone: Clone, entry: Published, failures: Failures, missing: list[Checkpoint]
) -> NoSourceError:
    """Return the error a user sees: what was tried, the state of the disk, the next step."""
    errors = dict.fromkeys((who.named(error.what), *error.details) for who, error in failures)
    lines = [line for error in errors for line in error]
    if not failures:
        lines = ["no allowed source has it", f"allowed: {candidates.order_from_env()}"]
    elif len(failures) > 1:
        lines = [f"none of {len(failures)} sources has it", *lines]
    kept = partial.kept(clone.cache.temporary / f"{key(clone, entry)}.part")
    begun = f"; {kept:,} bytes are kept for the next run" if kept else ""
    again = "run the same command again" + (", it resumes" if kept else "")
    return NoSourceError(
        f"{entry.name}: {lines[0]}",
        *lines[1:],
        *(candidate.alternative for candidate, _ in failures if candidate.alternative),
        f"{AS_BEFORE}{begun}.",
        f"Next: {again}; or, if you have the file from elsewhere,",
        f"put it at {', '.join(file.path for file in missing)}: it is checked and kept.",
    )
