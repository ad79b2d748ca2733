"""The reply of a server that holds the file itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.world.reply import Reply

if TYPE_CHECKING:
    from tests.world.shelf import Item

LAST_MODIFIED = "Wed, 05 Apr 2023 16:00:00 GMT"


def stored(
    item: Item,
    etag: str,
    more_headers: tuple[tuple[str, str], ...] = (),
    *,
    content_type: str = "application/octet-stream",
) -> Reply:
    """Return the whole item, ranges allowed, under its own ETag or else `etag`."""
    headers = {
        "Content-Type": content_type,
        "ETag": item.etag or etag,
        "Last-Modified": LAST_MODIFIED,
    }
    return Reply(200, headers, item.data, more_headers, ranges=True, accept_ranges=True)
