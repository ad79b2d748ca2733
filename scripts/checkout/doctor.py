"""Whether this machine and this clone can do their work, one line for each thing that is checked.

Every check is imported and run for itself: whatever is broken, the others still tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from scripts.console.errors import CatalogueError, CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Check -> its module, and what to type if the error itself does not say it.
CHECKS = {
    "python": ("machine", "./checkpoints doctor: it finds a newer Python"),
    "environment": ("machine", "./checkpoints doctor: it makes the environment"),
    "git": ("machine", "clone it again with git: DVC works in a git repository only"),
    "network": ("machine", "see the variable that is named"),
    "catalogue": ("condition", "`git diff` shows what was edited, `git checkout FILE` restores it"),
    "change": ("condition", "./checkpoints tidy --dry-run: each command but this one undoes it"),
    "dvc": ("condition", "rm the file that is named"),
    "files": ("condition", "first mend the catalogue"),
    "disk": ("condition", "see the path that is named"),
    "begun": ("condition", "./checkpoints tidy"),
    "quarantine": ("condition", "./checkpoints tidy removes it; look into it first"),
    "publishers": ("sources", "check the network and HTTPS_PROXY, then ./checkpoints upstream"),
    "remote": ("sources", "./checkpoints team check"),
}
_LONGEST = 300  # characters of what a library says


@dataclass(frozen=True)
class Line:
    """What one check found, and what to type if that is a fault; an empty step means it is none."""

    name: str
    text: str
    step: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing has to be done."""
        return not self.step

    def __str__(self) -> str:
        """Return the line that a person reads."""
        step = f". Next: {self.step}" if self.step else ""
        return f"{'ok' if self.ok else 'FAULT':<5}  {self.name:<11}  {self.text}{step}"


def examine(root: Path) -> Iterator[Line]:
    """Run every check in the clone at `root`, or what is left of one; yield a line for each."""
    broken = False
    for name in CHECKS:
        line = _examined(name, root, broken=broken)
        broken |= name == "catalogue" and not line.ok
        yield line


def _examined(name: str, root: Path, *, broken: bool) -> Line:
    """Run one check; `broken`: the catalogue was found to be."""
    module, step = CHECKS[name]
    try:
        check = getattr(import_module(f"scripts.checkout.checks.{module}"), name)
        return Line(name, check(root))
    except CatalogueError as error:
        text = f"not checked: {error.what}" if broken else _fact(error)
        return Line(name, text, "first mend the catalogue" if broken else _step(error) or step)
    except CheckpointError as error:
        return Line(name, _fact(error), _step(error) or step)
    except ImportError as error:
        mend = "first mend the environment"
        return Line(name, f"not checked: {error}", step if name == "environment" else mend)
    except Exception as error:  # noqa: BLE001 - of what is broken, any library may raise anything
        what = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
        return Line(name, f"not checked: {what}", step)


def _fact(error: CheckpointError) -> str:
    """Return an error in one line: its headline, and the first of its details."""
    first, *more = [*error.facts, ""]
    return ": ".join(filter(None, [error.what, first])) + (" ..." if more[1:] else "")


def _step(error: CheckpointError) -> str:
    steps = error.details[len(error.facts) :]
    return " ".join(steps).removeprefix("Next: ").rstrip(".")
