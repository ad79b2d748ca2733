"""What publishers and mirrors answered when they were last asked: known to this clone alone."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from scripts.console.errors import DiskError
from scripts.files.disk import disk_errors, replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_RECORD = ".dvc/tmp/looks.json"


@dataclass(frozen=True)
class Look:
    """What was found at an address, in a word and a sentence, and when: in UTC, as of RFC 3339."""

    state: str
    why: str
    time: str


def remember(root: Path, found: Mapping[str, tuple[str, str]]) -> None:
    """Remember state and reason of these addresses as of now, and what is known of others."""
    path, now = root / _RECORD, at(time.time())
    known = recall(root) | {url: Look(*each, now) for url, each in found.items()}
    with suppress(DiskError), disk_errors(path):  # only a view has less to show
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, json.dumps({url: asdict(look) for url, look in known.items()}).encode())


def recall(root: Path) -> dict[str, Look]:
    """Return the last look at each address; none if there was none, or if it cannot be read."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        read = json.loads((root / _RECORD).read_bytes())
        return {url: Look(**{k: str(v) for k, v in look.items()}) for url, look in read.items()}
    return {}


def at(seconds: float) -> str:
    """Return a time, in seconds since 1970, in UTC, as of RFC 3339."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
