"""The condition that asks all publishers, whose answers are delayed: requests run in parallel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import clone as cloning
from bench.command import FailedError, Place, empty
from bench.race import Contender, race
from bench.report import Section, Target
from scripts.catalogue import params
from tests.world import Fault, World, clones

if TYPE_CHECKING:
    from pathlib import Path

    from bench.lab import Lab

_SCALE = 10_000  # no body is requested, so bodies may be small
_DELAY = 0.1  # seconds before every answer, as from a distant publisher
_LIMIT = 3.0  # seconds
_COMMAND = ("python", "-m", "scripts.upstream")
_REMARK = (
    "The publishers are those of the tests: on loopback, with TLS for each host. Each answer is "
    "delayed by 100 ms; a redirect counts as an answer. No file is downloaded."
)


def upstream(lab: Lab) -> Section:
    """Time the check that every publisher still serves what is pinned."""
    root, catalogue = lab.folder(), cloning.catalogue()
    sources = len(params.read(catalogue / "params.yaml").published)
    with World(scale=_SCALE, root=catalogue) as world:
        place = _clone(root, catalogue, lab.env | world.env)
        place.run(*_COMMAND, "--record")
        world.fault("*", Fault.delay(_DELAY))
        action = partial(_check, place, world, sources)
        made = Contender(" ".join(_COMMAND), action, f"{sources} states known, no body")
        rows = [standing.row() for standing in race([made], lab.plan.rounds)]
    empty(root)
    title = f"publishers: {sources} sources asked, {_DELAY * 1000:.0f} ms an answer"
    targets = [Target(row.name, row.median, _LIMIT, "s") for row in rows]
    return Section("upstream", title, rows, targets, remark=_REMARK)


def _clone(root: Path, catalogue: Path, env: dict[str, str]) -> Place:
    clones.copy(root, catalogue)
    clones.pin(root, _SCALE)
    clones.commit(root, env)
    return Place(root, env)


def _check(place: Place, world: World, sources: int) -> list[float]:
    """Time the command, and fail unless it asked about every source and downloaded no body."""
    asked = len(world.requests)
    took = place.timed(*_COMMAND)  # fails unless the state of every source is known
    if len(world.requests) - asked < sources or world.served():
        raise FailedError("a publisher was not asked, or a file was downloaded")
    return [took]
