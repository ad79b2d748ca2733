"""Which files are the machinery, the same in every repository of this kind: see machinery.txt."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_STAGE = re.compile(r"^  (\w+):\n(?:    .*\n)+", re.MULTILINE)
LIST = "scripts/curation/machinery.txt"


def patterns(text: str | None = None) -> list[str]:
    """Return the patterns of a list, or of that of this very machinery."""
    lines = (text or Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def blocks(text: str) -> dict[str, str]:
    """Return the lines of each stage in the text of a dvc.yaml, by the stage's name."""
    stages = text.partition("stages:\n")[2]
    return {found[1]: found[0] for found in _STAGE.finditer(stages)}


def is_machinery(name: str, listed: Iterable[str]) -> bool:
    """Tell whether the path of a file, from the repository's root, matches one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in listed)
