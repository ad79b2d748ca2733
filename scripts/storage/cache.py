"""DVC's cache and state: with storage/remote.py, all code that relies on DVC's internals.

Checked against DVC 3.67; the tests run the real DVC against every fact used here: an object's
path and mode, the order of link types, and the database of hashes that spares DVC from reading
gigabytes twice. If a later DVC keeps its state elsewhere, only that speed is lost.
"""

from __future__ import annotations

import errno
import getpass
import hashlib
import os
import shutil
import sqlite3
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import dvc_data.hashfile.state as dvc_state
import dvc_objects.fs.system as links
from dvc.config import Config, ConfigError
from dvc.dirs import site_cache_dir
from dvc.exceptions import DvcException
from dvc.version import version_tuple
from dvc_data.hashfile.cache import DiskError as StateError
from dvc_data.hashfile.cache import Timeout
from dvc_data.hashfile.hash_info import HashInfo
from dvc_objects.fs.generic import test_links
from dvc_objects.fs.local import LocalFileSystem
from dvc_objects.fs.utils import makedirs

from scripts.catalogue.urls import masked
from scripts.console.errors import CatalogueError
from scripts.files.disk import disk_errors, existing
from scripts.storage.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MODE = 0o444  # DVC trusts an object of this mode
# A state that cannot be written (full disk, locked, not ours) costs time, not correctness.
# KeyError: a user without an entry in /etc/passwd, as in some containers.
_STATE_ERRORS = (KeyError, OSError, sqlite3.Error, Timeout, StateError)
LINKS: dict[str, Callable[[str, str], object]] = {
    "reflink": links.reflink,
    "hardlink": links.hardlink,
    "symlink": links.symlink,
    "copy": shutil.copyfile,
}
_TYPES = ("reflink", "copy")  # DVC's own order where none is configured


class Cache:
    """The cache of one clone: objects by md5, links into the workspace, remembered hashes."""

    def __init__(self, root: Path) -> None:
        """Read the configuration of the clone at `root`; raise CatalogueError if it is invalid."""
        try:
            config = Config(str(root / ".dvc"))
        except (ConfigError, OSError) as error:
            raise CatalogueError(_at_fault(root / ".dvc"), [masked(str(error))]) from error
        self.root = root
        self.temporary = root / ".dvc" / "tmp" / "fetch"
        section = config["cache"]
        self.folder = Path(section.get("dir") or root / ".dvc" / "cache") / "files" / "md5"
        self._types = tuple(section.get("type") or _TYPES)
        self._group = section.get("shared") == "group"
        self.objects = Objects(root, config)
        self._fs = LocalFileSystem()
        self._state: dvc_state.StateBase = dvc_state.StateNoop()
        with suppress(*_STATE_ERRORS):
            self._state = dvc_state.State(str(root), _state_folder(root, config))

    def object(self, md5: str) -> Path:
        """Return the path of the object of this md5, whether it exists or not."""
        return self.folder / md5[:2] / md5[2:]

    def known(self, path: Path) -> str | None:
        """Return the md5 that DVC has recorded of a file, if the file has not changed since."""
        with suppress(*_STATE_ERRORS):
            _, found = self._state.get(str(path), self._fs)
            return found.value if found and found.name == "md5" else None
        return None

    def remember(self, path: Path, md5: str) -> None:
        """Record the md5 of a file in DVC's state, so that DVC does not read it again."""
        with suppress(*_STATE_ERRORS):
            self._state.save(str(path), self._fs, HashInfo("md5", md5))

    def add(self, part: Path, md5: str) -> Path:
        """Move a verified file into the cache; raise DiskError."""
        target = self._room_for(md5)
        with disk_errors(target):
            move(part, target)
        self.mark_verified(md5)
        return target

    def mark_verified(self, md5: str) -> None:
        """Mark an object as verified, as DVC does: read-only, with its hash recorded.

        This comes last: a kill before the move must not leave a read-only partial file.
        """
        with suppress(OSError):  # another user owns it: then DVC hashes it itself
            self.object(md5).chmod(_MODE)
        self.remember(self.object(md5), md5)

    def distrust(self, path: Path, found: str) -> None:
        """Record what a damaged object holds, and make it writable, so that DVC distrusts it.

        Without this DVC would link it again, and record it as the pinned one.
        """
        with suppress(OSError):  # another user owns it
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        self.remember(path, found)

    def adopt(self, path: Path, md5: str) -> None:
        """Add a verified file of the workspace to the cache, by a link where possible.

        Where the file system can link, the file keeps its inode; elsewhere it is copied. So is
        the target of a symlink: a file outside the tree must not become read-only.
        """
        target, fresh = self._room_for(md5), self._fresh(md5)
        never = {"symlink", "hardlink"} if path.is_symlink() else {"symlink"}
        with disk_errors(target):
            _link(path.resolve(), fresh, [kind for kind in self._types if kind not in never])
            move(fresh, target)
        self.mark_verified(md5)

    def link(self, md5: str, path: Path) -> None:
        """Link the object of this md5 to `path`, by the first link type that works, atomically.

        As DVC does, types are tried from the cache to the disk of `path`. Raises DiskError.
        """
        self._put(self.object(md5), md5, path, self._types)
        with suppress(*_STATE_ERRORS):  # `dvc checkout` removes it where no entry has it
            self._state.save_link(str(path), self._fs)

    def export(self, source: Path, md5: str, path: Path) -> None:
        """Put a verified file at a path outside the clone, as `link` does, but as no symlink."""
        self._put(source.resolve(), md5, path, [kind for kind in self._types if kind != "symlink"])

    def _put(self, source: Path, md5: str, path: Path, types: Iterable[str]) -> None:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._fresh(md5, beside=path.parent)
            _link(source, fresh, types)
            move(fresh, path)
        self.remember(path, md5)

    def linking(self) -> str:
        """Return the type of link that works from the cache to models/: `copy` if no other does.

        Test links are made in models/ (it may be another disk) and removed at once.
        """
        folder, here = existing(self.folder), existing(self.root / "models") / "link"
        with disk_errors(folder):
            works = test_links(list(self._types), self._fs, str(folder), self._fs, str(here))
        return works[0] if works else "copy"

    def _fresh(self, md5: str, *, beside: Path | None = None) -> Path:
        """Return a temporary name for a link; remove those of processes that were killed.

        The name is in .dvc/tmp, or in the folder `beside` if that is on another disk.
        """
        other = beside and beside.stat().st_dev != existing(self.temporary).stat().st_dev
        folder = beside if beside and other else self.temporary
        fresh = folder / f"{md5}.{os.getpid()}.{threading.get_ident()}.link"
        for left in folder.glob(f"{md5}.*.link"):
            if left == fresh or is_left(left):
                left.unlink(missing_ok=True)
        return fresh

    def _room_for(self, md5: str) -> Path:
        target = self.object(md5)
        with disk_errors(target):
            makedirs(str(target.parent), exist_ok=True, mode=0o2775 if self._group else None)
        return target


def _at_fault(folder: Path) -> str:
    """Return the configuration file that DVC cannot read."""
    with suppress(ConfigError, OSError):
        # With a file system given, DVC reads no local configuration.
        Config(str(folder), fs=LocalFileSystem())
        return ".dvc/config.local"
    with suppress(ConfigError, OSError):
        Config()
        return ".dvc/config"
    return "the configuration of this user or machine (`dvc config --list --show-origin`)"


def _link(source: Path, target: Path, types: Iterable[str]) -> None:
    """Link by the first type that works, else copy; raise OSError, and then leave no half copy."""
    for kind in (*types, "copy"):
        try:
            LINKS[kind](str(source), str(target))
        except (OSError, NotImplementedError):  # noqa: PERF203 - the next type may work
            target.unlink(missing_ok=True)
            if kind == "copy":
                raise
        else:
            return


def move(source: Path, target: Path) -> None:
    """Rename into place; across file systems copy beside the target first, then rename.

    Raises OSError, and then `source` is where it was.
    """
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            if os.access(source.parent, os.W_OK):
                error.filename = str(target)  # the side at fault
            raise
        beside = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        try:
            shutil.copy2(source, beside, follow_symlinks=False)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
        source.unlink()


def is_left(link: Path) -> bool:
    """Tell whether a path is a temporary link, or half a copy, of a process that was killed."""
    name, _, kind = link.name.rpartition(".")
    return kind == "link" and not _runs(name.split(".")[1])


def _runs(pid: str) -> bool:
    try:
        with suppress(PermissionError):  # it runs, for another user
            os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    return True


def _state_folder(root: Path, config: Config) -> str:
    """Return where DVC keeps the state of a clone (dvc.repo.Repo.site_cache_dir).

    Asking Repo itself would cost every stage 0.2 s for its import; it makes what is missing.
    """
    stamp = root / ".dvc" / "tmp" / "btime"
    repos = Path(site_cache_dir(config["core"].get("site_cache_dir")), "repo")
    if not stamp.exists() or not repos.is_dir():
        from dvc.repo import Repo  # noqa: PLC0415 - only before the first DVC command of a clone

        with suppress(DvcException):  # the next DVC command reports it, such as: no git repository
            Repo(str(root)).close()
    token = (str(root), None, stamp.stat().st_mtime, getpass.getuser(), version_tuple[0], 0)
    name = hashlib.md5(str(token).encode(), usedforsecurity=False).hexdigest()
    return str(repos / name)
