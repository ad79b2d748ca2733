"""Run contenders side by side: round after round, each from an empty start."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from bench.command import FailedError, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _nothing() -> None:
    """Leave everything as it is."""


@dataclass(frozen=True)
class Contender:
    """Somebody to measure: `action` returns seconds per lap; reset and verify are not timed."""

    name: str
    action: Callable[[], Sequence[float]]
    checked: str
    reset: Callable[[], None] = _nothing
    verify: Callable[[], None] = _nothing
    absent: str | None = None  # the tool that is not installed
    rounds: int | None = None  # where fewer than the others
    words: tuple[str, ...] = ()  # the first command, for who starts it in another way


@dataclass
class Row:
    """What was measured of one contender, all in one unit, or why there is nothing."""

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
    """One contender's laps, a list a round, or why it is out."""

    contender: Contender
    laps: list[list[float]] = field(default_factory=list)
    failure: str | None = None

    def row(self, name: str = "", *, lap: int | None = None, unit: str = "s") -> Row:
        """Return the sums of all laps, or one of them, as a row."""
        values = [sum(run) if lap is None else run[lap] for run in self.laps]
        name, checked = name or self.contender.name, self.contender.checked
        return Row(name, "" if self.failure else checked, values, self.failure, unit)


def race(contenders: Sequence[Contender], rounds: int) -> list[Standing]:
    """Run every contender once a round, the order moving on by one; who fails once is out."""
    standings = [Standing(contender) for contender in contenders]
    for standing in standings:
        if standing.contender.absent:
            standing.failure = f"{standing.contender.absent} is not installed"
    for number in range(rounds):
        turn = number % len(standings)
        for standing in [*standings[turn:], *standings[:turn]]:
            if not standing.failure and number < (standing.contender.rounds or rounds):
                _run(standing, number)
    return standings


def _run(standing: Standing, number: int) -> None:
    contender = standing.contender
    try:
        contender.reset()
        laps = list(contender.action())
        contender.verify()
        contender.reset()
    except FailedError as error:
        standing.failure = f"failed: {error}"
        tell(f"  round {number + 1}: {contender.name}: {standing.failure}")
    else:
        standing.laps.append(laps)
        shown = " + ".join(f"{lap:.3f}" for lap in laps[:4])
        tell(f"  round {number + 1}: {contender.name}: {shown}")
