"""The team's remote as a source: where an object may be, told without loading DVC for it."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from scripts.catalogue.urls import is_safe
from scripts.console.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from dvc.config import Config

    from scripts.storage.remote import Remote

    Opener = Callable[[], AbstractContextManager[IO[bytes]]]

_PLAIN = {"url", "verify", "read_timeout", "connect_timeout"}  # https that asks for no account
_NAMED = {"version_aware", "worktree"}  # remotes that keep files under their own names


class Objects:
    """The objects of the remote that a bare `dvc push` writes to."""

    def __init__(self, root: Path, config: Config) -> None:
        """Take its name and address from the configuration; nothing is asked yet."""
        self.name: str = config["core"].get("remote", "")
        self._root, self._told = root, config["remote"].get(self.name, {})
        self._lock = threading.Lock()
        self._remote: Remote | None = None

    def find(self, md5: str) -> str | Path | Opener | None:
        """Return where the object of this md5 may be: an address, a file, or what opens it."""
        url, below = self._told.get("url"), f"files/md5/{md5[:2]}/{md5[2:]}"
        if not url or self._told.keys() & _NAMED:
            return None
        if "://" not in url:
            path = Path(url, below)
            with suppress(PermissionError):  # then whoever opens it is told why
                return path if path.is_file() else None
            return path
        if is_safe(url) and not self._told.keys() - _PLAIN:
            return f"{url.rstrip('/')}/{below}"  # what our own transfer can resume
        return partial(self._open, md5)

    @contextmanager
    def _open(self, md5: str) -> Iterator[IO[bytes]]:
        """Open an object through DVC; raise SourceError."""
        # Only where nothing but DVC can read the remote: these take a third of a second.
        from scripts.storage.access import RemoteError  # noqa: PLC0415
        from scripts.storage.remote import Remote  # noqa: PLC0415

        try:
            with self._lock:
                self._remote = self._remote or Remote(self._root, self.name)
            with self._remote.open(md5) as file:
                yield file
        except RemoteError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise SourceError(f"the remote {self.name} does not have it") from error
            raise SourceError(f"the remote {error.what}", host_down=True) from error
