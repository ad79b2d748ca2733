"""What a command works on: the catalogue, pins, cache and transfer limits of one clone."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.catalogue import history, params, witnesses
from scripts.catalogue.inventory import INVENTORY
from scripts.catalogue.pins import Pin
from scripts.checkout import journal
from scripts.console.errors import CatalogueError, UsageError
from scripts.download.request import TransferLimits
from scripts.files import locks
from scripts.storage.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from scripts.catalogue.params import Catalogue, Checkpoint, Published


@dataclass(frozen=True)
class Clone:
    """A clone of this repository, read once at the start of a command."""

    root: Path
    catalogue: Catalogue
    pins: dict[str, Pin]
    cache: Cache
    limits: TransferLimits
    stated: frozenset[str] = frozenset()  # paths whose pin the user has just stated
    # Shared by the downloads of a run: candidates that are down, and a lock, as there is room for
    # one archive beside its members. Whoever holds the other lets no thread put a file in place.
    unreachable: set[str] = field(default_factory=set)
    unpacking: threading.Lock = field(default_factory=threading.Lock)
    placing: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def at(cls, root: Path) -> Clone:
        """Read the clone at `root`, once a change that was cut short is undone.

        Raises UsageError, CatalogueError or DiskError.
        """
        return cls._read(root)[0]

    @classmethod
    def _read(cls, root: Path) -> tuple[Clone, Any]:
        """Return the clone, and the document of its lock."""
        if not (root / ".dvc").is_dir():
            what = f"{root} is not the root of the repository: it has no .dvc folder"
            raise UsageError(what, "Next: call the clone's ./checkpoints, from any folder.")
        journal.recover(root)
        return cls.as_it_is(root)

    @classmethod
    def as_it_is(cls, root: Path) -> tuple[Clone, Any]:
        """Return the clone and the document of its lock; a change that was cut short stays so.

        Raises CatalogueError.
        """
        holds, (document, pinned) = params.read(root / "params.yaml"), history.pinned(root)
        pinned.pop(INVENTORY, None)  # it is in git, not on a remote
        clone = cls(root, holds, pinned, Cache(root), TransferLimits(holds.network))
        return clone, document

    @classmethod
    def checked(cls, root: Path, *, first_use: Collection[str] = ()) -> Clone:
        """Read a clone whose pins are complete, but for the entries `first_use`.

        Raises UsageError or CatalogueError.
        """
        clone, document = cls._read(root)
        known = [entry.name for entry in clone.catalogue.find(list(first_use))]
        witnesses.check(root, clone.catalogue, document, first_use=known)
        return clone

    @classmethod
    def examined(cls, root: Path) -> tuple[Clone, list[CatalogueError]]:
        """Read a clone for a view, whatever its pins are; return what `checked` would raise, too.

        Raises UsageError, DiskError, and CatalogueError where the catalogue cannot be read.
        """
        try:
            return cls.checked(root), []
        except CatalogueError as error:
            holds, pinned = params.read(root / "params.yaml"), dict[str, Pin]()
            with suppress(CatalogueError):
                pinned = history.pinned(root)[1]
            pinned.pop(INVENTORY, None)
            return cls(root, holds, pinned, Cache(root), TransferLimits(holds.network)), [error]

    def pin(self, file: Checkpoint) -> Pin | None:
        """Return the pin of a file, or None before its first use; a sha256 alone is a pin."""
        pin = self.pins.get(file.path, Pin(None))
        return Pin(pin.md5, pin.size, file.sha256) if pin.md5 or file.sha256 else None

    def published_pin(self, entry: Published) -> Pin | None:
        """Return the pin of what an entry's URL serves: of its file, or of the archive."""
        if not entry.archive:
            return self.pin(entry.files[0])
        return Pin(None, None, entry.sha256) if entry.sha256 else None

    def is_pinned(self, file: Checkpoint) -> bool:
        """Tell whether the repository itself has pinned a file; if not, the file is screened."""
        return file.path in self.pins and file.path not in self.stated

    @contextmanager
    def alone(self, key: str, *, name: str = "", wait: bool = True) -> Iterator[bool]:
        """Hold the lock of a key, so that only one process writes its partial file.

        A user who has to wait reads the `name` of what it is about, for a key may be a hash.
        Without `wait` this yields False if another one holds it. Raises DiskError.
        """
        path, busy = self.cache.temporary / f"{key}.lock", "another process is at work on it"
        with locks.held(path, f"{name or key}: {busy}", wait=wait) as mine:
            yield mine
