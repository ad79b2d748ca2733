"""The condition in which DVC has nothing to do, so that none of our stages may run."""

from __future__ import annotations

import hashlib
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import clone as cloning
from bench.clone import Clone, Entry
from bench.command import FailedError, Place, empty
from bench.race import Contender, Row, race
from bench.report import Section, Target
from tests.world import checkpoints, clones

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bench.lab import Lab

_SCALE = 10_000  # the files are smaller than the real ones by this factor
_COMMANDS = (("dvc", "repro", "fetch_minimal"), ("dvc", "status"))
_LIMIT = 1.0  # seconds
_FLOOR = ("dvc", "root")
_FETCH = (sys.executable, "-m", "scripts.fetch", cloning.ENTRY)
_REMARK = (
    "The 25 entries are the graph of this repository, with small files. A warm DVC reads none of "
    "them; each run is checked for that. `dvc root` shows the cost of starting DVC. "
    "`dvc status` reads params.yaml again for every stage: its time grows with the square of the "
    "number of entries."
)


def idle(lab: Lab) -> Section:
    """Time commands that find nothing to do."""
    real, large = lab.folder(), lab.folder()
    few, many = _real(real, lab.env), _synthetic(large, lab)
    named = [(few, "25 entries"), (many, f"{lab.plan.many:,} entries")]
    contenders = [_command(few, "", *_FLOOR)]
    contenders += [_command(place, what, *words) for place, what in named for words in _COMMANDS]
    contenders[-1] = replace(contenders[-1], rounds=1)  # it takes minutes with many entries
    contenders.append(_fetched(few))
    race(contenders[: 1 + len(_COMMANDS)], 1)  # warm up; the checkout warmed the large clone
    rows = [standing.row() for standing in race(contenders, lab.plan.rounds)]
    empty(real, large)
    targets = [Target(row.name, row.median, _LIMIT, "s") for row in rows[1 : 1 + len(_COMMANDS)]]
    targets.append(Target(rows[-1].name, rows[-1].median, 0.2, "s"))
    targets.append(Target("commands in which a stage ran", _ran(rows), 0, "runs"))
    title = "nothing to do: `dvc repro fetch_minimal` and `dvc status`, warm"
    return Section("idle", title, rows, targets, {"dvc root": rows[0].name}, _REMARK)


def _command(place: Place, what: str, *words: str) -> Contender:
    """Time a command, and fail unless it reports that there was nothing to do."""
    name = " ".join(words)

    def action() -> list[float]:
        began = time.perf_counter()
        printed = place.run(*words)
        took = time.perf_counter() - began
        if words != _FLOOR and ("Running stage" in printed or "up to date" not in printed):
            raise FailedError(f"{name}: a stage ran")
        return [took]

    return Contender(f"{name}, {what}" if what else name, action, "")


def _fetched(place: Place) -> Contender:
    """Time our own command where the file is in place."""

    def action() -> list[float]:
        return [place.timed(*_FETCH)]

    return Contender("python -m scripts.fetch NAME, in place", action, "by DVC's state")


def _ran(rows: Sequence[Row]) -> float:
    return float(sum(row.failure is not None for row in rows))


def _real(root: Path, env: dict[str, str]) -> Place:
    """Make a clone of this repository with small files, all in place."""
    clones.copy(root, cloning.catalogue())
    clones.pin(root, _SCALE)
    clones.commit(root, env)
    _fill(root, checkpoints.files(_SCALE, root).values())
    return _checked_out(Place(root, env))


def _synthetic(root: Path, lab: Lab) -> Place:
    """Make a clone whose catalogue has many tiny entries, all in place."""
    contents = {f"entry_{number}": f"{number}\n".encode() for number in range(lab.plan.many)}
    entries = [
        Entry(name, lab.nginx.url(name), len(data), _md5(data)) for name, data in contents.items()
    ]
    made: Clone = cloning.make(root, entries, lab.env)
    _fill(root, contents.values())
    return _checked_out(made.place)


def _fill(root: Path, contents: Iterable[bytes]) -> None:
    for data in contents:
        path = cloning.cached(root, _md5(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o444)


def _checked_out(place: Place) -> Place:
    place.run("dvc", "checkout")
    return place


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
