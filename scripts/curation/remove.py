"""Remove entries from the catalogue, the lock, the seal and models/.

DVC's cache keeps the bytes: `git checkout` and `dvc checkout` undo the removal.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from scripts.catalogue import documents, lock
from scripts.catalogue.witnesses import some
from scripts.checkout import served
from scripts.checkout.journal import prune
from scripts.checkout.leftovers import drop_begun
from scripts.checkout.local import reuse_local
from scripts.checkout.workspace import quarantine
from scripts.console.errors import UsageError
from scripts.console.progress import note
from scripts.curation import git, transaction, yaml_lines
from scripts.curation.render import EDITED
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scripts.catalogue.params import Catalogue, Checkpoint, Published
    from scripts.checkout.clone import Clone
    from scripts.curation.transaction import Change


def remove(change: Change, entries: Sequence[Published]) -> None:
    """Remove entries from every file; or raise CheckpointError, and change nothing."""
    clone, names = change.clone, [entry.name for entry in entries]
    files = [file for entry in entries for file in entry.files]
    git.refuse_dirty(clone.root)
    lock.render(clone.root)  # raises for faults in the files that will change
    texts = _without(clone.root, clone.catalogue, entries)
    with ExitStack() as stack:
        for name in sorted(names):
            stack.enter_context(clone.alone(name))
        write = stack.enter_context(change.recorded(f"remove {some(names)}", files))
        write({**texts, **{f"sources/{name}.dvc": None for name in names}})
        write(lock.render(clone.root))
        _take_out(clone, files)
        for entry in entries:
            drop_begun(clone, entry, entry.name, more=[f"{entry.name}.new"])
            served.forget(clone, entry.name)


def _without(root: Path, catalogue: Catalogue, entries: Sequence[Published]) -> dict[str, str]:
    """Return the files' texts without the entries; raise UsageError or CatalogueError."""
    params, dvc = (transaction.read(root, name) for name in EDITED)
    paths = {file.path for entry in entries for file in entry.files}
    document = documents.data(dvc)
    stages, artifacts = document["stages"], document.get("artifacts") or {}
    _refuse_needed(entries, stages, catalogue.sets)
    # Nobody can run a configuration with this repository any more if a file of it goes.
    lost = [name for name, held in catalogue.configurations.items() if not paths.isdisjoint(held)]
    # By path: the stage of an archive may have another name. A foreach has no outs.
    outs = {name: _names(stage.get("outs")) for name, stage in stages.items()}
    made = [name for name, held in outs.items() if held and held <= paths]
    described = [name for name, each in artifacts.items() if each["path"] in paths]
    plain = [entry.name for entry in entries if not entry.archive]
    packed = [entry.name for entry in entries if entry.archive]
    for section, names in (("configurations", lost), ("checkpoints", plain), ("archives", packed)):
        params = yaml_lines.drop(params, section, *names) if names else params
    for section, names in (("stages", made), ("artifacts", described)):
        dvc = yaml_lines.drop(dvc, section, *names) if names else dvc
    return {"params.yaml": params, "dvc.yaml": dvc}


def _names(rows: Any) -> set[str]:  # noqa: ANN401 - any yaml
    """Return the paths of deps or outs; each is a text, or a map from it to options."""
    return {name for row in rows or [] for name in ([row] if isinstance(row, str) else row)}


def _refuse_needed(
    entries: Sequence[Published],
    stages: Any,  # noqa: ANN401 - any yaml
    sets: Mapping[str, Sequence[str]],
) -> None:
    """Raise UsageError if a stage of dvc.yaml, or a set, depends on a file of an entry."""
    users = [
        (f"stage {name}", _names(stage.get("deps")), "dvc.yaml") for name, stage in stages.items()
    ]
    users += [(f"set {name}", set(held), "params.yaml") for name, held in sets.items()]
    needs: list[str] = []
    steps: dict[str, str] = {}
    for entry in entries:
        paths = {file.path for file in entry.files}
        for user, names, where in users:
            if needed := sorted(paths & names):
                needs.append(f"{entry.name}: {user} needs {', '.join(needed)}")
                steps[f"{entry.name} from {user} in {where}"] = ""
    if needs:
        step = f"Next: remove {', '.join(steps)}, commit, and run again."
        raise UsageError(needs[0], *needs[1:], "Nothing was changed.", step)


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
