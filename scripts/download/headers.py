"""What a publisher reports about a file without sending it: size, version and hashes."""

from __future__ import annotations

import base64
import math
import queue
import re
import threading
import time
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from scripts.catalogue.params import Network
from scripts.catalogue.urls import host_of, masked, secret_in
from scripts.console.errors import SourceError, TransientError
from scripts.download.failures import http_errors, is_page_type, page_error, status
from scripts.download.publisher import Publisher, plain
from scripts.download.request import TransferLimits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    import requests

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")
_AT_ONCE = 32  # requests at the same time
_POLL = 0.2  # seconds; the longest delay of Ctrl-C
_TIMEOUT = 10.0  # seconds without a response; headers are short
_WINDOW = 3  # timeouts in which the headers of all hops must arrive
_TRIES = 2  # a single broken connection proves nothing
_PAGE = 1 << 16  # bytes of a page that are searched for its message
_OK, _PARTIAL = 200, 206
_GONE, _BLOCKED = {404, 410}, {401, 403, 407, 429, 451}
_PASSING = {408, 425, 500, 502, 503, 504}
_DELETED = re.compile(rb"deleted|not found|no longer|do(?:es)?n.t exist", re.IGNORECASE)
_GOOG_MD5 = re.compile(r"\bmd5=([A-Za-z0-9+/]{22}==)")
_TOTAL = re.compile(r"(?:bytes [^/]*/)?(\d{1,18})", re.ASCII)
_HEX = {"md5": re.compile(r"[0-9a-f]{32}"), "sha256": re.compile(r"[0-9a-f]{64}")}


@dataclass(frozen=True)
class Head:
    """What a publisher reports: size in bytes, hashes in lower hex; None where it does not.

    `etag` is unchanged, quotes included; `modified` is Last-Modified; `moved` is the new URL of
    a permanent redirect.
    """

    size: int | None = None
    etag: str | None = None
    modified: str | None = None
    md5: str | None = None
    sha256: str | None = None
    moved: str | None = None


def at_once(
    ask: Callable[[_Asked], _Answer], items: Sequence[_Asked], *, within: float = math.inf
) -> list[_Answer | None]:
    """Call `ask` with all items at the same time; return the answers in the items' order.

    An answer that has not come `within` these seconds is None. The threads are daemons: a command
    that is stopped does not wait for them. Raises what `ask` raises.
    """
    waiting = deque(enumerate(items))
    done: queue.SimpleQueue[tuple[int, _Answer | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        with suppress(IndexError):  # no item is left
            while True:
                done.put(_answered(ask, *waiting.popleft()))

    for _ in range(min(_AT_ONCE, len(items))):
        threading.Thread(target=work, daemon=True).start()
    answers: dict[int, _Answer | None] = {}
    latest = time.monotonic() + within
    try:
        while len(answers) < len(items) and (left := latest - time.monotonic()) > 0:
            with suppress(queue.Empty):
                number, answer, error = done.get(timeout=min(left, _POLL))
                if error:
                    raise error
                answers[number] = answer
    finally:
        waiting.clear()
    return [answers.get(number) for number in range(len(items))]


def _answered(
    ask: Callable[[_Asked], _Answer], number: int, item: _Asked
) -> tuple[int, _Answer | None, BaseException | None]:
    try:
        return number, ask(item), None
    except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
        return number, None, error


class GoneError(SourceError):
    """The publisher reports that the file no longer exists."""


class BlockedError(SourceError):
    """The publisher is reachable, but refuses to give us the file."""


class HeadRequest(Publisher):
    """Request the headers of one URL: by HEAD, or if that fails, by a GET of one byte."""

    def __init__(self, url: str, context: ssl.SSLContext, *, timeout: float) -> None:
        """Prepare and request nothing; `timeout` is in seconds, limited to ten."""
        timeout = min(timeout, _TIMEOUT)
        limits = TransferLimits(Network(timeout=timeout, window=_WINDOW * timeout))
        super().__init__(url, connections=1, timeout=timeout, context=context, limits=limits)
        self._by_page = self.url != url  # redirects are then the host's normal way to the file

    def head(self) -> Head:
        """Return the publisher's report; raise GoneError, BlockedError or SourceError."""
        for _ in range(_TRIES - 1):
            with suppress(TransientError):
                return self._head_or_get()
        return self._head_or_get()

    def _head_or_get(self) -> Head:
        try:
            return self._ask("HEAD", {})
        except TransientError:
            raise
        except SourceError:  # a URL signed for GET rejects HEAD, and a page has no body then
            return self._ask("GET", {"Range": "bytes=0-0"})

    def _ask(self, method: str, headers: Mapping[str, str]) -> Head:
        with self._pace.request(), http_errors(self.host):
            hops = list(self._session.follow(method, self.url, headers))
            with closing(hops[-1]) as last:
                self._check(last)
                return Head(
                    size=_size(last),
                    etag=plain(last.headers.get("ETag")),
                    modified=plain(last.headers.get("Last-Modified")),
                    md5=_md5(last.headers),
                    sha256=_linked(hops[0]),
                    moved=None if self._by_page else _moved(hops),
                )

    def _check(self, response: requests.Response) -> None:
        """Raise the error a response stands for if it is not that of the file."""
        code, what = response.status_code, f"{self.host}: {status(response)}"
        if code in _GONE:
            raise GoneError(what)
        if code in _BLOCKED:
            raise BlockedError(what, "Some hosts send this status for a removed file, too.")
        if code in _PASSING:
            raise TransientError(what)
        if code not in (_OK, _PARTIAL):
            raise SourceError(what)
        if is_page_type(response.headers.get("Content-Type", "")):
            raise _page_meaning(self.host, response.raw.read(_PAGE, decode_content=True))
        if response.request.method == "HEAD" and _size(response) is None:
            raise SourceError(f"{self.host}: does not report the size")


def _moved(hops: Sequence[requests.Response]) -> str | None:
    """Return the target of the permanent redirects at the beginning, or None; no signature."""
    permanent = sum(1 for _ in takewhile(lambda hop: hop.is_permanent_redirect, hops))
    url = hops[permanent].url
    return (masked(url) if secret_in(url) else url) if permanent else None


def _page_meaning(host: str, page: bytes) -> SourceError:
    """Return the error that a page in place of the file stands for at this host."""
    error = page_error(host, page)
    if host.endswith("dropbox.com") and _DELETED.search(page):
        return GoneError(error.what, *error.details)
    if host.endswith(("dropbox.com", "google.com")):
        return BlockedError(error.what, *error.details)
    return error


def _size(response: requests.Response) -> int | None:
    headers = response.headers
    if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        return None
    name = "Content-Range" if response.status_code == _PARTIAL else "Content-Length"
    found = _TOTAL.fullmatch(headers.get(name, "").strip())
    return int(found[1]) if found else None


def _md5(headers: Mapping[str, str]) -> str | None:
    """Return the md5 of the stored bytes, if a header is known to hold it."""
    if headers.get("x-goog-stored-content-encoding", "identity") == "identity" and (
        found := _GOOG_MD5.search(headers.get("x-goog-hash", ""))
    ):
        return base64.b64decode(found[1]).hex()
    # S3's ETag is the md5 of a single-part upload, unless it is encrypted with a KMS key.
    encryption = headers.get("x-amz-server-side-encryption", "")
    single = headers.get("Server") == "AmazonS3" and "kms" not in encryption
    return hash_in(headers.get("ETag"), "md5") if single else None


def _linked(first: requests.Response) -> str | None:
    """Return the sha256 that Hugging Face itself reports before it redirects to its store."""
    trusted = host_of(first.url) == "huggingface.co"
    return hash_in(first.headers.get("X-Linked-ETag"), "sha256") if trusted else None


def hash_in(etag: str | None, kind: str) -> str | None:
    """Return an ETag's value if it has the form of an md5 or sha256, or None."""
    value = (etag or "").strip('"').lower()
    return value if _HEX[kind].fullmatch(value) else None
