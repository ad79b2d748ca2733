"""Run contenders side by side: in rounds, each from an empty start."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from bench.command import FailedError, log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Contender:
    """A tool to measure: `action` returns seconds per lap; reset and verify are not timed."""

    name: str
    action: Callable[[], Sequence[float]]
    checked: str
    reset: Callable[[], None] = nothing
    verify: Callable[[], None] = nothing
    absent: str | None = None  # the missing tool
    rounds: int | None = None  # if fewer than the others
    words: tuple[str, ...] = ()  # the first command, for a caller that starts it differently


@dataclass
class Row:
    """The values of one contender, all in one unit, or the reason why there are none."""

    name: str
    checked: str = ""
    values: list[float] = field(default_factory=list)
    failure: str | None = None
    unit: str = "s"

    @property
    def median(self) -> float | None:
        """The median, or None if nothing was measured."""
        return median(self.values) if self.values and not self.failure else None

    @property
    def least(self) -> float | None:
        """The smallest value, or None."""
        return min(self.values) if self.values and not self.failure else None

    @property
    def most(self) -> float | None:
        """The largest value, or None."""
        return max(self.values) if self.values and not self.failure else None


@dataclass
class Standing:
    """The laps of one contender, a list for each round, or the reason why it was dropped."""

    contender: Contender
    laps: list[list[float]] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)  # seconds on all cores, a round each
    served: list[float] = field(default_factory=list)  # the same of the server
    failure: str | None = None

    def row(self, name: str = "", *, lap: int | None = None, unit: str = "s") -> Row:
        """Return the sum of all laps, or one lap, of each round as a row."""
        values = [sum(run) if lap is None else run[lap] for run in self.laps]
        name, checked = name or self.contender.name, self.contender.checked
        return Row(name, "" if self.failure else checked, values, self.failure, unit)

    def busy(self) -> Row:
        """Return the processor seconds of each round as a row."""
        name, values = f"{self.contender.name}: processor seconds", self.processor
        return Row(name, "", [] if self.failure else values, self.failure)


def race(
    contenders: Sequence[Contender], rounds: int, server: Callable[[], float] = float
) -> list[Standing]:
    """Run each contender once a round, in rotating order; drop a contender that fails.

    `server` returns the processor seconds of the server so far.
    """
    standings = [Standing(contender) for contender in contenders]
    for standing in standings:
        if standing.contender.absent:
            standing.failure = f"{standing.contender.absent} is not installed"
    for number in range(rounds):
        turn = number % len(standings)
        for standing in [*standings[turn:], *standings[:turn]]:
            if not standing.failure and number < (standing.contender.rounds or rounds):
                _run(standing, number, server)
    return standings


def _run(standing: Standing, number: int, server: Callable[[], float]) -> None:
    contender = standing.contender
    try:
        contender.reset()
        before = _processor(), server()
        laps = list(contender.action())
        used, served = _processor() - before[0], server() - before[1]
        contender.verify()
        contender.reset()
    except FailedError as error:
        standing.failure = f"failed: {error}"
        log(f"  round {number + 1}: {contender.name}: {standing.failure}")
    else:
        standing.laps.append(laps)
        standing.processor.append(used)
        standing.served.append(served)
        shown = " + ".join(f"{lap:.3f}" for lap in laps[:4])
        log(f"  round {number + 1}: {contender.name}: {shown}")


def _processor() -> float:
    """Return the seconds that the commands which have ended used, with all that they started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
