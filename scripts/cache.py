"""DVC's cache and state: the one module that knows what DVC keeps to itself.

Checked against DVC 3.67. tests/test_cache.py runs the real DVC against every fact used here:
an object's place and mode, the order of link types, and the database that spares DVC from
reading gigabytes twice. If a later DVC keeps its state elsewhere, only that speed is lost.
"""

from __future__ import annotations

import errno
import getpass
import hashlib
import os
import shutil
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import dvc_data.hashfile.state as dvc_state
import dvc_objects.fs.system as links
from dvc.config import Config, ConfigError
from dvc.dirs import site_cache_dir
from dvc.version import version_tuple
from dvc_data.hashfile.cache import DiskError as StateError
from dvc_data.hashfile.cache import Timeout
from dvc_data.hashfile.hash_info import HashInfo
from dvc_objects.fs.local import LocalFileSystem

from scripts.disk import refusals
from scripts.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODE = 0o444  # DVC takes an object of this mode for verified
_TYPES = ("reflink", "copy")  # DVC's own order where none is configured


class Cache:
    """The cache of one clone: objects by md5, links into the workspace, remembered hashes."""

    def __init__(self, root: Path) -> None:
        """Read the configuration of the clone at `root`; raise CatalogueError if it is broken."""
        try:
            config = Config(str(root / ".dvc"))
        except ConfigError as error:
            raise CatalogueError(".dvc/config", [str(error)]) from error
        self.root = root
        self.temporary = root / ".dvc" / "tmp" / "fetch"
        section = config["cache"]
        self.folder = Path(section.get("dir") or root / ".dvc" / "cache") / "files" / "md5"
        self._types = tuple(section.get("type") or _TYPES)
        self._group = section.get("shared") == "group"
        self._fs = LocalFileSystem()
        with _state_is_optional():
            self._state = dvc_state.State(str(root), _state_folder(root, config))

    def object(self, md5: str) -> Path:
        """Return where the object of this md5 lies, whether it exists or not."""
        return self.folder / md5[:2] / md5[2:]

    def known(self, path: Path) -> str | None:
        """Return the md5 of a file unchanged since it was hashed, as DVC remembers it."""
        with _state_is_optional():
            _, found = self._state.get(str(path), self._fs)
            return found.value if found and found.name == "md5" else None
        return None

    def remember(self, path: Path, md5: str) -> None:
        """Tell DVC the md5 of a file, so that it does not read it again."""
        with _state_is_optional():
            self._state.save(str(path), self._fs, HashInfo("md5", md5))

    def add(self, part: Path, md5: str) -> Path:
        """Move a verified file into the cache under its md5; raise DiskError."""
        target = self._room_for(md5)
        with refusals(target):
            part.chmod(_MODE)
            _move(part, target)
        self.remember(target, md5)
        return target

    def adopt(self, path: Path, md5: str) -> None:
        """Give a verified file of the workspace to the cache without moving it, if links allow.

        Where the file system can link, the file keeps its inode; elsewhere it is copied.
        """
        target = self._room_for(md5)
        if not target.exists():
            fresh = self._fresh(md5)
            with refusals(target):
                _link(path.resolve(), fresh, [t for t in self._types if t != "symlink"])
                fresh.chmod(_MODE)
                _move(fresh, target)
        self.remember(target, md5)

    def link(self, md5: str, path: Path) -> None:
        """Put the object of this md5 at `path`, by the first link type that works, in one step."""
        source, fresh = self.object(md5), self._fresh(md5)
        with refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _link(source, fresh, self._types)
            _move(fresh, path)
        self.remember(path, md5)

    def _fresh(self, md5: str) -> Path:
        fresh = self.temporary / f"{md5}.{os.getpid()}.link"
        fresh.unlink(missing_ok=True)
        return fresh

    def _room_for(self, md5: str) -> Path:
        target = self.object(md5)
        with refusals(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if self._group:
                with suppress(PermissionError):  # somebody else of the group made it
                    target.parent.chmod(0o2775)
        return target


def _link(source: Path, target: Path, types: list[str] | tuple[str, ...]) -> None:
    kinds = {"reflink": links.reflink, "hardlink": links.hardlink, "symlink": links.symlink}
    for kind in types:
        if kind == "copy":
            break
        with suppress(OSError, NotImplementedError):
            kinds[kind](str(source), str(target))
            return
        target.unlink(missing_ok=True)
    shutil.copyfile(source, target)


def _move(source: Path, target: Path) -> None:
    """Rename into place; across file systems copy beside the target first, then rename."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            shutil.copy2(source, beside, follow_symlinks=False)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
        source.unlink()


def _state_folder(root: Path, config: Config) -> str:
    """Return where DVC keeps the state of a clone (dvc.repo.Repo.site_cache_dir).

    Asking Repo itself would cost every stage 0.2 s for its import.
    """
    stamp = root / ".dvc" / "tmp" / "btime"
    if not stamp.exists():
        _let_dvc_prepare(root)
    token = (str(root), None, stamp.stat().st_mtime, getpass.getuser(), version_tuple[0], 0)
    name = hashlib.md5(str(token).encode(), usedforsecurity=False).hexdigest()
    return str(Path(site_cache_dir(config["core"].get("site_cache_dir")), "repo", name))


def _let_dvc_prepare(root: Path) -> None:
    from dvc.repo import Repo  # noqa: PLC0415 - only before the first DVC command of a clone

    repo = Repo(str(root))
    Path(repo.site_cache_dir).mkdir(parents=True, exist_ok=True)
    repo.close()


@contextmanager
def _state_is_optional() -> Iterator[None]:
    # A state that cannot be written (full disk, locked, foreign) costs time, never correctness.
    with suppress(OSError, sqlite3.Error, Timeout, StateError):
        yield
