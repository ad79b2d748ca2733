"""A checkout that loads the files of this tree: what stands at each path of its own models/."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.catalogue.params import TREE
from scripts.console.errors import UsageError
from scripts.files.disk import disk_errors, special

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNCHANGED = "Nothing was linked or changed."


class Kind(Enum):
    """What stands at a path of a consumer."""

    NOTHING = "missing"
    LINKED = "a link to this tree"
    OWN = "a file of its own"
    FOREIGN = "behind another link"
    OBSTACLE = "not a file"


@dataclass(frozen=True)
class Consumer:
    """A consumer's folder, and the tree that its links lead to.

    `root` is a path without links; `tree` is models/ of the clone as its user knows it.
    """

    root: Path
    tree: Path

    @classmethod
    def at(cls, folder: Path, clone: Path) -> Consumer:
        """Return the consumer in a folder; raise UsageError if it cannot be one."""
        path = Path(os.path.abspath(folder))  # noqa: PTH100 - `resolve` would follow its models/
        if not path.is_dir():
            what = "is not a folder" if os.path.lexists(path) else "does not exist"
            raise UsageError(f"{path} {what}", _UNCHANGED, f"Next: name the folder above {TREE}/.")
        found = cls(path.resolve(), clone / TREE)
        if path.name == TREE:
            step = f"Next: name the folder above it, {path.parent}."
            raise UsageError(f"{path} is a folder of checkpoints itself", _UNCHANGED, step)
        if found.root == clone.resolve() or found.leads_here(path):
            raise UsageError(f"{path} is this repository itself", _UNCHANGED)
        if clone.resolve().is_relative_to(found.models):
            step = f"Next: move the repository beside {found.root}, and run this again there."
            raise UsageError(f"{found.models} holds this repository itself", _UNCHANGED, step)
        return found

    @property
    def models(self) -> Path:
        """Where the consumer looks for its checkpoints."""
        return self.root / TREE

    def is_whole(self) -> bool:
        """Tell whether models/ itself is a link to the tree, so that it shows every file."""
        return self.models.is_symlink() and self.is_tree(self.models)

    def kind(self, name: str) -> Kind:
        """Return what stands at a path from the root of the consumer; raise DiskError."""
        here = self.root / name
        with disk_errors(here):
            if self.leads_here(here):
                return Kind.LINKED
            above = [folder for folder in here.parents if folder.is_relative_to(self.models)]
            if any(os.path.lexists(folder) and not folder.is_dir() for folder in above):
                return Kind.OBSTACLE
            if here.is_symlink() or not self.is_inside(name):
                return Kind.FOREIGN
            if not os.path.lexists(here):
                return Kind.NOTHING
            return Kind.OBSTACLE if special(here) else Kind.OWN

    def is_inside(self, name: str) -> bool:
        """Tell whether no link leads from the root to the folder of a path."""
        above = (self.root / name).parent
        return os.path.realpath(above) == str(above)

    def leads_here(self, path: Path) -> bool:
        """Tell whether a path is reached through the tree, or is a link to what is in it."""
        at = Path(os.path.realpath(path.parent), path.name)
        places = [at, Path(os.path.realpath(at))]
        if at.is_symlink():  # the file of the tree may itself be a link to the cache
            target = at.parent / at.readlink()
            places.append(Path(os.path.realpath(target.parent), target.name))
        return any(place.is_relative_to(tree) for place in places for tree in self._trees)

    def walk(self) -> Iterator[tuple[str, Path]]:
        """Yield what is in models/ but for folders, as name and path; raise DiskError.

        A name is a path from the root. Links are not followed.
        """
        for folder, folders, names in os.walk(self.models, onerror=_fail):
            links = [name for name in folders if Path(folder, name).is_symlink()]
            for name in sorted(names + links):
                path = Path(folder, name)
                yield path.relative_to(self.root).as_posix(), path

    def folders(self) -> list[str]:
        """Return models/ and every folder in it, as paths from the root, the deepest last."""
        found = [Path(folder) for folder, _, _ in os.walk(self.models, onerror=_fail)]
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    @property
    def _trees(self) -> tuple[Path, Path]:
        # models/ of the clone may itself be a link to another disk.
        return self.tree.parent.resolve() / TREE, self.tree.resolve()

    def is_tree(self, path: Path) -> bool:
        """Tell whether a link leads to the whole tree; raise OSError."""
        target = path.parent / path.readlink()
        return Path(os.path.realpath(target)) in self._trees


def _fail(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):  # there is no models/ yet
        return
    with disk_errors(Path(error.filename)):
        raise error
