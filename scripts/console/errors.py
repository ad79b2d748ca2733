"""Errors for users: what failed, both values, the state of the disk, the next step."""

from __future__ import annotations

import signal
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class CheckpointError(Exception):
    """A failure that the user can act on: a headline, then indented details."""

    exit_code = 1

    def __init__(self, what: str, *details: str) -> None:
        """Keep headline and details separate, so that callers can add to them."""
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
    """The command was called with wrong arguments, or the repository is not set up correctly."""

    exit_code = 2


class CatalogueError(UsageError):
    """params.yaml, dvc.lock, dvc.yaml or a source is malformed; it lists all faults."""

    def __init__(self, where: str, faults: Sequence[str], *steps: str) -> None:
        """Name the file, list its faults and, if they are known, the next steps."""
        count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
        super().__init__(f"{where}: {count}", *faults, "Nothing was fetched or changed.", *steps)
        self.where, self.faults, self.steps = where, tuple(faults), steps


class SourceError(CheckpointError):
    """One source failed; another one may have the bytes.

    `host_down`: every other file would fail in the same way (no connection, or no account).
    """

    def __init__(self, what: str, *details: str, host_down: bool = False) -> None:
        """Keep whether the source can be skipped for other files."""
        super().__init__(what, *details)
        self.host_down = host_down


class TransientError(SourceError):
    """A retry of the same source may succeed, after `wait` seconds if they are known."""

    def __init__(self, what: str, *, wait: float | None = None, connected: bool = True) -> None:
        """Keep the Retry-After of the publisher, and whether there was a connection."""
        super().__init__(what)
        self.wait = wait
        self.connected = connected


class ContentError(SourceError):
    """A source sent other bytes than the pinned ones."""


class ArchiveError(SourceError):
    """An archive is broken or hostile; none of its members was installed."""


class DiskError(CheckpointError):
    """The disk is full, read-only or broken; another source does not help."""


class RoomError(DiskError):
    """There is less room than the file needs; nothing was written."""


class PickleError(CheckpointError):
    """A pickle is broken or imports what is not allowed; none of its code was run."""


class StoppedError(CheckpointError):
    """A signal stopped the command: Ctrl-C, the end of its terminal or of its batch job."""

    exit_code = 128 + signal.SIGINT


class OutputError(CheckpointError):
    """A result could not be printed: stdout is closed, or its disk is full."""

    exit_code = 74  # EX_IOERR of sysexits.h
