"""Conditions that measure peak memory, and disk use during and after a fetch."""

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

    from bench.clone import Clone
    from bench.files import File
    from bench.lab import Lab
    from bench.race import Standing

_MEMORY = 100.0  # MB
_TEAM = 150.0  # MB; DVC itself reads a remote that only it knows how to open
_DISK = 1.01  # bytes per byte of models
_POLL = 0.02  # seconds between two measurements of the disk
_LAPS = ("during, the most", "after")


def memory(lab: Lab) -> Section:
    """Measure the peak memory of fetch for a small file, a large file, and many files."""
    rows = [_peaks(lab, [file]) for file in (lab.small(0), lab.large)]
    rows.append(_peaks(lab, [lab.large], tls=True))
    rows += [_peaks(lab, lab.batch(), team=team) for team in (False, True)]
    limits = [_MEMORY, _MEMORY, _MEMORY, _MEMORY, _TEAM]
    targets = [
        Target(f"{row.name}, the worst run", row.most, limit, "MB")
        for row, limit in zip(rows, limits, strict=True)
    ]
    return Section("memory", "peak memory", rows, targets, {}, _RESIDENT)


_RESIDENT = (
    "Resident memory in MB of 10^6 bytes: the largest process of the command, from wait4. "
    "The team's remote is http with a password: only DVC can read it."
)


def _peaks(lab: Lab, files: Sequence[File], *, team: bool = False, tls: bool = False) -> Row:
    written = lab.base / "peak"
    served = [(file, lab.nginx.url(file.name, tls=tls)) for file in files]
    with lab.clone(served, tls=tls) as clone:
        names = [entry.name for entry in clone.entries]
        words = [sys.executable, "-IS", str(peak.__file__), str(written)]
        words += [sys.executable, "-m", "scripts.fetch", *names]
        if team:
            _share(lab, clone, files)

        def action() -> list[float]:
            clone.place.run(*words)
            return [int(written.read_text("ascii")) / 1e6]

        many = f"{len(files)} x " if len(files) > 1 else ""
        name = f"python -m scripts.fetch, {many}{size(files[0].size)}"
        name += " from the team" if team else " over TLS" if tls else ""
        contender = Contender(name, action, "md5", clone.reset, clone.verify)
        return race([contender], lab.plan.rounds)[0].row(unit="MB")


def _share(lab: Lab, clone: Clone, files: Sequence[File]) -> None:
    """Serve the files as objects of the team's remote, with a password."""
    for file in files:
        held = lab.base / "files/team/files/md5" / file.md5[:2] / file.md5[2:]
        held.parent.mkdir(parents=True, exist_ok=True)
        held.unlink(missing_ok=True)
        held.hardlink_to(lab.base / "files" / file.name)
    options = {"url": lab.nginx.url("team"), "auth": "basic", "user": "u", "password": "p"}
    for key, value in options.items():
        clone.place.run("dvc", "remote", "modify", "--local", "team", key, value)


def disk(lab: Lab) -> Section:
    """Measure the disk use of a fetch in the whole clone, .dvc included; links count once."""
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
    "fetch. A link counts once. Archives are not measured here."
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
    while not over.wait(_POLL):
        seen.append(used(folder))


def used(folder: Path) -> int:
    """Return the bytes a folder uses on disk: each inode once, vanished files not at all."""
    blocks: dict[tuple[int, int], int] = {}
    for above, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                stat = Path(above, name).lstat()
                blocks[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
    return sum(blocks.values())
