"""What nobody can be faster than here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.machine import CORES
from bench.race import Contender, Row

if TYPE_CHECKING:
    from bench.clone import Clone
    from bench.race import Standing

_FLOOR = "floor: all cores busy with {} and its server{}"
NOTHING = "dvc repro, nothing to do"


def nothing_to_do(clone: Clone) -> Contender:
    """Return DVC itself, which starts, finds its stage done, and ends; fetch it first."""
    words = ("dvc", "repro", f"fetch@{clone.entries[0].name}")
    clone.place.run(*words)
    return Contender(NOTHING, lambda: [clone.place.timed(*words)], "")


def row(rival: Standing, idle: Standing | None = None) -> Row:
    """Return the least seconds of each round: the processor seconds that a lean tool needs.

    It is the work of the rival, which writes the file, reads it again and hashes it, and of the
    server, spread over all cores without a gap; then the time of `idle`, where DVC is started.
    """
    waits = [sum(run) for run in idle.laps] if idle else [0.0] * len(rival.laps)
    work = zip(rival.processor, rival.served, waits, strict=False)
    values = [(used + served) / CORES + wait for used, served, wait in work]
    name = _FLOOR.format(rival.contender.name, f", then {NOTHING}" if idle else "")
    return Row(name, "", values, rival.failure or (idle.failure if idle else None))
