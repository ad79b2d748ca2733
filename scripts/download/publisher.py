"""One address as its publisher serves it: redirects, https, ranges, and pages that are no file."""

from __future__ import annotations

import re
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import requests
import urllib3

from scripts.catalogue.urls import is_safe
from scripts.console.errors import SourceError, TransientError
from scripts.download import pages
from scripts.download.connections import Connections, Session, authorities, trust
from scripts.download.failures import http_errors, retry_after, status

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

_READ = 1 << 18  # bytes gathered for one write; TLS gives 16 KiB at a time
_PAGE = 1 << 16  # bytes of a page in which its title stands
_REDIRECTS = 10
_CONNECT = 10.0  # seconds
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416
_NO_ACCOUNT = {401, 407}  # 403 may be said of one file that is missing
_BUSY = {408, 425, 429}  # and whatever is 500 or more
# Longer numbers are no sizes, and int() refuses thousands of digits.
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


@dataclass(frozen=True)
class Reply:
    """The head of an answer: bytes [start, stop) of `total`, each None where it is not known."""

    host: str
    raw: urllib3.response.BaseHTTPResponse
    validator: str | None
    encoded: bool
    start: int
    stop: int | None
    total: int | None
    ranged: bool = False

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives, no byte past `stop`; raise TransientError if it breaks."""
        left = sys.maxsize if self.stop is None else self.stop - self.start
        with http_errors(self.host):
            while left and (chunk := self._read()[:left]):
                left -= len(chunk)
                yield chunk

    def _read(self) -> bytes:
        # read1 has no decoded form that streams; a server that encodes unasked gets the slow way.
        raw = self.raw
        if self.encoded or not isinstance(raw, urllib3.HTTPResponse):
            return bytes(raw.read(_READ, decode_content=True))
        pieces: list[bytes] = []
        left = _READ
        try:
            while left and (piece := raw.read1(left, decode_content=False)):
                pieces.append(piece)
                left -= len(piece)
        except (OSError, urllib3.exceptions.HTTPError):
            if not pieces:
                raise
        return b"".join(pieces)  # after a loss, too: the next read meets it again


class Publisher:
    """Opens one address, again and again, from several threads."""

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        timeout: float,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare a session; `timeout` is in seconds without a byte. Nothing is asked yet.

        `context` is what trust() made, where several publishers share it.
        """
        self.url = direct(url)
        self.host = urlsplit(url).hostname or url
        self._resolved: str | None = None  # the address we were sent to, and may ask at once
        self._timeout = (min(_CONNECT, timeout), timeout)
        if self.url.startswith("https:"):
            context = context or trust()
        self._connections = Connections(connections, context)
        self._session = Session()
        self._session.verify = authorities()
        self._session.mount("https://", self._connections)
        self._session.mount("http://", self._connections)

    @contextmanager
    def get(
        self, start: int | None = None, stop: int | None = None, *, validator: str | None = None
    ) -> Iterator[Reply]:
        """Ask for bytes [start, stop), or for the whole file without a Range header.

        With `validator`, only a range of that very version is given; another version comes
        whole (Reply.ranged is False). Raises TransientError or SourceError.
        """
        headers = {"Accept-Encoding": "identity"}
        if start is not None:
            headers["Range"] = f"bytes={start}-{stop - 1 if stop else ''}"
            if validator:
                headers["If-Range"] = validator
        try:
            with http_errors(self.host):
                response = self._follow(headers)
        except TransientError:
            self._resolved = None  # another machine may answer
            raise
        try:
            yield self._checked(response, start, stop)
        finally:
            response.close()  # with its connection, unless the body was read to its end

    def close(self) -> None:
        """Break off every open answer; threads that wait for bytes wake up."""
        self._connections.break_off()
        self._session.close()

    def _follow(self, headers: dict[str, str]) -> requests.Response:
        """Follow redirects by hand, so that each hop is held to https; remember the last."""
        url = remembered = self._resolved
        for _ in range(_REDIRECTS):
            response = self._session.get(
                url or self.url, headers=headers, stream=True, allow_redirects=False,
                timeout=self._timeout,
            )  # fmt: skip
            found = response.status_code in (_OK, _PARTIAL)
            if found or not (remembered or response.is_redirect):
                self._resolved = url
                return response
            with closing(response):
                if response.is_redirect:
                    url = self._next(url or self.url, response)
                else:  # its signature may have run out: ask for a new one
                    self._resolved = url = remembered = None
        raise SourceError(f"{self.host}: more than {_REDIRECTS} redirects")

    def _next(self, url: str, response: requests.Response) -> str:
        try:
            location = response.headers["Location"].encode("latin-1").decode()
            target = urljoin(url, location)
            parts = urlsplit(target)
            _ = parts.port  # a number that is no port raises here
        except ValueError as error:
            raise SourceError(f"{self.host}: redirects to an address that is none") from error
        if not is_safe(target):
            where = pages.printable(f"{parts.scheme}://{parts.hostname}")
            raise SourceError(f"{self.host}: redirects to {where}, which is not https")
        return target

    def _checked(self, response: requests.Response, start: int | None, stop: int | None) -> Reply:
        code = response.status_code
        if code in _BUSY or code >= requests.codes.server_error:
            raise TransientError(f"{self.host}: {status(response)}", wait=retry_after(response))
        if code == _UNSATISFIABLE:
            raise RangeError(f"{self.host}: {status(response)}")
        if code not in (_OK, _PARTIAL):
            unknown = code in _NO_ACCOUNT
            raise SourceError(f"{self.host}: {status(response)}", host_down=unknown)
        if pages.announced(response.headers.get("Content-Type", "")):
            with http_errors(self.host):
                page = response.raw.read(_PAGE, decode_content=True)
            raise pages.refusal(self.host, page)
        return self._reply(response, start, stop)

    def _reply(self, response: requests.Response, start: int | None, stop: int | None) -> Reply:
        headers, raw = response.headers, response.raw
        encoded = headers.get("Content-Encoding", "").strip().lower() not in ("", "identity")
        validator = _validator(headers.get("ETag"), headers.get("Last-Modified"))
        if response.status_code == _OK:
            total = None if encoded else raw.length_remaining
            return Reply(self.host, raw, validator, encoded, start=0, stop=total, total=total)
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        first, last, total = map(int, found.groups()) if found else (-1, -1, -1)
        expected = min(stop or total, total) - 1
        if start is None or encoded or (first, last) != (start, expected):
            raise RangeError(f"{self.host}: answers a range with another one")
        return Reply(self.host, raw, validator, encoded, first, last + 1, total, ranged=True)


class RangeError(SourceError):
    """The publisher cannot be trusted with ranges; the file can still be read in one stream."""


def direct(url: str) -> str:
    """Return the address of the file itself where `url` is that of a page about it."""
    parts = urlsplit(url)
    if parts.hostname not in ("www.dropbox.com", "dropbox.com"):
        return url
    query = dict(parse_qsl(parts.query)) | {"dl": "1"}
    return parts._replace(query=urlencode(query)).geturl()


def _validator(etag: str | None, modified: str | None) -> str | None:
    # A weak ETag promises the same meaning, not the same bytes.
    told = etag if etag and not etag.startswith("W/") else modified
    return told if told and told.isascii() and told.isprintable() else None
