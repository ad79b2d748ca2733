"""DVC's state: the hashes that it remembers of files, and the links that it has made.

Two databases of diskcache, read and written as DVC 3.67 does it (dvc_data.hashfile.state); the
tests hold every fact used here against the real DVC. Its own module would cost each stage 0.15 s,
for file systems in a cloud. A state that cannot be used costs time alone: files are hashed again.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import pickle
import sqlite3
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.storage.settings import Settings

_MAJOR = 3  # version of DVC
_VERSION = 1  # of an entry; DVC ignores a newer one
_PATIENCE = 60  # seconds until a database that another process has locked is given up
# A full disk, a database that is broken, locked or not ours; KeyError: a user without an entry in
# /etc/passwd, as in some containers.
_ERRORS = (KeyError, OSError, sqlite3.Error)
_SAVE = """
    INSERT INTO Cache (key, raw, store_time, expire_time, access_time, tag, mode, filename, value)
    VALUES (?, 1, 0, NULL, 0, NULL, ?, NULL, ?)
    ON CONFLICT (key, raw) DO UPDATE SET mode = excluded.mode, value = excluded.value
"""
_TEXT, _PICKLE = 1, 4  # kinds of a value


def torn(root: Path) -> str | None:
    """Return the name of DVC's list of what is read and written now, if a kill has torn it.

    DVC writes it in place, and refuses every command after that.
    """
    name = ".dvc/tmp/rwlock"
    with suppress(OSError):
        try:
            json.loads((root / name).read_bytes())
        except ValueError:
            return name
    return None


class State:
    """The state of one clone. Nothing is raised where it cannot be read or written."""

    def __init__(self, root: Path, config: Settings) -> None:
        """Find the databases; open none yet."""
        self._root = root
        self.folder: Path | None = None
        self._lock, self._opened = threading.Lock(), dict[str, sqlite3.Connection]()
        with suppress(*_ERRORS):
            self.folder = _folder(root, config)

    def known(self, path: Path) -> str | None:
        """Return the md5 that DVC has recorded of a file, if the file has not changed since."""
        rows: list[Any] = []
        with suppress(*_ERRORS), self._database("hashes/local") as database:
            query = "SELECT value FROM Cache WHERE key = ? AND raw = 1"
            rows = database.execute(query, (str(path),)).fetchall()
        with suppress(OSError, ValueError, LookupError, TypeError):
            entry = json.loads(rows[0][0])
            if entry["version"] == _VERSION and entry["checksum"] == _token(path.stat()):
                return str(entry["hash_info"]["md5"])
        return None

    def remember(self, path: Path, md5: str) -> None:
        """Record the md5 of a file, so that DVC does not read it again."""
        with suppress(*_ERRORS), self._database("hashes/local") as database:
            found = path.stat()
            entry = {
                "version": _VERSION,
                "checksum": _token(found),
                "size": found.st_size,
                "hash_info": {"md5": md5},
            }
            database.execute(_SAVE, (str(path), _TEXT, json.dumps(entry)))

    def remember_link(self, path: Path) -> None:
        """Record a link: `dvc checkout` removes it where no entry of the catalogue has it."""
        with suppress(*_ERRORS), self._database("links") as database:
            made = path.lstat().st_ino, str(round(path.stat().st_mtime * 1_000_000_000))
            value = pickle.dumps(made, protocol=4)  # as DVC reads it; never loaded here
            key = os.path.relpath(path, self._root)
            database.execute(_SAVE, (key, _PICKLE, sqlite3.Binary(value)))

    @contextmanager
    def _database(self, name: str) -> Iterator[sqlite3.Connection]:
        """Yield the connection that all threads share, one after another; raise OSError."""
        if self.folder is None:
            raise FileNotFoundError(name)
        with self._lock:
            if name not in self._opened:
                self._opened[name] = _open(self.folder / name)
            yield self._opened[name]


def _open(folder: Path) -> sqlite3.Connection:
    path = folder / "cache.db"
    if not path.exists():
        from dvc_data.hashfile.cache import Cache  # noqa: PLC0415 - before DVC's first command

        Cache(str(folder), timeout=_PATIENCE).close()
    opened = sqlite3.connect(path, _PATIENCE, isolation_level=None, check_same_thread=False)
    opened.execute("PRAGMA synchronous = NORMAL")  # as DVC does: a lost row is hashed again
    return opened


def _token(found: os.stat_result) -> str:
    """Return what changes with the content of a file."""
    facts = ([found.st_ino, found.st_mtime, found.st_size],)
    return str(int(hashlib.md5(str(facts).encode(), usedforsecurity=False).hexdigest(), 16))


def _folder(root: Path, config: Settings) -> Path:
    """Return where DVC keeps the state of a clone (dvc.repo.Repo.site_cache_dir).

    Asking Repo itself would cost every stage 0.2 s for its import; it makes what is missing.
    """
    stamp = root / ".dvc" / "tmp" / "btime"
    repos = Path(_site(config), "repo")
    if not stamp.exists() or not repos.is_dir():
        from dvc.exceptions import DvcException  # noqa: PLC0415 - before DVC's first command
        from dvc.repo import Repo  # noqa: PLC0415

        with suppress(DvcException):  # the next DVC command reports it, such as: no git repository
            Repo(str(root)).close()
    token = (str(root), None, stamp.stat().st_mtime, getpass.getuser(), _MAJOR, 0)
    name = hashlib.md5(str(token).encode(), usedforsecurity=False).hexdigest()
    return repos / name


def _site(config: Settings) -> str:
    """Return the folder that the clones of this machine share (dvc.dirs.site_cache_dir)."""
    given = os.environ.get("DVC_SITE_CACHE_DIR") or config["core"].get("site_cache_dir")
    if given or sys.platform != "darwin":
        return str(given or "/var/tmp/dvc")  # noqa: S108 - as DVC does
    return platformdirs.site_cache_dir("dvc", "iterative", opinion=True)
