"""Let a consumer use the tree: link its models/, or adopt what is there, file by file.

Every step is recorded before it is taken (`changes`), and none removes bytes that the cache does
not have verified: a command that was stopped is continued, or undone, by the next.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.catalogue.params import TREE
from scripts.checkout.consumers.changes import Changes
from scripts.checkout.consumers.consumer import Kind
from scripts.checkout.leftovers import key
from scripts.checkout.local import adopt, identify
from scripts.checkout.workspace import Origin, place
from scripts.console.errors import CheckpointError, DiskError, UsageError
from scripts.console.progress import QUIET, human, note
from scripts.files import digests
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.catalogue.pins import Pin
    from scripts.checkout.clone import Clone
    from scripts.checkout.consumers.consumer import Consumer

_UNCHANGED = "Nothing was linked or changed."
_MOVE = "Next: move it away, then run this again."


@dataclass
class Linked:
    """What a consumer has after `link`; paths are those from its root.

    `right`: files that load as the pinned ones. `wrong`: what is in the way, and why.
    """

    whole: bool = False  # one link shows the whole tree
    right: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)  # links or copies of this run
    adopted: list[str] = field(default_factory=list)  # files that were there, and right
    taken: list[str] = field(default_factory=list)  # those of them that the tree lacked
    wrong: dict[str, str] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)  # links of the user's that the tree replaces
    nested: list[str] = field(default_factory=list)  # links to the whole tree, inside models/


def link(clone: Clone, consumer: Consumer, *, copy: bool = False) -> Linked:
    """Let `consumer` use the tree of `clone`; raise CheckpointError.

    Its models/ becomes a link to the tree if nothing else is in there. Otherwise each file of the
    catalogue becomes a link, or with `copy` a file of its own; others are left as they are.
    """
    with clone.alone("link"):
        return _Linking(clone, consumer, copy=copy).run()


class _Linking:
    """One run of `link`: the tree's verified files, the record, and the result so far."""

    def __init__(self, clone: Clone, consumer: Consumer, *, copy: bool) -> None:
        self._clone, self._consumer, self._copy = clone, consumer, copy
        self._changes = Changes(clone, consumer)
        self._tree: dict[str, Pin] = {}  # the verified files of the tree
        self._stale: set[str] = set()  # copies that this command made of files as they were
        self._done = Linked()

    def run(self) -> Linked:
        self._open_models()
        self._each(self._verify)
        if not self._done.whole:
            self._each(self._adopt)
            self._look_around()
        if self._done.whole:
            self._done.right |= self._tree.keys()
        else:
            self._each(self._put)
        self._done.removed = self._changes.removed
        return self._done

    def _each(self, step: Callable[[Published, Checkpoint], None]) -> None:
        for entry in self._clone.catalogue.published.values():
            for file in entry.files:
                with self._clone.alone(key(self._clone, entry)):
                    step(entry, file)

    def _open_models(self) -> None:
        """Link models/ if nothing is there; refuse what is no folder, or a link of the user's."""
        models = self._consumer.models
        with disk_errors(models):
            if self._consumer.is_whole():
                self._done.whole = not self._copy
                if self._copy:
                    self._changes.remove_link(TREE)
            elif models.is_symlink():
                if str(models.readlink()) != self._changes.record.linked.get(TREE):
                    raise _foreign(models)
                models.unlink()  # made before this clone was moved
            elif os.path.lexists(models) and not models.is_dir():
                raise CheckpointError(f"{models} is not a folder", _UNCHANGED, _MOVE)
            if not self._copy and not os.path.lexists(models):
                self._make_whole()

    def _make_whole(self) -> None:
        self._changes.link(TREE)
        self._done.whole = True
        self._done.made.append(TREE)

    def _verify(self, _: Published, file: Checkpoint) -> None:
        """Verify a file of the tree, unless DVC has hashed it and it has not changed since."""
        if pin := adopt(self._clone, file, self._clone.root / file.path):
            self._tree[file.path] = pin

    def _adopt(self, _: Published, file: Checkpoint) -> None:
        """Take a file of the consumer into the cache, and replace it by a link to the tree."""
        name, kind = file.path, self._consumer.kind(file.path)
        path = self._consumer.root / name
        if kind is Kind.FOREIGN:
            self._judge(file, path)
        elif kind is Kind.OBSTACLE:
            self._done.wrong[name] = "not a file, or below what is not a folder"
        elif kind is Kind.OWN:
            known = self._clone.cache.known(path)
            if not known and QUIET not in os.environ:
                note(f"{name}: checking {human(path.stat().st_size)}")
            if pin := adopt(self._clone, file, path):
                self._take(file, pin)
            elif known and known == self._changes.record.copied.get(name):
                self._stale.add(name)
            else:
                self._done.wrong[name] = self._difference(file, path)

    def _difference(self, file: Checkpoint, path: Path) -> str:
        size, pin = path.stat().st_size, self._clone.pin(file)
        if pin and pin.size is not None and pin.size != size:
            return f"{size:,} bytes, and the pinned file has {pin.size:,}"
        return f"{size:,} bytes, and they are not those of the pinned file"

    def _take(self, file: Checkpoint, pin: Pin) -> None:
        name = file.path
        if name not in self._tree:
            self._confirm(self._consumer.root / name, pin)
            aside = place(self._clone, file, pin, Origin.CACHE).aside
            if aside:
                note(f"{name}: a wrong file was in its place in this tree; it is now {aside}")
            self._tree[name] = pin
            self._done.taken.append(name)
        self._done.right.add(name)
        if name not in self._changes.record.copied:
            self._done.adopted.append(name)
        if not self._copy:
            if name not in self._changes.record.copied:
                self._changes.record.files[name] = str(pin.md5)
            self._changes.link(name)

    def _confirm(self, path: Path, pin: Pin) -> None:
        """Read the cache's own copy of a file that gives way to a link; raise DiskError."""
        copy = self._clone.cache.object(str(pin.md5))
        with disk_errors(copy):
            if copy.samefile(path) or digests.of_file(copy, sha256=False).md5 == pin.md5:
                return
            copy.unlink()
        raise DiskError(
            f"{copy}: what was written there from {path} cannot be read back as it was",
            "The copy is removed, and the file is where it was.",
            "Next: check that disk, then run this again.",
        )

    def _judge(self, file: Checkpoint, path: Path) -> None:
        """Tell whether what is behind a link of the user's own is right; it is left as it is."""
        if path.is_file() and identify(self._clone.cache, path, self._clone.pin(file)):
            self._done.right.add(file.path)
        elif os.path.lexists(path):
            self._done.wrong[file.path] = f"a link to {os.path.realpath(path)}: not the pinned file"

    def _look_around(self) -> None:
        """Note what else is in models/; replace a folder that has nothing else by one link."""
        for name, path in self._consumer.walk():
            if not (path.is_symlink() and self._consumer.leads_here(path)):
                if name not in self._clone.catalogue.files:
                    self._done.strays.append(name)
            elif self._consumer.is_tree(path):
                self._done.nested.append(name)
        if not self._copy and self._is_ours():
            self._collapse()

    def _put(self, _: Published, file: Checkpoint) -> None:
        """Link or copy a file of the tree to where the consumer has none."""
        name, kind = file.path, self._consumer.kind(file.path)
        if not (pin := self._tree.get(name)):
            return
        if kind is Kind.FOREIGN and name not in self._done.right:
            above = os.path.realpath((self._consumer.root / name).parent)
            self._done.wrong.setdefault(name, f"its folder is a link to {above}, which has no such")
        elif kind is Kind.LINKED and not (self._copy and self._consumer.is_inside(name)):
            self._done.right.add(name)
        elif kind in (Kind.NOTHING, Kind.LINKED) or name in self._stale:
            self._changes.make_folders(name)
            if self._copy:
                self._changes.copy(name, str(pin.md5))
            else:
                self._changes.link(name)
            self._done.right.add(name)
            self._done.made.append(name)

    def _is_ours(self) -> bool:
        """Tell whether models/ can go: it has nothing but folders and links to the tree."""
        found = self._consumer.walk()
        alone = all(path.is_symlink() and self._consumer.leads_here(path) for _, path in found)
        return alone and not os.path.ismount(self._consumer.models)

    def _collapse(self) -> None:
        """Replace a folder that has nothing but links to the tree by one link to it."""
        for name in [name for name, _ in self._consumer.walk()]:
            self._changes.remove_link(name)
        self._changes.remove_folders(self._consumer.folders())
        self._done.nested.clear()
        self._make_whole()


def _foreign(models: Path) -> CheckpointError:
    return UsageError(
        f"{models} is a link to {models.readlink()}, not to this tree",
        _UNCHANGED,
        f"Next: remove the link (`rm {models}`: what it leads to stays), then run this again.",
    )
