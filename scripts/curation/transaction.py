"""A change of the catalogue: one command at a time, and all files or none, even if it is killed."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from scripts.catalogue import lock, pins
from scripts.catalogue.pins import Pin
from scripts.checkout import journal
from scripts.checkout.clone import Clone
from scripts.checkout.journal import Journal
from scripts.console.errors import CheckpointError, DiskError, OutputError, StoppedError
from scripts.console.progress import note
from scripts.console.signals import deferred
from scripts.files.disk import disk_errors, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint
    from scripts.files.digests import Digest

    Write = Callable[[Mapping[str, str | None]], None]  # texts by file name; None removes a file

_MADE = "the change is made"
_SEE = "Next: see `git diff`; do not run the command again."


def read(root: Path, name: str) -> str:
    """Return a file's text with its own line ends; raise DiskError."""
    with disk_errors(root / name):
        return (root / name).read_bytes().decode(errors="surrogateescape")


def write(root: Path, texts: Mapping[str, str]) -> None:
    """Replace files, each in one step; raise DiskError."""
    for name, text in texts.items():
        replace(root / name, text.encode(errors="surrogateescape"))


def sealed(root: Path, new: Mapping[str, Digest | Pin]) -> dict[str, str]:
    """Return dvc.lock, models.dvc and models.json with new pins, by path; raise CatalogueError."""
    fresh = {path: Pin(found.md5, found.size) for path, found in new.items()}
    return lock.render(root, pins.read(root / lock.LOCK) | fresh)


@contextmanager
def alone(root: Path) -> Iterator[Change]:
    """Wait until no other command changes the catalogue, then yield the clone as it is."""
    with journal.locked(root), ExitStack() as stack:
        journal.settle(root)
        yield Change(Clone.checked(root), stack)


@dataclass(frozen=True)
class Change:
    """A clone whose catalogue no other command changes now."""

    clone: Clone
    _stack: ExitStack

    @contextmanager
    def recorded(self, command: str, files: Iterable[Checkpoint]) -> Iterator[Write]:
        """Yield a function that writes, under a journal; undo all of it if the block raises.

        `files` are those that the block may touch under models/. At its end the change is
        complete: from then on no signal stops the command, which has to show it.
        """
        root, pins = self.clone.root, self.clone.pins
        there = {file.path: os.path.lexists(root / file.path) for file in files}
        known = {path: pins[path].md5 or "" if path in pins else "" for path in there}
        kept = Journal(command, {path: known[path] if there[path] else None for path in there})
        try:
            kept.save(root)
            yield partial(kept.write, root)
            received = self._stack.enter_context(deferred())
            kept.done(root)
        except BaseException:
            _undo(root, kept)
            raise
        self._stack.enter_context(_shown(received))
        self._stack.callback(journal.remove, root)


def _undo(root: Path, kept: Journal) -> None:
    with deferred():
        try:
            kept.undo(root)
        except DiskError as error:  # the user gets the first error, too
            note(f"{error.what}: the change is not undone yet; the next command does it")


@contextmanager
def _shown(received: list[int]) -> Iterator[None]:
    """Say that the change is made if it cannot be shown, or if a signal came meanwhile."""
    try:
        yield
    except BrokenPipeError:
        note(f"{_MADE}; the reader of its diff has gone\n  {_SEE}")
        raise
    except CheckpointError as error:
        raise OutputError(f"{_MADE}, but not all of it was shown: {error.what}", _SEE) from error
    if received:
        what = "The change is made, and shown above with the lines to keep or undo it."
        late = StoppedError("stopped after the change was complete", what)
        late.exit_code = 128 + received[0]
        raise late
