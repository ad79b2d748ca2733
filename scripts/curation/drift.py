"""What a publisher serves now, held against the pin and against what was last seen there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.catalogue import sources
from scripts.catalogue.pins import Pin
from scripts.checkout import candidates
from scripts.console.errors import SourceError, UsageError
from scripts.download.connections import trust
from scripts.download.headers import BlockedError, GoneError, Head, HeadRequest, hash_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.catalogue.params import Published
    from scripts.catalogue.sources import Source
    from scripts.checkout.clone import Clone

_AT_ONCE = 32  # publishers asked side by side
STATES = {
    "same": "a hash the publisher states is the pinned one: the content is known to be the same",
    "unchanged": "ETag and size are those that sources/NAME.dvc recorded",
    "moved": "redirected for good to another address; the content is the same, or unchanged",
    "changed": "another hash or size than pinned, or another ETag or size than recorded",
    "gone": "the publisher has no such file any more",
    "blocked": "the publisher does not give it to us: forbidden, quota used up, sign-in page",
    "unknown": "not reached, not understood, or nothing was recorded to compare with",
}


@dataclass(frozen=True)
class Finding:
    """The state of one source, a key of STATES, and why; `head` is None if nothing was heard."""

    state: str
    why: str
    head: Head | None = None


def pin_of(clone: Clone, entry: Published) -> Pin | None:
    """Return what the bytes at the entry's address must be, as far as it is pinned."""
    if entry.archive:
        return Pin(None, None, entry.sha256) if entry.sha256 else None
    return clone.pin(entry.files[0])


def look(clone: Clone, entries: Sequence[Published]) -> list[tuple[Source, Finding]]:
    """Ask all publishers at once; raise CatalogueError if a source cannot be read.

    Raises UsageError where the user's sources leave publishers out, and SourceError if nobody
    can be asked because there is no file of authorities to trust.
    """
    if "publisher" not in candidates.order_from_env():
        raise UsageError(
            f"{candidates.order_from_env()} leaves out the publisher, and nobody else can be asked here",
            f"Next: unset {candidates.ORDER}, or add publisher to it.",
        )
    records = [sources.read(clone.root / "sources", entry.name) for entry in entries]
    timeout, context = clone.catalogue.network.timeout, trust()
    with ThreadPoolExecutor(_AT_ONCE) as pool, ExitStack() as stack:
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)  # Ctrl-C waits for nobody

        def ask(entry: Published, seen: Source) -> Finding:
            try:
                inquiry = HeadRequest(seen.url, context, timeout=timeout)
                stack.callback(inquiry.close)
                return judge(inquiry.head(), pin_of(clone, entry), seen)
            except SourceError as error:
                return refused(error)

        return list(zip(records, pool.map(ask, entries, records), strict=True))


def judge(head: Head, pin: Pin | None, record: Source) -> Finding:
    """Tell the state of a source that answered; `pin` is what the bytes there must be."""
    state, why = _content(head, pin, record)
    if not head.moved:
        return Finding(state, why, head)
    if state in ("same", "unchanged"):
        return Finding("moved", f"to {head.moved}; {state}: {why}", head)
    return Finding(state, f"moved to {head.moved}; {why}", head)


def refused(error: SourceError) -> Finding:
    """Tell the state of a source that gave no headers."""
    kinds = {GoneError: "gone", BlockedError: "blocked"}
    return Finding(kinds.get(type(error), "unknown"), " ".join([error.what, *error.details]))


def _content(head: Head, pin: Pin | None, record: Source) -> tuple[str, str]:
    pinned = {"md5": pin.md5, "sha256": pin.sha256, "size": pin.size} if pin else {}
    pairs = [(kind, value, getattr(head, kind)) for kind, value in pinned.items() if value]
    for kind, value, told in pairs:
        if told not in (None, value):
            return "changed", f"{kind} pinned {_shown(value)}, served {_shown(told)}"
    for kind, value, told in pairs:
        # An ETag of other servers may be a hash; if it is the pinned one that is no accident.
        if kind != "size" and value in (told, hash_in(head.etag, kind)):
            return "same", f"the publisher's {kind} is the pinned one"
    return _validators(head, record)


def _validators(head: Head, record: Source) -> tuple[str, str]:
    told = [("ETag", record.etag, head.etag), ("size", record.size, head.size)]
    for kind, seen, now in told:
        if seen is not None and now is not None and seen != now:
            return "changed", f"{kind} recorded {_shown(seen)}, served {_shown(now)}"
    if record.etag is None:
        return "unknown", "nothing recorded to compare with; --record does"
    if head.etag is None:
        return "unknown", "an ETag is recorded, and none is sent any more"
    return "unchanged", f"ETag {head.etag} as recorded"


def _shown(value: str | int) -> str:
    return f"{value:,} bytes" if isinstance(value, int) else value
