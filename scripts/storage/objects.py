"""The team's remote as a source: where an object may be, found without loading all of DVC."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from scripts.catalogue.urls import is_safe, masked
from scripts.console.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from scripts.storage.remote import Remote
    from scripts.storage.settings import Settings

    Opener = Callable[[], AbstractContextManager[IO[bytes]]]

_PLAIN = {"url", "verify", "read_timeout", "connect_timeout"}  # https without an account
_NAMED = {"version_aware", "worktree"}  # remotes that keep files under their own names


class Objects:
    """The objects of the default remote of `dvc push`."""

    def __init__(self, root: Path, config: Settings) -> None:
        """Take its name and URL from the configuration; send no request."""
        self.name: str = config["core"].get("remote", "")
        self._root, self._settings = root, config["remote"].get(self.name, {})
        self._lock = threading.Lock()
        self._remote: Remote | None = None

    def find(self, md5: str) -> str | Path | Opener | None:
        """Return where the object of this md5 may be: a URL, a file, or what opens it."""
        url, below = self._settings.get("url"), f"files/md5/{md5[:2]}/{md5[2:]}"
        if not url or self._settings.keys() & _NAMED:
            return None
        if "://" not in url:
            path = Path(url, below)
            with suppress(PermissionError):  # then opening it gives the reason
                return path if path.is_file() else None
            return path
        if is_safe(url) and not self._settings.keys() - _PLAIN:
            return f"{url.rstrip('/')}/{below}"  # which our own transfer can resume
        return partial(self._open, md5)

    @property
    def url(self) -> str | None:
        """Its address, without a password; None if no remote is configured."""
        url = self._settings.get("url")
        return masked(url) if url else None

    @contextmanager
    def _open(self, md5: str) -> Iterator[IO[bytes]]:
        """Open an object through DVC; raise SourceError."""
        # Only where nothing but DVC can read the remote: these imports take 0.3 s.
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
