"""What an import has downloaded before it was cut short or failed: the next one continues there.

.dvc/tmp/arrived.jsonl has a line for each file that came from its publisher without a stated hash;
the bytes are in DVC's cache. It goes with the next import that is complete.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.catalogue.pins import Pin
from scripts.checkout.workspace import Origin
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from scripts.checkout.clone import Clone
    from scripts.checkout.workspace import Outcome
    from scripts.curation.entry import Entry

_NAME = ".dvc/tmp/arrived.jsonl"


def remember(root: Path, entry: Entry, outcomes: Iterable[Outcome]) -> None:
    """Append what has arrived from an entry's address; raise DiskError."""
    members = {file.path: file.member for file in entry.files}
    rows = [
        [entry.url, members[each.path], each.pin.md5, each.pin.size, each.pin.sha256]
        for each in outcomes
        if each.first_use
    ]
    with disk_errors(root / _NAME), (root / _NAME).open("a", encoding="utf-8") as file:
        file.write("".join(f"{json.dumps(row)}\n" for row in rows))


def recall(clone: Clone) -> dict[tuple[str, str | None], Pin]:
    """Return the identity of what has arrived and is in the cache, by address and member."""
    found = {}
    with suppress(OSError, UnicodeDecodeError):
        for line in (clone.root / _NAME).read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, TypeError):  # the last line may be torn
                url, member, md5, size, sha256 = json.loads(line)
                if clone.cache.object(md5).exists():
                    found[url, member] = Pin(md5, size, sha256)
    return found


def marked(outcome: Outcome, earlier: Mapping[str, Pin]) -> Outcome:
    """Return an outcome that says if an earlier import has downloaded the file; by its path."""
    if outcome.origin is not Origin.CACHE or outcome.path not in earlier:
        return outcome
    pin, how = earlier[outcome.path], "where an import that was cut short has left it"
    return replace(outcome, pin=pin, details=how, first_use=True)


def forget(root: Path) -> None:
    """Remove the record, once all of it is in the catalogue or given up; raise DiskError."""
    with disk_errors(root / _NAME):
        (root / _NAME).unlink(missing_ok=True)
