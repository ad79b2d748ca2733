"""What is published where, and the signed addresses that lead to it."""

from __future__ import annotations

import functools
import hashlib
import re
import threading
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

# Query keys that change how Dropbox and Hugging Face show a file, not which file it is.
PRESENTATION = {"dl", "raw", "e", "st", "download"}
RAW_GITHUB = "raw.githubusercontent.com"


@dataclass(frozen=True)
class Item:
    """Bytes published at an address; `kind` names the publisher's manner of serving."""

    url: str
    data: bytes
    kind: str
    name: str
    etag: str | None = None

    @functools.cached_property
    def md5(self) -> str:
        """The md5 of the bytes, in hexadecimal."""
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @functools.cached_property
    def sha256(self) -> str:
        """The sha256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


class Shelf:
    """The published items, by the address without what only changes its presentation."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._items: dict[str, Item] = {}
        self._signed: dict[str, Item] = {}
        self._issued = 0

    def put(self, item: Item) -> None:
        """Publish an item, in place of what stood at its address."""
        with self._lock:
            self._items[key_of(item.url)] = item

    def remove(self, url: str) -> None:
        """Take an item away; an address that held none is a KeyError."""
        with self._lock:
            del self._items[key_of(url)]

    def find(self, url: str) -> Item | None:
        """Return the item an address or a signed address leads to."""
        with self._lock:
            return self._signed.get(url) or self._items.get(key_of(url))

    def hosts(self) -> set[str]:
        """Return the hosts that have an item."""
        with self._lock:
            return {urlsplit(item.url).hostname or "" for item in self._items.values()}

    def sign(self, base: str, item: Item) -> str:
        """Return a fresh signed address of the item, `base` with a query."""
        with self._lock:
            self._issued += 1
            seal = hashlib.sha256(f"{base} {self._issued}".encode()).hexdigest()
            query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600&X-Amz-Signature={seal}"
            self._signed[f"{base}?{query}"] = item
            return f"{base}?{query}"

    def expire(self) -> None:
        """Make every signature given out so far invalid."""
        with self._lock:
            self._signed.clear()


def key_of(url: str) -> str:
    """Return one spelling for all the addresses a publisher has for the same file."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in {"drive.google.com", "drive.usercontent.google.com"}:
        found = re.match(r"/file/d/([^/]+)", parts.path)
        return "drive:" + (found[1] if found else parse_qs(parts.query).get("id", [""])[0])
    if host == RAW_GITHUB and parts.path.count("/") > 3:
        owner, repository, rest = parts.path[1:].split("/", 2)
        return f"https://github.com/{owner}/{repository}/raw/{rest}"
    path = parts.path.replace("/s/dl/", "/s/", 1) if host == "www.dropbox.com" else parts.path
    query = [pair for pair in parse_qsl(parts.query) if pair[0] not in PRESENTATION]
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(query), ""))
