"""Objects of DVC's cache that nothing needs: found by their names, removed by DVC's own gc."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console.errors import UsageError
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dvc.repo import Repo

    from scripts.storage.cache import Cache

_NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")
_MEMBER = re.compile(rb"[0-9a-f]{32}")


def is_own(cache: Cache) -> bool:
    """Tell whether a cache is inside its clone: one outside may be that of other clones, too."""
    return cache.folder.resolve().is_relative_to(cache.root.resolve())


def unused(cache: Cache, needed: set[str], roots: Iterable[Path]) -> dict[str, Path]:
    """Return the objects that are not `needed`, by md5; those of a needed folder are.

    An object to which a link in models/ of one of the clones at `roots` leads is left out, and so
    is one with a hard link anywhere, which would free nothing. Raises DiskError.
    """
    with disk_errors(cache.folder):
        objects = {p.parent.name + p.name: p for p in sorted(cache.folder.glob("??/*"))}
        folders = [objects[md5] for md5 in needed if md5.endswith(".dir") and md5 in objects]
        members = {each.decode() for path in folders for each in _MEMBER.findall(path.read_bytes())}
        linked = {*_inodes(path for root in roots for path in _files(root / "models"))}
        spare = objects.keys() - needed - members
        return {
            md5: path
            for md5, path in objects.items()
            if md5 in spare
            and _NAME.fullmatch(md5)
            and path.stat().st_nlink == 1
            and linked.isdisjoint(_inodes([path]))
        }


def _files(folder: Path) -> Iterator[Path]:
    return (Path(at, name) for at, _, names in os.walk(folder) for name in names)


def _inodes(paths: Iterable[Path]) -> Iterator[tuple[int, int]]:
    """Yield what identifies the bytes that each path leads to; a dangling link leads nowhere."""
    for path in paths:
        with suppress(FileNotFoundError):
            at = path.stat()
            yield at.st_dev, at.st_ino


@contextmanager
def locked(root: Path) -> Iterator[Repo]:
    """Hold DVC's own lock of a clone; raise UsageError if another DVC command has it."""
    from dvc.exceptions import DvcException  # noqa: PLC0415 - they take half a second
    from dvc.repo import Repo  # noqa: PLC0415

    try:
        with Repo(str(root)) as repo, repo.lock:
            yield repo
    except DvcException as error:
        raise UsageError(f"DVC: {error}", "Nothing was removed.") from error


def collect(repo: Repo, objects: Collection[str]) -> int:
    """Let DVC's gc remove these objects of the cache; return how many it removed. Raises DiskError.

    `repo` is `locked`. Of other objects, and of those that are added meanwhile, gc sees nothing.
    """
    from dvc_data.hashfile.gc import gc  # noqa: PLC0415 - as above

    seen = copy(repo.cache.local)
    seen.all = lambda _: list(objects)
    with disk_errors(Path(seen.path)):
        return int(gc(seen, []))
