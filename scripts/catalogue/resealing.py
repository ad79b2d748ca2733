"""Which pins may be sealed: those that git has, and new ones on which all files agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.catalogue import (
    artifacts,
    history,
    inventory,
    params,
    sources,
    witnesses,
)
from scripts.catalogue.inventory import INVENTORY
from scripts.catalogue.lock import LOCK
from scripts.catalogue.params import TREE
from scripts.catalogue.pins import Pin
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.catalogue.params import Catalogue, Published
    from scripts.catalogue.witnesses import Hashes

_NEXT = (
    "Next: `git checkout FILE` restores a damaged file. A pin is added by `python -m",
    "scripts.import_url`, changed by `scripts.repin` and dropped by `scripts.remove`.",
)


def believed(root: Path) -> dict[str, Pin]:
    """Return the pins of the lock, with those that it lost restored; raise CatalogueError.

    Of a path that models.json of the last commit or of a merge parent lists, that md5 is believed
    and no other. Of a new path, params.yaml, dvc.lock and sources/ must agree. A sha256 or a file
    that a commit has may go only where params.yaml is committed, or nothing else names the file.
    What repin has written, and no commit has yet, agrees in all files, and is believed.
    """
    known = list(history.sealed(root))
    if not known:  # no git, or no commit
        return witnesses.read(root)[1]
    holds, (document, pinned) = params.read(root / "params.yaml"), history.pinned(root)
    witnesses.sealed_tree(root)  # raises if models.dvc is damaged
    faults = [*witnesses.sizeless_end(document), *_lost(root, holds)]
    agreed = _agreed(root, holds, document)
    known += [agreed]
    for entry in holds.published.values():
        faults += _settle(root, entry, pinned, known)
    if (
        not agreed
        and history.read(root, "HEAD", "params.yaml") != (root / "params.yaml").read_bytes()
    ):
        faults += _changed(holds, known, *witnesses.recorded(document))
    if faults:
        raise CatalogueError("the catalogue", faults, *_NEXT)
    return pinned


def _agreed(root: Path, holds: Catalogue, document: Any) -> Mapping[str, Pin]:  # noqa: ANN401
    """Return what models.json lists if all files of the catalogue agree on it, else nothing."""
    try:
        witnesses.check(root, holds, document)
        return inventory.listed(root) or {}
    except CatalogueError:
        return {}


def _settle(
    root: Path, entry: Published, pinned: dict[str, Pin], known: Sequence[Mapping[str, Pin]]
) -> Iterator[str]:
    """Complete the pins of an entry from what is known; yield what cannot be believed."""
    for file in entry.files:
        path, pin = file.path, pinned.get(file.path)
        theirs = [one[path] for one in known if path in one and one[path].md5]
        if not theirs:
            yield from _doubts(root, entry, path, pin)
        elif pin is None and len({one.md5 for one in theirs}) == 1:
            pinned[path] = _sized(Pin(theirs[0].md5), theirs)
        elif pin is None or pin.md5 not in {one.md5 for one in theirs}:
            ours = pin.md5 if pin else "no md5"
            yield f"{path}: {ours} in {LOCK}, {' or '.join(_md5s(theirs))} in {INVENTORY} of git"
        elif (sizes := _sizes(pin, theirs)) and pin.size not in (None, *sizes):
            yield f"{path}: {pin.size} bytes in {LOCK}, {min(sizes)} in that of git"
        else:
            pinned[path] = _sized(pin, theirs)


def _sized(pin: Pin, theirs: Sequence[Pin]) -> Pin:
    for one in theirs:
        pin = pin.sized(one)
    return pin


def _sizes(pin: Pin, theirs: Sequence[Pin]) -> set[int]:
    return {one.size for one in theirs if one.md5 == pin.md5 and one.size is not None}


def _md5s(theirs: Sequence[Pin]) -> list[str]:
    return sorted({str(one.md5) for one in theirs})


def _doubts(root: Path, entry: Published, path: str, pin: Pin | None) -> Iterator[str]:
    """Yield why a path that no commit knows may not be sealed."""
    if pin is None:
        yield f"{path}: new, and without a pin in {LOCK}"
        return
    source = sources.read(root / "sources", entry.name)
    if not entry.archive and None not in (source.size, pin.size) and source.size != pin.size:
        yield f"{path}: {pin.size} bytes in {LOCK}, {source.size} in sources/{entry.name}.dvc"


def _lost(root: Path, holds: Catalogue) -> Iterator[str]:
    """Yield which files and entries other files of the catalogue name, and params.yaml does not."""
    described = [path for path in artifacts.read(root / "dvc.yaml") if path.startswith(f"{TREE}/")]
    if lost := [path for path in described if path not in holds.files]:
        yield f"dvc.yaml describes {witnesses.some(lost)}: not in params.yaml"
    names = [path.stem for path in sorted((root / "sources").glob("[!.]*.dvc"))]
    if lost := [name for name in names if name not in holds.published]:
        yield f"sources/ has {witnesses.some(lost)}: not in params.yaml"


def _changed(
    holds: Catalogue, known: Sequence[Mapping[str, Pin]], files: Hashes, archives: Hashes
) -> Iterator[str]:
    """Yield each sha256 that params.yaml has lost or changed."""
    for path, file in holds.files.items():
        theirs = {one[path].sha256 for one in known if path in one} or {files.get(path)}
        if None not in theirs and file.sha256 not in theirs:
            others = " or ".join(sorted(map(str, theirs)))
            yield f"{path}: sha256 {file.sha256} in params.yaml, {others} before"
    for name, sha256 in archives.items():
        entry = holds.published.get(name)
        if sha256 and entry and entry.archive and entry.sha256 != sha256:
            yield f"{name}: sha256 {entry.sha256} in params.yaml, {sha256} in {LOCK}"
