"""Conditions with many files: a batch to download, and a tree that is already in place."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import files, floor, rivals
from bench.command import FailedError, empty
from bench.race import Contender, race
from bench.report import Section, Target
from bench.transfers import ratio, size

if TYPE_CHECKING:
    from bench.clone import Clone
    from bench.lab import Lab

FETCH = "python -m scripts.fetch (ours)"


def batch_tls(lab: Lab) -> Section:
    """Do the same over TLS."""
    return batch(lab, tls=True)


def batch(lab: Lab, *, tls: bool = False) -> Section:
    """Download several files at once, then run the `dvc repro` that finds them done."""
    served = {lab.nginx.url(file.name, tls=tls): file for file in lab.batch()}
    title = f"{len(served)} x {size(lab.plan.small)}, unthrottled"
    title += ", over TLS" if tls else ""
    first = next(iter(served.values()))
    with ExitStack() as stack:
        listed = [(file, url) for url, file in served.items()]
        clone = stack.enter_context(lab.clone(listed, tls=tls))
        scratch = stack.enter_context(lab.scratch(first, lab.nginx.url(first.name)))
        contenders = [
            _fetched(clone),
            rivals.wget_each(scratch, served),
            rivals.aria2_list(scratch, served),
        ]
        ours, wget, aria2 = race(contenders, lab.plan.rounds, lab.nginx.processor)
    alone, after = ours.row(lap=0), ours.row(f"dvc repro of all {len(served)}, after it", lap=1)
    stage = after.median / len(served) if after.median else None
    targets = [
        Target("ours / (wget && md5sum)", ratio(alone.median, wget.row().median), 0.5),
        Target("dvc repro after it, a stage", stage, 0.35, "s"),
    ]
    rows = [alone, replace(after, checked=""), wget.row(), aria2.row(), floor.row(wget)]
    return Section(
        f"batch{'_tls' * tls}", title, rows, targets, {"ours": alone.name, "wget": rows[2].name}
    )


def _fetched(clone: Clone) -> Contender:
    names = [entry.name for entry in clone.entries]
    stages = [f"fetch@{name}" for name in names]

    def action() -> list[float]:
        fetched = clone.place.timed(sys.executable, "-m", "scripts.fetch", *names)
        return [fetched, clone.place.timed("dvc", "repro", *stages)]

    return Contender(FETCH, action, "md5, before it gets its name", clone.reset, clone.verify)


def adopt(lab: Lab) -> Section:
    """Adopt a correct tree that was downloaded by other means."""
    count, each = lab.plan.few, lab.plan.tree // lab.plan.few
    title = f"existing correct tree of {size(lab.plan.tree)} in {count} files"
    folder = lab.folder()
    made = [files.make(folder / f"file_{number}.bin", each) for number in range(count)]
    with lab.clone([(file, lab.nginx.url(file.name)) for file in made]) as clone:
        for file, entry in zip(made, clone.entries, strict=True):
            (clone.root / entry.path).parent.mkdir(parents=True, exist_ok=True)
            file.path.rename(clone.root / entry.path)
        contenders = [_adopted(clone), _summed(clone, 1), _summed(clone, 2)]
        rows = [standing.row() for standing in race(contenders, lab.plan.rounds)]
    empty(folder)
    speed = ratio(rows[1].median, rows[0].median)
    targets = [Target("md5sum -c / ours", speed, 1.6, at_least=True)]
    return Section("adopt", title, rows, targets, {"ours": FETCH, "md5sum": rows[1].name})


def _adopted(clone: Clone) -> Contender:
    def reset() -> None:
        # With a new mtime, DVC's state takes each file for a new one and hashes it again.
        empty(clone.root / ".dvc/cache", clone.root / ".dvc/tmp/fetch")
        for entry in clone.entries:
            (clone.root / entry.path).chmod(0o644)
            os.utime(clone.root / entry.path)

    def verify() -> None:
        for entry in clone.entries:
            if not clone.object(entry.md5).exists():
                raise FailedError(f"{entry.name} is not in the cache")

    def action() -> list[float]:
        return [clone.place.timed(sys.executable, "-m", "scripts.fetch", "complete")]

    return Contender(FETCH, action, "md5, and linked into the cache", reset, verify)


def _summed(clone: Clone, jobs: int) -> Contender:
    lists = [f"sums.{number}" for number in range(len(clone.entries))]
    for name, entry in zip(lists, clone.entries, strict=True):
        (clone.root / ".dvc/tmp" / name).write_text(f"{entry.md5}  {entry.path}\n", "ascii")
    words = ["md5sum", "-c", "--status", *(f".dvc/tmp/{name}" for name in lists)]
    if jobs > 1:
        at = words.index("--status") + 1
        script = f'printf "%s\\n" "$@" | xargs -P{jobs} -n1 md5sum -c --status'
        words = ["sh", "-c", script, "sh", *words[at:]]
    name = "md5sum -c" if jobs == 1 else f"md5sum -c, {jobs} at once"
    return Contender(name, lambda: [clone.place.timed(*words)], "md5")
