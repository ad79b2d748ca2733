"""Take a checkpoint or an archive out of the catalogue, the lock, the seal and models/.

DVC's cache keeps the bytes, so that `git checkout` and `dvc checkout` bring it all back.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.catalogue import documents, lock
from scripts.checkout.local import reuse_local
from scripts.checkout.workspace import put_back, quarantine
from scripts.console.errors import CatalogueError, UsageError
from scripts.console.progress import note
from scripts.curation import changes, yaml_lines
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.checkout.clone import Clone


def remove(clone: Clone, entry: Published) -> None:
    """Take an entry out, everywhere; raise CheckpointError, and leave all as it was."""
    changes.refuse_dirty(clone.root)
    source = f"sources/{entry.name}.dvc"
    texts = _without(clone.root, entry)
    names = (*texts, lock.SEAL, source)
    with clone.alone(entry.name), changes.restored(clone.root, names):
        changes.write(clone.root, texts)
        lock.write(clone.root)
        with disk_errors(clone.root / source):
            (clone.root / source).unlink(missing_ok=True)
        _take_out(clone, entry.files)


def _without(root: Path, entry: Published) -> dict[str, str]:
    """Return what the files say without the entry; raise UsageError or CatalogueError."""
    lock.render(root)  # for the faults it finds in these files
    params, stages, locked, ignored = (
        changes.read(root, name)
        for name in ("params.yaml", "dvc.yaml", "dvc.lock", changes.IGNORED)
    )
    paths = {file.path for file in entry.files}
    document = documents.data(stages)
    _refuse_needed(entry, paths, document)
    section, own = "archives" if entry.archive else "checkpoints", f"unpack_{entry.name}"
    if entry.archive and own in document["stages"]:
        stages = yaml_lines.drop(stages, "stages", own)
    for name, artifact in document.get("artifacts", {}).items():
        if artifact["path"] in paths:
            stages = yaml_lines.drop(stages, "artifacts", name)
    for name, stage in documents.data(locked)["stages"].items():
        outs = {out["path"] for out in stage.get("outs", [])}
        if outs and outs <= paths:  # by path: the entry may have been renamed since
            locked = yaml_lines.drop(locked, "stages", name)
    kept = [line for line in ignored.splitlines(keepends=True) if line.strip() != f"/{entry.name}"]
    return {
        "params.yaml": yaml_lines.drop(params, section, entry.name),
        "dvc.yaml": stages,
        "dvc.lock": locked,
        changes.IGNORED: "".join(kept),
    }


def _refuse_needed(entry: Published, paths: set[str], document: Any) -> None:  # noqa: ANN401 - any yaml
    """Raise UsageError if a stage of dvc.yaml names a file of the entry among its deps."""
    stages = document.get("stages")
    if not isinstance(stages, dict) or not all(isinstance(s, dict) for s in stages.values()):
        raise CatalogueError("dvc.yaml", ["no map of stages"])
    for name, stage in stages.items():
        needed = sorted(paths & {dep for dep in stage.get("deps") or [] if isinstance(dep, str)})
        if needed:
            raise UsageError(
                f"{entry.name}: stage {name} needs {', '.join(needed)}",
                "Nothing was changed.",
                f"Next: take {entry.name} out of {name} in dvc.yaml, commit, and run again.",
            )


def _take_out(clone: Clone, files: Sequence[Checkpoint]) -> None:
    """Unlink files whose bytes the cache has, and put any other aside; all of them or none."""
    present = [file for file in files if os.path.lexists(clone.root / file.path)]
    with ExitStack() as undo:
        for file in present:
            path = clone.root / file.path
            if clone.pin(file) and reuse_local(clone, file):
                undo.callback(reuse_local, clone, file)  # from the cache
                with disk_errors(path):
                    path.unlink(missing_ok=True)
            else:
                aside = quarantine(clone.root, path, file.path)
                undo.callback(put_back, path, aside)
                where = aside.relative_to(clone.root)
                note(f"{file.path} was not the pinned file; it is now {where}")
        undo.pop_all()
    for file in present:
        changes.prune(clone.root, file.path)
