"""DVC's cache: where its objects are, and how they are linked into the workspace.

Like all of storage/ it relies on DVC's internals. Checked against DVC 3.67; the tests run the real
DVC against every fact used here: an object's path and mode, and the order of link types.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import stat
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.files import digests
from scripts.files.disk import disk_errors, existing
from scripts.storage import settings
from scripts.storage.objects import Objects
from scripts.storage.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MODE = 0o444  # DVC trusts an object of this mode
_TYPES = ("reflink", "copy")  # DVC's own order where none is configured


class Cache:
    """The cache of one clone: objects by md5, links into the workspace, remembered hashes."""

    def __init__(self, root: Path) -> None:
        """Read the configuration of the clone at `root`; raise CatalogueError if it is invalid."""
        config = settings.read(root)
        self.root = root
        self.temporary = root / ".dvc" / "tmp" / "fetch"
        section = config["cache"]
        self.folder = Path(section.get("dir") or root / ".dvc" / "cache") / "files" / "md5"
        self._types = tuple(section.get("type") or _TYPES)
        self._group = section.get("shared") == "group"
        self.objects = Objects(root, config)
        self._state = State(root, config)

    def object(self, md5: str) -> Path:
        """Return the path of the object of this md5, whether it exists or not."""
        return self.folder / md5[:2] / md5[2:]

    def known(self, path: Path) -> str | None:
        """Return the md5 that DVC has recorded of a file, if the file has not changed since."""
        return self._state.known(path)

    def md5(self, path: Path) -> str:
        """Return the md5 of a file, which is read unless DVC has hashed it; raise DiskError."""
        with disk_errors(path):
            return self.known(path) or digests.of_file(path, sha256=False).md5

    def remember(self, path: Path, md5: str) -> None:
        """Record the md5 of a file in DVC's state, so that DVC does not read it again."""
        self._state.remember(path, md5)

    def add(self, part: Path, md5: str) -> Path:
        """Move a verified file into the cache, unless it is there already; raise DiskError.

        An object that is verified is kept: its links would be copies of what replaces it.
        """
        target = self._room_for(md5)
        with disk_errors(target):
            if self.known(target) == md5:
                part.unlink()
            else:
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
        self._state.remember_link(path)

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
        from dvc_objects.fs.generic import test_links  # noqa: PLC0415 - takes 0.1 s
        from dvc_objects.fs.local import localfs  # noqa: PLC0415

        folder, here = existing(self.folder), existing(self.root / "models") / "link"
        with disk_errors(folder):
            works = test_links(list(self._types), localfs, str(folder), localfs, str(here))
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
            if self._group:
                from dvc_objects.fs.utils import makedirs  # noqa: PLC0415 - takes 0.1 s

                makedirs(str(target.parent), exist_ok=True, mode=0o2775)
            target.parent.mkdir(parents=True, exist_ok=True)
        return target


def _hardlink(source: str, target: str) -> None:
    os.link(os.path.realpath(source), target)  # the object itself may be a symlink


@cache
def _system() -> Any:  # noqa: ANN401
    """Return DVC's module of links alone: its package takes 0.1 s to import."""
    package: Any = importlib.util.find_spec("dvc_objects")
    path = Path(package.origin).parent / "fs" / "system.py"
    spec: Any = importlib.util.spec_from_file_location("dvc_objects_fs_system", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _reflink(source: str, target: str) -> None:
    _system().reflink(source, target)


LINKS: dict[str, Callable[[str, str], object]] = {
    "reflink": _reflink,
    "hardlink": _hardlink,
    "symlink": os.symlink,
    "copy": shutil.copyfile,
}


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
