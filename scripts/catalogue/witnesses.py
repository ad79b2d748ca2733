"""Hold params.yaml, dvc.lock, models.json and models.dvc against each other.

DVC writes the lock in place, so a kill or a full disk may leave a smaller one that is still YAML.
What it lost would be trusted on first use. Each fact is written down at least twice: the md5 of a
file in dvc.lock and models.json, a sha256 in params.yaml, dvc.lock and models.json, the list of
files in all of them, and the hash of the whole in models.dvc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.catalogue import documents, history, inventory, lock, params, pins
from scripts.catalogue.inventory import INVENTORY
from scripts.catalogue.lock import LOCK, SEAL
from scripts.catalogue.params import TREE
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from scripts.catalogue.params import Catalogue
    from scripts.catalogue.pins import Pin

    Hashes = dict[str, str | None]

_SHOWN = 3  # names in a message
_DIFF = (
    "Next: see `git diff`. Restore a damaged file with `git checkout FILE`; after a change of",
    "your own, run `./checkpoints seal`.",
)
_RESTORE = ("Next: `git checkout dvc.lock`: the last commit has these pins.",)
_FIRST_USE = (
    "Next: `./checkpoints import-url` adds a new file with its pin. To trust the publisher of",
    "an entry that has none: `./checkpoints fetch --trust-first-use NAME`, then",
    "`./checkpoints dvc commit --force STAGE` and `./checkpoints seal`.",
)


def check(
    root: Path,
    holds: Catalogue,
    document: Any,  # noqa: ANN401 - a yaml document is any data
    *,
    first_use: Collection[str] = (),
) -> None:
    """Raise CatalogueError unless every file has a pin and all that is recorded agrees.

    `holds` is what params.yaml says, `document` that of dvc.lock. The entries that `first_use`
    names may have no pin, if nothing has recorded one; a sha256 in params.yaml alone is a pin, too.
    """
    found = _Found(root, holds, document, pins.of(document, LOCK), inventory.listed(root))
    allowed = {file.path for name in first_use for file in holds.published[name].files}
    if lacking := [path for path in found.lacking() if path in found.known or path not in allowed]:
        committed = history.locked(root, "HEAD").keys() >= set(lacking)
        what = f"{len(lacking)} of {len(holds.files)} files have no pin: {some(lacking)}"
        raise CatalogueError(LOCK, [what], *(_RESTORE if committed else _FIRST_USE))
    if faults := [*found.strangers(), *found.contradictions(), *found.end(), *found.seal()]:
        raise CatalogueError("the catalogue", faults, *_DIFF)


def read(root: Path) -> tuple[Catalogue, dict[str, Pin]]:
    """Return what params.yaml and dvc.lock say; raise CatalogueError as `check` does."""
    holds, (document, pinned) = params.read(root / "params.yaml"), history.pinned(root)
    check(root, holds, document)
    return holds, pinned


def check_sealed(root: Path, holds: Catalogue) -> None:
    """Raise CatalogueError if a file of the catalogue is not in models.json yet."""
    listed = inventory.listed(root)
    if listed is not None and (new := sorted(holds.files.keys() - listed)):
        what = f"{INVENTORY} does not list {some(new)}"
        step = "Next: `./checkpoints seal`; it checks what is new."
        raise CatalogueError("the catalogue", [what], step)


def some(names: Iterable[str]) -> str:
    """Return the first names in words, and how many more there are."""
    listed = list(names)
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def recorded(document: Any) -> tuple[Hashes, Hashes]:  # noqa: ANN401 - the lock's document
    """Return the sha256 of files by path, and of archives by name, that dvc.lock has as params."""
    files: Hashes = {}
    archives: Hashes = {}
    for stage in document["stages"].values():
        given = stage.get("params")
        values = given.get("params.yaml") if isinstance(given, dict) else None
        for key, value in values.items() if isinstance(values, dict) else ():
            section, _, name = str(key).partition(".")
            if not name or not isinstance(value, dict):
                continue  # of the stage `tree`: it repeats all of them
            if section == "archives":
                archives[name] = value.get("sha256")
            rows = value.get("members", []) if section == "archives" else [value]
            maps = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
            files |= {str(row.get("path")): row.get("sha256") for row in maps}
    return files, archives


def sizeless_end(document: Any) -> Iterator[str]:  # noqa: ANN401 - the lock's document
    """Yield a fault if the last out of the lock has no size: the seal writes one that has."""
    last = list(document["stages"].values())[-1:]
    if last and last[0].get("outs") and last[0]["outs"][-1].get("size") is None:
        yield f"{LOCK}: its last entry has no size: the rest may be lost"


def sealed_tree(root: Path) -> str:
    """Return the hash of the tree that models.dvc records; raise CatalogueError."""
    seal = documents.load(root / SEAL)
    deps = seal.get("deps") if isinstance(seal, dict) else None
    rows = [row for row in deps if isinstance(row, dict)] if isinstance(deps, list) else []
    hashes = {row.get("path"): row.get("md5") for row in rows}
    if lost := [path for path in (TREE, INVENTORY) if not isinstance(hashes.get(path), str)]:
        what = f"it records no hash of {some(lost)}"
        raise CatalogueError(SEAL, [what], f"Next: `git checkout {SEAL}`.")
    return str(hashes[TREE])


@dataclass(frozen=True)
class _Found:
    """What each of the files says."""

    root: Path
    holds: Catalogue
    document: Any  # of dvc.lock
    pinned: Mapping[str, Pin]
    listed: Mapping[str, Pin] | None  # None: models.json is missing or damaged

    @property
    def known(self) -> dict[str, Pin]:
        """The files whose md5 models.json lists."""
        return {path: pin for path, pin in (self.listed or {}).items() if pin.md5}

    def lacking(self) -> list[str]:
        """Return the files without a pin, and those whose md5 is in models.json alone."""
        paths = self.holds.files.items()
        unpinned = [path for path, file in paths if path not in self.pinned]
        return [p for p in unpinned if p in self.known or not self.holds.files[p].sha256]

    def strangers(self) -> Iterator[str]:
        """Yield which files others know and params.yaml does not."""
        for name, paths in ((LOCK, self.pinned), (INVENTORY, self.listed or {})):
            tree = [path for path in paths if path.startswith(f"{TREE}/")]
            if lost := [path for path in tree if path not in self.holds.files]:
                yield f"{name} has {len(lost)} files that params.yaml has not: {some(lost)}"

    def contradictions(self) -> Iterator[str]:
        """Yield what two of the files say differently of one file or archive."""
        for path, pin in self.known.items():
            if path in self.pinned and self.pinned[path].md5 != pin.md5:
                yield f"{path}: md5 {self.pinned[path].md5} in {LOCK}, {pin.md5} in {INVENTORY}"
        files, archives = recorded(self.document)
        listed = {path: pin.sha256 for path, pin in (self.listed or {}).items()}
        given = {path: file.sha256 for path, file in self.holds.files.items()}
        own = {name: each.sha256 for name, each in self.holds.published.items() if each.archive}
        for name, theirs, ours in ((LOCK, files, given), (INVENTORY, listed, given),
                                   (LOCK, archives, own)):  # fmt: skip
            for key in theirs.keys() & ours.keys():
                if theirs[key] not in (None, ours[key]):
                    yield f"{key}: sha256 {ours[key]} in params.yaml, {theirs[key]} in {name}"

    def end(self) -> Iterator[str]:
        """Yield a fault if the lock may have lost its end."""
        yield from sizeless_end(self.document)

    def seal(self) -> Iterator[str]:
        """Yield a fault if models.dvc does not seal the pins of the files that are sealed."""
        if self.listed is not None and not (self.root / SEAL).exists():
            return  # models.json lists the same pins
        new = self.holds.files.keys() - self.known if self.listed is not None else set()
        tree = {p: self.pinned[p] for p in self.holds.files if p in self.pinned and p not in new}
        made, sealed = lock.tree_md5(tree), sealed_tree(self.root)
        if made != sealed:
            yield f"{SEAL} seals the tree {sealed}, the pins of {LOCK} make {made}"
