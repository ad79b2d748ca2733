"""Conditions of size: peak memory, and bytes on disk during and after a fetch."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench import peak, rivals
from bench.race import Contender, Row, race
from bench.report import Section, Target
from bench.transfers import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.files import File
    from bench.lab import Lab
    from bench.race import Standing

_MEMORY = 150.0  # MB
_DISK = 1.01  # bytes per byte of models
_LOOK = 0.02  # seconds between two looks at the disk
_LAPS = ("during, the most", "after")


def memory(lab: Lab) -> Section:
    """Measure the peak memory of the fetch command for a small and a large file."""
    rows = [_peaks(lab, file) for file in (lab.small(0), lab.large)]
    targets = [Target(f"{row.name}, the worst run", row.most, _MEMORY, "MB") for row in rows]
    remark = "Resident, in MB of 10^6 bytes: the largest process of the command, as wait4 tells."
    return Section("memory", "peak memory", rows, targets, {}, remark)


def _peaks(lab: Lab, file: File) -> Row:
    told = lab.base / "peak"
    with lab.clone([(file, lab.nginx.url(file.name))]) as clone:
        fetch = [sys.executable, "-m", "scripts.fetch", clone.entries[0].name]
        words = [sys.executable, "-IS", str(peak.__file__), str(told), *fetch]

        def action() -> list[float]:
            clone.place.run(*words)
            return [int(told.read_text("ascii")) / 1e6]

        name = f"python -m scripts.fetch NAME, {size(file.size)}"
        contender = Contender(name, action, "md5", clone.reset, clone.verify)
        return race([contender], lab.plan.rounds)[0].row(unit="MB")


def disk(lab: Lab) -> Section:
    """Measure what a fetch takes on disk, links counted once, the whole clone with its .dvc."""
    file = lab.large
    url = lab.nginx.url(file.name)
    with lab.clone([(file, url)]) as clone, lab.scratch(file, url) as scratch:
        contenders = [
            _watched(rivals.ours(clone), clone.root, file.size),
            _watched(rivals.import_url(scratch), scratch.folder, file.size),
        ]
        standings = race(contenders, lab.plan.rounds)
    rows = [row for standing in standings for row in _rows(standing)]
    targets = [Target(f"{row.name}, the worst run", row.most, _DISK) for row in rows[:2]]
    title = f"bytes on disk per byte of models, {size(file.size)}"
    return Section("disk", title, rows, targets, {}, _REMARK)


_REMARK = (
    "Blocks that the file system holds below the clone, `.dvc` included, less those before the "
    "fetch; a link counts once. Archives are not part of this condition."
)


def _rows(standing: Standing) -> Sequence[Row]:
    name = standing.contender.name
    return [
        replace(standing.row(f"{name}: {what}", lap=number, unit=""), checked="")
        for number, what in enumerate(_LAPS)
    ]


def _watched(made: Contender, folder: Path, whole: int) -> Contender:
    def action() -> list[float]:
        before = used(folder)
        seen = [before]
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(folder, seen, over), daemon=True)
        watcher.start()
        try:
            made.action()
        finally:
            over.set()
            watcher.join()
        after = used(folder)
        return [(max(*seen, after) - before) / whole, (after - before) / whole]

    return replace(made, action=action)


def _watch(folder: Path, seen: list[int], over: threading.Event) -> None:
    while not over.wait(_LOOK):
        seen.append(used(folder))


def used(folder: Path) -> int:
    """Return the bytes a folder takes on disk, each inode once; what vanishes meanwhile is none."""
    blocks: dict[tuple[int, int], int] = {}
    for above, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                told = Path(above, name).lstat()
                blocks[told.st_dev, told.st_ino] = told.st_blocks * 512
    return sum(blocks.values())
