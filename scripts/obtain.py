"""Bring what is missing: the sources in their order, then the verified bytes to their place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from scripts import archive, digests, drive, partial, sources, transfer
from scripts.disk import check_room, refusals
from scripts.errors import ArchiveError, CheckpointError, ContentError, SourceError
from scripts.pins import Pin
from scripts.progress import Bar, human
from scripts.transfer import Wanted
from scripts.workspace import Outcome, as_pin, place, settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.catalogue import Checkpoint, Published
    from scripts.clone import Clone
    from scripts.digests import Digest


def fetch(clone: Clone, entry: Published) -> Outcome:
    """Bring a file that stands at an address of its own; raise CheckpointError."""
    file = entry.files[0]
    pin = clone.pin(file)
    key = str(pin.md5) if pin else entry.name
    with clone.alone(key):
        if outcome := settle(clone, file):
            return outcome
        part, digest, how = _bring(clone, entry, key, pin)
        clone.cache.add(part, digest.md5)
        partial.discard(part)
        return place(clone, file, as_pin(digest), how)


def unpack(clone: Clone, entry: Published) -> list[Outcome]:
    """Bring an archive and place its files once all of them are verified; raise CheckpointError."""
    with clone.alone(entry.name):
        outcomes = {file: settle(clone, file) for file in entry.files}
        missing = [file for file, outcome in outcomes.items() if not outcome]
        if missing:
            outcomes.update(_unpack(clone, entry, missing))
        return [outcome for outcome in outcomes.values() if outcome]


def _unpack(clone: Clone, entry: Published, missing: list[Checkpoint]) -> dict[Checkpoint, Outcome]:
    pin = Pin(None, None, entry.sha256) if entry.sha256 else None
    part, _, how = _bring(clone, entry, entry.name, pin)
    try:
        taken = _take(clone, part, missing)
        for file, digest in taken.items():
            clone.cache.add(_aside(part, file), digest.md5)
    except (ArchiveError, ContentError) as error:
        partial.discard(part)
        raise _failure(entry, part, [error]) from error
    finally:
        for file in missing:
            _aside(part, file).unlink(missing_ok=True)
    partial.discard(part)
    return {file: place(clone, file, as_pin(digest), how) for file, digest in taken.items()}


def _bring(clone: Clone, entry: Published, key: str, pin: Pin | None) -> tuple[Path, Digest, str]:
    """Try the sources in their order; return the verified partial file and how it came."""
    part = clone.cache.temporary / f"{key}.part"
    held = [clone.pin(file) for file in entry.files if entry.archive]
    room = sum(pin.size or 0 for pin in held if pin)  # for what will be taken out of it
    errors: list[SourceError] = []
    for url in _addresses(clone, entry):
        began = time.monotonic()
        with Bar(entry.name) as bar:
            try:
                digest = _from(url, Wanted(entry.name, part, pin, bar, room), clone)
            except SourceError as error:
                errors.append(error)
                continue
        took = max(time.monotonic() - began, 0.001)
        rate = f"{human(digest.size)} in {took:.1f} s, {human(digest.size / took)}/s"
        return part, digest, f"fetched from {transfer.host_of(url)}: {rate}"
    raise _failure(entry, part, errors)


def _addresses(clone: Clone, entry: Published) -> list[str]:
    return [sources.read(clone.root / "sources", entry.name).url]


def _from(url: str, wanted: Wanted, clone: Clone) -> Digest:
    if not drive.serves(url):
        return transfer.bring(url, wanted, clone.line)
    digest = drive.bring(url, wanted, clone.line.network)
    return transfer.verified(url, wanted, digest)


def _take(clone: Clone, part: Path, files: list[Checkpoint]) -> dict[Checkpoint, Digest]:
    """Write members beside the archive and check each against its pin."""
    by_member = {str(file.member): file for file in files}
    pins = {name: clone.pin(file) for name, file in by_member.items()}
    size = archive.check(part, {name: pin.size if pin else None for name, pin in pins.items()})
    check_room(part, size, what=part.stem)
    taken: dict[Checkpoint, Digest] = {}
    for name, chunks in archive.members(part, set(by_member)):
        with refusals(part), _aside(part, by_member[name]).open("wb") as file:
            digest = digests.of_chunks(chunks, file.write)
        pin = pins[name]
        if pin and not pin.matches(digest):
            raise transfer.mismatch(f"{name} in the archive", pin, digest)
        taken[by_member[name]] = digest
    return taken


def _aside(part: Path, file: Checkpoint) -> Path:
    return part.with_name(f"{part.stem}.{quote(str(file.member), safe='')}.member")


def _failure(entry: Published, part: Path, errors: Sequence[CheckpointError]) -> CheckpointError:
    """Return the error a user sees: what was tried, the state of the disk, the next step."""
    if len(errors) == 1:
        what, details = f"{entry.name}: {errors[0].what}", errors[0].details
    else:
        what = f"{entry.name}: none of {len(errors)} sources has it"
        details = tuple(line for error in errors for line in (error.what, *error.details))
    kept = partial.kept(part)
    begun = f"; {kept:,} bytes are kept for the next run" if kept else ""
    paths = ", ".join(file.path for file in entry.files)
    return CheckpointError(
        what,
        *details,
        f"models/ and the cache are as they were{begun}.",
        "Next: run the same command again, it goes on where it stopped; or, if you have the",
        f"file from elsewhere, put it at {paths}: it is checked and kept.",
    )
