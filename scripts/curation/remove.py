"""Remove a checkpoint or an archive from the catalogue, the lock, the seal and models/.

DVC's cache keeps the bytes: `git checkout` and `dvc checkout` undo the removal.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from scripts.catalogue import documents, lock
from scripts.checkout import served
from scripts.checkout.journal import prune
from scripts.checkout.leftovers import drop_begun
from scripts.checkout.local import reuse_local
from scripts.checkout.workspace import quarantine
from scripts.console.errors import UsageError
from scripts.console.progress import note
from scripts.curation import git, transaction, yaml_lines
from scripts.curation.entry import EDITED
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scripts.catalogue.params import Catalogue, Checkpoint, Published
    from scripts.checkout.clone import Clone
    from scripts.curation.transaction import Change


def remove(change: Change, entry: Published) -> None:
    """Remove an entry from every file; or raise CheckpointError, and change nothing."""
    clone = change.clone
    git.refuse_dirty(clone.root)
    lock.render(clone.root)  # raises for faults in the files that will change
    texts = _without(clone.root, clone.catalogue, entry)
    recorded = change.recorded(f"remove {entry.name}", entry.files)
    with clone.alone(entry.name), recorded as write:
        write({**texts, f"sources/{entry.name}.dvc": None})
        write(lock.render(clone.root))
        _take_out(clone, entry.files)
        drop_begun(clone, entry, entry.name, more=[f"{entry.name}.new"])
        served.forget(clone, entry.name)


def _without(root: Path, catalogue: Catalogue, entry: Published) -> dict[str, str]:
    """Return the files' texts without the entry; raise UsageError or CatalogueError."""
    params, stages = (transaction.read(root, name) for name in EDITED)
    paths = {file.path for file in entry.files}
    document = documents.data(stages)
    _refuse_needed(entry, paths, document["stages"], catalogue.sets)
    for name, loaded in catalogue.configurations.items():
        if not paths.isdisjoint(loaded):  # nobody can run it with this repository any more
            params = yaml_lines.drop(params, "configurations", name)
    for name, stage in document["stages"].items():
        # By path: the stage of an archive may have another name. A foreach has no outs.
        if (outs := _names(stage.get("outs"))) and outs <= paths:
            stages = yaml_lines.drop(stages, "stages", name)
    for name, artifact in document.get("artifacts", {}).items():
        if artifact["path"] in paths:
            stages = yaml_lines.drop(stages, "artifacts", name)
    section = "archives" if entry.archive else "checkpoints"
    return {
        "params.yaml": yaml_lines.drop(params, section, entry.name),
        "dvc.yaml": stages,
    }


def _names(rows: Any) -> set[str]:  # noqa: ANN401 - any yaml
    """Return the paths of deps or outs; each is a text, or a map from it to options."""
    return {name for row in rows or [] for name in ([row] if isinstance(row, str) else row)}


def _refuse_needed(
    entry: Published,
    paths: set[str],
    stages: Any,  # noqa: ANN401 - any yaml
    sets: Mapping[str, Sequence[str]],
) -> None:
    """Raise UsageError if a stage of dvc.yaml, or a set, depends on a file of the entry."""
    users = [
        (f"stage {name}", _names(stage.get("deps")), "dvc.yaml") for name, stage in stages.items()
    ]
    users += [(f"set {name}", set(held), "params.yaml") for name, held in sets.items()]
    for user, names, where in users:
        if needed := sorted(paths & names):
            raise UsageError(
                f"{entry.name}: {user} needs {', '.join(needed)}",
                "Nothing was changed.",
                f"Next: remove {entry.name} from {user} in {where}, commit, and run again.",
            )


def _take_out(clone: Clone, files: Sequence[Checkpoint]) -> None:
    """Unlink pinned files once the cache has them, quarantine any other."""
    for file in files:
        path = clone.root / file.path
        if not os.path.lexists(path):
            continue
        if clone.pin(file) and reuse_local(clone, file):
            with disk_errors(path):
                path.unlink(missing_ok=True)
        else:
            aside = quarantine(clone.root, path, file.path).relative_to(clone.root)
            note(f"{file.path} was not the pinned file; it is now {aside}")
        prune(clone.root, file.path)
