"""What the repository is called: the heading of its README."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read(root: Path) -> str:
    """Return the heading of README.md, or the name of the clone's folder."""
    with suppress(OSError, UnicodeDecodeError):
        if found := re.search(r"^# (.+)$", (root / "README.md").read_text("utf-8"), re.MULTILINE):
            return found[1].strip()
    return root.name


def slug(root: Path) -> str:
    """Return the title in lower-case letters, digits and hyphens, as programs want a name."""
    return re.sub(r"[^a-z0-9]+", "-", read(root).lower()).strip("-") or "checkpoints"
