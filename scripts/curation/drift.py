"""Compare what publishers serve now with the pin, and with what sources/NAME.dvc recorded."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.catalogue import sources
from scripts.catalogue.urls import host_of
from scripts.checkout import candidates, served
from scripts.console.errors import SourceError, UsageError
from scripts.download.headers import (
    BlockedError,
    GoneError,
    Head,
    HeadRequest,
    at_once,
    hash_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.catalogue.params import Published
    from scripts.catalogue.pins import Pin
    from scripts.catalogue.sources import Source
    from scripts.checkout.clone import Clone
    from scripts.checkout.served import Served

STATES = {
    "same": "the publisher states the pinned hash: the content is known to be the same",
    "unchanged": "ETag and size are those in sources/NAME.dvc, or those of a verified download",
    "moved": "permanently redirected to another address; the content is same or unchanged",
    "changed": "another hash or size than pinned, or another ETag or size than before",
    "gone": "the publisher does not have the file any more",
    "blocked": "the publisher refuses: forbidden, quota exceeded, or a sign-in page",
    "unknown": "not reached, not understood, or nothing was recorded to compare with",
}


NOTHING = "nothing to compare with: no ETag was noted in a download here, or recorded"


@dataclass(frozen=True)
class Finding:
    """The state of one address, a key of STATES, and why; `head` is None without an answer."""

    state: str
    why: str
    head: Head | None = None
    mirror: bool = False  # the address is that of a mirror, of which nothing is ever recorded


@dataclass(frozen=True)
class _Asked:
    """An address, the pin of what it must serve, and what it served when it was downloaded."""

    source: Source
    pin: Pin | None
    served: Served | None = None
    mirror: bool = False


def compare(
    clone: Clone, entries: Sequence[Published], *, mirrors: bool = False
) -> list[tuple[Source, Finding]]:
    """Request the headers of all entries at once and compare them; with `mirrors`, of these, too.

    A mirror is returned as a source of its own, after its publisher. Raises CatalogueError if a
    source cannot be read, UsageError if CHECKPOINTS_SOURCES leaves out whoever is to be asked,
    SourceError if there is no file of trusted certificate authorities.
    """
    _refuse_left_out("publisher", *["mirrors"] * mirrors)
    asked: list[_Asked] = []
    for entry in entries:
        source = sources.read(clone.root / "sources", entry.name)
        seen = served.recall(clone, entry, source.url)
        asked.append(_Asked(source, clone.published_pin(entry), seen))
        asked += _mirrors(clone, entry, source) if mirrors else ()
    timeout, context = clone.catalogue.network.timeout, clone.limits.context

    def ask(asked: _Asked) -> Finding:
        try:
            with closing(HeadRequest(asked.source.url, context, timeout=timeout)) as request:
                found = _judge(request.head(), asked)
        except SourceError as error:
            state = {GoneError: "gone", BlockedError: "blocked"}.get(type(error), "unknown")
            found = Finding(state, " ".join([error.what, *error.details]))
        return _of_mirror(found, asked.source) if asked.mirror else found

    found = zip(asked, at_once(ask, asked), strict=True)
    return [(row.source, each) for row, each in found if each]


def _refuse_left_out(*words: str) -> None:
    order = candidates.order_from_env()
    if left := [word for word in words if word not in order]:
        raise UsageError(
            f"{order} leaves out the {left[0]}, and there is no one else to compare with",
            f"Next: unset {candidates.variable()}, or add {left[0]} to it.",
        )


def _mirrors(clone: Clone, entry: Published, source: Source) -> Iterator[_Asked]:
    """Yield each mirror as a source, with the pin of what it must serve."""
    files = {file.member: file for file in entry.files}
    for mirror in source.mirrors:
        file = files.get(mirror.member) if mirror.member else None
        pin = clone.pin(file) if file else clone.published_pin(entry)
        copy = dataclasses.replace(source, url=mirror.url, etag=None, size=None, mirrors=())
        yield _Asked(copy, pin, mirror=True)


def _of_mirror(found: Finding, mirror: Source) -> Finding:
    unstated = found.state == "unknown" and found.head is not None
    why = "states no hash, and no other size than the pinned one" if unstated else found.why
    return Finding(found.state, f"mirror {host_of(mirror.url)}: {why}", found.head, mirror=True)


def _judge(head: Head, asked: _Asked) -> Finding:
    """Return the state of a source that answered."""
    state, why = _content(head, asked)
    if head.moved and state in ("same", "unchanged"):
        return Finding("moved", f"to {head.moved}; {state}: {why}", head)
    return Finding(state, f"moved to {head.moved}; {why}" if head.moved else why, head)


def _content(head: Head, asked: _Asked) -> tuple[str, str]:
    """Return state and reason by the hashes and the size that the publisher states."""
    pin = asked.pin
    pinned = {"md5": pin.md5, "sha256": pin.sha256, "size": pin.size} if pin else {}
    rows = [(kind, value, getattr(head, kind)) for kind, value in pinned.items() if value]
    for kind, value, now in rows:
        if now not in (None, value):
            return "changed", f"{kind} pinned {_shown(value)}, served {_shown(now)}"
    for kind, value, now in rows:
        # Other servers may send a hash as ETag; an ETag equal to the pinned hash is no accident.
        if kind != "size" and value in (now, hash_in(head.etag, kind)):
            return "same", f"the publisher's {kind} is the pinned one"
    return _validators(head, asked.source, asked.served)


def _validators(head: Head, source: Source, seen: Served | None) -> tuple[str, str]:
    """Return state and reason by ETag and size, compared with recorded ones, or downloaded ones."""
    for kind, old, now in (("ETag", source.etag, head.etag), ("size", source.size, head.size)):
        if old is not None and now is not None and old != now:
            return "changed", f"{kind} recorded {_shown(old)}, served {_shown(now)}"
    if source.etag is None:
        return _downloaded(head, seen) if seen else ("unknown", NOTHING)
    if head.etag is None:
        return "unknown", "an ETag is recorded, and the publisher sends none any more"
    return "unchanged", f"ETag {head.etag} as recorded"


def _downloaded(head: Head, seen: Served) -> tuple[str, str]:
    """Return state and reason by ETag, or date, and size of a verified download in this clone."""
    if head.size not in (None, seen.size):
        return "changed", f"size downloaded {_shown(seen.size)}, served {_shown(head.size)}"
    if seen.validator in (head.etag, head.modified):
        return "unchanged", f"{seen.validator} as downloaded, with the pinned bytes"
    now = head.etag if seen.validator.startswith('"') else head.modified
    if now is None:
        return "unknown", f"downloaded as {seen.validator}; the publisher sends none any more"
    return "changed", f"downloaded as {seen.validator}, served {now}"


def _shown(value: str | int) -> str:
    return f"{value:,} bytes" if isinstance(value, int) else value
