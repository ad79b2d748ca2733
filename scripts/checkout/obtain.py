"""Bring what is missing: who has it in their order, then the verified bytes to their place."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

from scripts.catalogue.pins import Pin
from scripts.checkout import candidates
from scripts.checkout.carry import carry
from scripts.checkout.outcome import Origin
from scripts.checkout.workspace import as_pin, place, reuse_local, screen
from scripts.console.errors import CheckpointError, PickleError, RoomError, SourceError
from scripts.console.progress import Bar, human, note
from scripts.download import partial
from scripts.download.request import Request, mismatch
from scripts.files import archive, stream
from scripts.files.disk import check_room

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.checkout.candidates import Candidate
    from scripts.checkout.clone import Clone
    from scripts.checkout.outcome import Outcome
    from scripts.files.digests import Digest


def bring(clone: Clone, entry: Published, *, within: Bar | None = None) -> list[Outcome]:
    """Bring every file of an entry to its place; raise CheckpointError.

    Each file comes from the first that has the pinned bytes: its place, the cache, then whom
    scripts.offers names. Progress is shown as part of the bar `within`, if one is given.
    """
    with clone.alone(_key(clone, entry)):
        outcomes = {file: reuse_local(clone, file) for file in entry.files}
        if not all(outcomes.values()):
            _ask(_Errand(clone, entry, within), outcomes)
        return [outcome for outcome in outcomes.values() if outcome]


def _ask(errand: _Errand, outcomes: dict[Checkpoint, Outcome | None]) -> None:
    """Ask one after another until no file is missing; raise CheckpointError if none is left."""
    errors: list[CheckpointError] = []
    failed = None
    for offer in candidates.candidates(errand.clone, errand.entry):
        missing = [file for file, outcome in outcomes.items() if not outcome]
        if offer.file and offer.file not in missing:
            continue
        if failed:
            note(f"{errand.entry.name}: {failed}; asking {offer.who}")
            failed = None
        try:
            outcomes.update(errand.run(offer, missing))
        except SourceError as error:
            failed = offer.failed(error)
            errors.append(error)
            if offer.is_mirror and error.host_down:
                errand.clone.limits.unreachable.add(offer.who)
        except RoomError as error:
            if not offer.is_mirror:
                raise
            failed = f"{offer.who}: {error.what}"  # it may have told a size of its own making
            errors.append(error)
        if all(outcomes.values()):
            return
    raise errand.failure(errors, [file for file, outcome in outcomes.items() if not outcome])


class _Errand:
    """The way of one entry's bytes from an offer to their places."""

    def __init__(self, clone: Clone, entry: Published, within: Bar | None) -> None:
        self.clone, self.entry, self.within = clone, entry, within

    def run(self, offer: Candidate, missing: list[Checkpoint]) -> dict[Checkpoint, Outcome]:
        """Take what an offer has of the missing files, and place them once all are verified."""
        if self.entry.archive and offer.file is None:
            with self.clone.limits.archive:
                return self._unpacked(offer, missing)
        file = offer.file or self.entry.files[0]
        pin = self.clone.pin(file)
        key = pin.md5 if pin and pin.md5 else self.entry.name
        part = self._part(key)
        # Beside the archive's own lock, a member's: another entry may have the same bytes.
        with self.clone.alone(key) if self.entry.archive else nullcontext():
            digest, how = self._carried(offer, part, pin)
            self._screen(file, part, part)
            self.clone.cache.add(part, digest.md5)
            partial.discard(part)
        return {file: place(self.clone, file, as_pin(digest), Origin.DOWNLOADED, how)}

    def _unpacked(self, offer: Candidate, missing: list[Checkpoint]) -> dict[Checkpoint, Outcome]:
        """Bring the archive, take out what is missing, and drop it."""
        pin = Pin(None, None, self.entry.sha256) if self.entry.sha256 else None
        part = self._part(self.entry.name)
        _, how = self._carried(offer, part, pin)
        try:
            taken = self._taken(part, missing)
            for file, digest in taken.items():
                self.clone.cache.add(self._aside(part, file), digest.md5)
        except SourceError:
            partial.discard(part)
            raise
        finally:
            for file in missing:
                self._aside(part, file).unlink(missing_ok=True)
        partial.discard(part)
        return {
            f: place(self.clone, f, as_pin(digest), Origin.DOWNLOADED, how)
            for f, digest in taken.items()
        }

    def _carried(self, offer: Candidate, part: Path, pin: Pin | None) -> tuple[Digest, str]:
        """Fill a partial file with verified bytes; return what they are and how they came."""
        held = [self.clone.pin(file) for file in self.entry.files if pin is None or not pin.md5]
        room = sum(pin.size or 0 for pin in held if pin)  # for what will be taken out of it
        began = time.monotonic()
        with Bar(self.entry.name, within=self.within) as bar:
            digest = carry(offer, Request(self.entry.name, part, pin, bar, room), self.clone.limits)
        took = max(time.monotonic() - began, 0.001)
        rate = f"{human(digest.size)} in {took:.1f} s, {human(digest.size / took)}/s"
        return digest, f"{offer.who}: {rate}"

    def _taken(self, part: Path, files: list[Checkpoint]) -> dict[Checkpoint, Digest]:
        """Write members beside the archive and check each against its pin."""
        by_member = {str(file.member): file for file in files}
        pins = {name: self.clone.pin(file) for name, file in by_member.items()}
        size = archive.check(part, {name: pin.size if pin else None for name, pin in pins.items()})
        check_room(part, size, what=part.stem)
        taken: dict[Checkpoint, Digest] = {}
        for name, chunks in archive.members(part, set(by_member)):
            digest = stream.pour(chunks, self._aside(part, by_member[name]), sha256=True)
            pin = pins[name]
            if pin and not pin.matches(digest):
                raise mismatch(f"{name} in the archive", pin, digest)
            self._screen(by_member[name], self._aside(part, by_member[name]), part)
            taken[by_member[name]] = digest
        return taken

    def _screen(self, file: Checkpoint, path: Path, part: Path) -> None:
        """Let no new file into the cache that a loader would run unasked."""
        try:
            screen(self.clone, file, path)
        except PickleError:
            partial.discard(part)
            raise

    def _part(self, key: str) -> Path:
        return self.clone.cache.temporary / f"{key}.part"

    def _aside(self, part: Path, file: Checkpoint) -> Path:
        # By number: a member's own name may be longer than a disk takes.
        return part.with_name(f"{part.stem}.{self.entry.files.index(file)}.member")

    def failure(self, errors: list[CheckpointError], missing: list[Checkpoint]) -> CheckpointError:
        """Return the error a user sees: what was tried, the state of the disk, the next step."""
        name = self.entry.name
        if not errors:
            what = f"{name}: nobody who may be asked has it"
            details: tuple[str, ...] = (f"asked: {candidates.order_from_env()}",)
        elif len(errors) == 1:
            what, details = f"{name}: {errors[0].what}", errors[0].details
        else:
            what = f"{name}: none of {len(errors)} sources has it"
            details = tuple(line for error in errors for line in (error.what, *error.details))
        kept = partial.kept(self._part(_key(self.clone, self.entry)))
        begun = f"; {kept:,} bytes are kept for the next run" if kept else ""
        paths = ", ".join(file.path for file in missing)
        return CheckpointError(
            what,
            *details,
            f"models/ and the cache are as they were{begun}.",
            "Next: run the same command again, it goes on where it stopped; or, if you have the",
            f"file from elsewhere, put it at {paths}: it is checked and kept.",
        )


def _key(clone: Clone, entry: Published) -> str:
    """Name the partial file of an entry: what two entries share by content they share by name."""
    pin = None if entry.archive else clone.pin(entry.files[0])
    return pin.md5 if pin and pin.md5 else entry.name
