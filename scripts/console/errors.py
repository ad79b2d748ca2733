"""What can go wrong, said for a person: what, both values, the state of the disk, the next step."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class CheckpointError(Exception):
    """A failure the user can act on: one line that says what, then indented details."""

    exit_code = 1

    def __init__(self, what: str, *details: str) -> None:
        """Keep the headline and its details apart, so that callers can add to them."""
        super().__init__(what, *details)
        self.what = what
        self.details = details

    @property
    def facts(self) -> tuple[str, ...]:
        """The details before the next step, for a caller that knows a better one."""
        return tuple(takewhile(lambda line: not line.startswith("Next: "), self.details))

    def __str__(self) -> str:
        """Return the whole message, details indented by two spaces."""
        return "\n".join([self.what, *(f"  {line}" for line in self.details)])


class UsageError(CheckpointError):
    """The command was called with words that mean nothing here."""

    exit_code = 2


_TORN = "Next: `git checkout dvc.lock`, unless you edit it yourself: a kill of DVC may leave half."


class CatalogueError(UsageError):
    """params.yaml, dvc.lock, dvc.yaml or a source is malformed; all faults at once."""

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        """Name the file and list every fault in it."""
        count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
        step = (_TORN,) if where == "dvc.lock" else ()
        super().__init__(f"{where}: {count}", *faults, "Nothing was fetched or changed.", *step)
        self.faults = tuple(faults)


class SourceError(CheckpointError):
    """One source could not give the bytes; another one may.

    `altogether`: it would fail in the same way for every other file: not reached, or no account.
    """

    def __init__(self, what: str, *details: str, host_down: bool = False) -> None:
        """Keep whether there is any sense in asking the source for another file."""
        super().__init__(what, *details)
        self.host_down = host_down


class TransientError(SourceError):
    """The same source may give the bytes if it is asked again, after `wait` seconds if known."""

    def __init__(self, what: str, *, wait: float | None = None, connected: bool = True) -> None:
        """Keep what the publisher said about when to come back, and whether it was reached."""
        super().__init__(what)
        self.wait = wait
        self.connected = connected


class ContentError(SourceError):
    """A source gave bytes, and they are not the pinned ones."""


class ArchiveError(SourceError):
    """An archive is broken or hostile; nothing of it was written."""


class DiskError(CheckpointError):
    """The disk is full, read-only or otherwise refuses; no source can help."""


class RoomError(DiskError):
    """There is less room than a source says is needed; nothing was written."""


class PickleError(CheckpointError):
    """A pickle is broken or reaches for more than it may; nothing of it was run."""


class StoppedError(CheckpointError):
    """The user stopped the command."""

    exit_code = 130
