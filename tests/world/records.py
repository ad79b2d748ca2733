"""What the double was asked: one record per request, in order of arrival."""

from __future__ import annotations

import fnmatch
import re
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    """One request and what became of it; `status`, `sent` and `ended` fill in as it is answered.

    `range` is (first, last), last None when open, and (-n, None) for the last n bytes. `sent`
    counts body bytes handed to the socket, which may be ahead of what a client that left has read.
    `repeat` counts the earlier requests for the same address. Times are time.monotonic() seconds.
    """

    method: str
    url: str
    headers: dict[str, str]
    connection: int
    repeat: int = 0
    status: int = 0
    sent: int = 0
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    @property
    def host(self) -> str:
        """The host of the address, with its port if it has one."""
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        """The path of the address, without the query."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        """The query of the address; a key asked twice keeps its last value."""
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.url).query).items()}

    @property
    def range(self) -> tuple[int, int | None] | None:
        """The range asked for, or None for a request of the whole or a malformed range."""
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("range", "").strip())
        if not found or not any(found.groups()):
            return None
        first, last = found.groups()
        if not first:
            return -int(last), None
        asked = int(first), int(last) if last else None
        return None if asked[1] is not None and asked[1] < asked[0] else asked

    def matches(self, pattern: str) -> bool:
        """Tell whether an fnmatch pattern ("https://host/*" or "HEAD https://...") is met."""
        subject = f"{self.method} {self.url}" if " " in pattern else self.url
        return fnmatch.fnmatchcase(subject, pattern)


class Log:
    """The requests so far; safe to read while servers write."""

    def __init__(self) -> None:
        """Start with no request."""
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._seen: dict[str, int] = {}

    def add(self, request: Request) -> None:
        """Append a request and count its repeat."""
        with self._lock:
            request.repeat = self._seen.get(request.url, 0)
            self._seen[request.url] = request.repeat + 1
            self._requests.append(request)

    def all(self) -> list[Request]:
        """Return the requests in order of arrival."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget every request."""
        with self._lock:
            self._requests.clear()
            self._seen.clear()
