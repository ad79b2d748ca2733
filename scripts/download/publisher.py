"""GET requests to one URL: redirects, https, byte ranges, and pages sent in place of the file."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from scripts.catalogue.params import Network
from scripts.catalogue.urls import host_of, is_private
from scripts.console.errors import SourceError, TransientError
from scripts.download.addresses import file_url
from scripts.download.connections import Connections, Session
from scripts.download.failures import (
    http_errors,
    is_page_type,
    looks_like_page,
    page_error,
    retry_after,
    status,
)
from scripts.download.pace import Pace
from scripts.download.request import TransferLimits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

    import urllib3

_READ = 1 << 18  # bytes collected for one write
_HEAD = 256  # bytes in which a page is recognised
_PAGE = 1 << 16  # bytes of a page that are searched for its title
_CONNECT = 10.0  # seconds
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416
_NO_ACCOUNT = {401, 407}  # not 403, which may mean that a single file is missing
_BUSY = {408, 425, 429}  # and everything from 500 on
# Longer numbers are no sizes, and int() rejects thousands of digits.
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


@dataclass(frozen=True)
class Reply:
    """The head of a response: bytes [start, stop) of `total`, None where unknown."""

    host: str
    raw: urllib3.HTTPResponse
    validator: str | None
    encoded: bool
    start: int
    stop: int | None
    total: int | None
    ranged: bool = False

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives, no byte past `stop`.

        Raises TransientError on a failure, SourceError if it begins like a web page.
        """
        left = sys.maxsize if self.stop is None else self.stop - self.start
        head = b""
        with http_errors(self.host):
            while left and (chunk := self._read()):
                if len(chunk) > left:  # else a slice would copy every byte of the body
                    chunk = chunk[:left]
                if not self.start and len(head) < _HEAD and looks_like_page(head := head + chunk):
                    raise page_error(self.host, head)
                left -= len(chunk)
                yield chunk

    def _read(self) -> bytes:
        if self.encoded:
            return self.raw.read1(_READ, decode_content=True)
        return self.raw.read(_READ, decode_content=False)


class Publisher:
    """Request one URL repeatedly, from several threads."""

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        timeout: float,
        context: ssl.SSLContext | None = None,
        limits: TransferLimits | None = None,
    ) -> None:
        """Prepare a session and request nothing; `timeout` is in seconds without data.

        `context` is the result of trust(), where several publishers share it. `limits` has the
        least rate.
        """
        self.url = file_url(url)
        self.host = host_of(url)
        self._resolved: str | None = None  # the last redirect target, requested directly
        limits = limits or TransferLimits(Network())
        if self.url.startswith("https:"):
            context = context or limits.context
        self._pace = Pace(limits, self.host, self.interrupt)
        self._line = limits.line
        self._connections = Connections(connections, context, self._arrived)
        self._session = Session(url, (min(_CONNECT, timeout), timeout))
        self._session.mount("https://", self._connections)
        self._session.mount("http://", self._connections)

    @contextmanager
    def get(
        self, start: int | None = None, stop: int | None = None, *, validator: str | None = None
    ) -> Iterator[Reply]:
        """Request bytes [start, stop), or the whole file without a Range header.

        With `validator`, the range is sent only if the version matches; another version is sent
        whole (Reply.ranged is False). Raises TransientError or SourceError.
        """
        with self._pace.request(), self._request(start, stop, validator) as reply:
            yield reply

    @contextmanager
    def _request(
        self, start: int | None, stop: int | None, validator: str | None
    ) -> Iterator[Reply]:
        headers = {}
        if start is not None:
            headers["Range"] = f"bytes={start}-{stop - 1 if stop else ''}"
            if validator:
                headers["If-Range"] = validator
        try:
            with http_errors(self.host):
                response = self._get(headers)
        except TransientError:
            self._resolved = None  # another server may respond
            raise
        try:
            yield self._checked(response, start, stop)
        finally:
            response.close()  # and its connection, unless the body was read to its end

    def refuse_private(self) -> None:
        """From now on, raise SourceError for a name that resolves to a private address.

        It is for a file without a pin: nothing else decides whose bytes are believed.
        """
        self._connections.public = not is_private(self.url)

    def interrupt(self) -> None:
        """Make all open requests fail; later ones do not."""
        self._connections.interrupt()

    def close(self) -> None:
        """Abort all open responses and wake the threads that wait for data."""
        self._pace.close()
        self._connections.abort()
        self._session.close()

    def _arrived(self, size: int, waiting: int) -> None:
        self._pace.arrived(size)
        self._line.count(size, waiting)

    def _get(self, headers: Mapping[str, str]) -> requests.Response:
        """Request the last redirect target; if that fails, follow the redirects again."""
        if url := self._resolved:
            response = self._follow(url, headers)
            if response.status_code in (_OK, _PARTIAL):
                return response
            response.close()  # the signature in its URL may have expired
            self._resolved = None
        return self._follow(self.url, headers)

    def _follow(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        *passed, last = self._session.follow("GET", url, headers)
        if passed:
            self._resolved = last.url
        return last

    def _checked(self, response: requests.Response, start: int | None, stop: int | None) -> Reply:
        code = response.status_code
        if code in _BUSY or code >= requests.codes.server_error:
            raise TransientError(f"{self.host}: {status(response)}", wait=retry_after(response))
        if code == _UNSATISFIABLE:
            raise RangeError(f"{self.host}: {status(response)}")
        if code not in (_OK, _PARTIAL):
            down = code in _NO_ACCOUNT
            raise SourceError(f"{self.host}: {status(response)}", host_down=down)
        if is_page_type(response.headers.get("Content-Type", "")):
            with http_errors(self.host):
                page = response.raw.read(_PAGE, decode_content=True)
            raise page_error(self.host, page)
        return self._reply(response, start, stop)

    def _reply(self, response: requests.Response, start: int | None, stop: int | None) -> Reply:
        headers, raw = response.headers, response.raw
        encoded = headers.get("Content-Encoding", "").strip().lower() not in ("", "identity")
        validator = validator_of(headers)
        if response.status_code == _OK:
            total = None if encoded else raw.length_remaining
            return Reply(self.host, raw, validator, encoded, 0, total, total)
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        first, last, total = map(int, found.groups()) if found else (-1, -1, -1)
        expected = min(stop or total, total) - 1
        if start is None or encoded or (first, last) != (start, expected):
            raise RangeError(f"{self.host}: sent a different range than requested")
        return Reply(self.host, raw, validator, encoded, first, last + 1, total, ranged=True)


class RangeError(SourceError):
    """The publisher handles ranges incorrectly; the file can still be read in one stream."""


def validator_of(headers: Mapping[str, str]) -> str | None:
    """Return what identifies the version of a file, its ETag or its date, or None."""
    etag = headers.get("ETag")
    # A weak ETag promises equivalent content, not equal bytes.
    return plain(etag if etag and not etag.startswith("W/") else headers.get("Last-Modified"))


def plain(value: str | None) -> str | None:
    """Return a header that may be shown, written to a file and sent again, or None."""
    return value if value and value.isascii() and value.isprintable() else None
