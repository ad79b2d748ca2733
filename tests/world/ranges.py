"""Range requests: the part of a whole reply that a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.world.reply import Reply

if TYPE_CHECKING:
    from tests.world.records import Request


def select(request: Request, reply: Reply) -> Reply:
    """Return the whole reply, the part asked for (206), or 416."""
    if reply.accept_ranges:
        reply = reply.having(Accept_Ranges="bytes")
    asked = request.range
    if reply.status != 200 or not reply.ranges or asked is None or not _fresh(request, reply):
        return reply
    first, last = bounds(asked, len(reply.body))
    if first > last:
        return Reply(
            416, {"Content-Type": "text/plain", "Content-Range": f"bytes */{_size(reply)}"}
        )
    span = f"bytes {first + reply.skew}-{last + reply.skew}/{_size(reply)}"
    part = memoryview(reply.body)[first : last + 1]
    return replace(reply, status=206, body=part).having(Content_Range=span)


def bounds(asked: tuple[int, int | None], size: int) -> tuple[int, int]:
    """Return the first and last byte of a range; first > last when none of it exists."""
    first, last = asked
    if first < 0:
        return max(size + first, 0), size - 1
    return first, size - 1 if last is None else min(last, size - 1)


def _fresh(request: Request, reply: Reply) -> bool:
    """Tell whether If-Range, if any, names the version that is served (strong comparison)."""
    wanted = request.headers.get("if-range")
    if wanted is None:
        return True
    etag = reply.headers.get("ETag", "")
    return wanted == reply.headers.get("Last-Modified") or (
        wanted == etag and not etag.startswith("W/")
    )


def _size(reply: Reply) -> int:
    return len(reply.body) if reply.told is None else reply.told
