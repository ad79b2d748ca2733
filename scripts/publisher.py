"""One address as its publisher serves it: redirects, https, ranges, and pages that are no file."""

from __future__ import annotations

import email.utils
import os
import re
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from scripts.errors import SourceError, TransientError
from scripts.sources import is_safe

if TYPE_CHECKING:
    from collections.abc import Iterator

_READ = 1 << 18  # bytes a read; one recv gives what has arrived, so a cut loses nothing
_REDIRECTS = 10
_CONNECT = 10.0  # seconds
_WAIT = 300.0  # seconds; a publisher that asks for more patience is asked another time
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_EXPIRED = {401, 403, 404, 410}
_TRUST = "Behind a proxy that inspects TLS, set REQUESTS_CA_BUNDLE to its CA file."
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>|<h1[^>]*>(.*?)</h1>", re.IGNORECASE | re.DOTALL)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


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
        """Yield the body as it arrives; raise TransientError where it breaks off."""
        with _said_plainly(self.host):
            while chunk := self._read():
                yield chunk

    def _read(self) -> bytes:
        # read1 has no decoded form that streams; a server that encodes unasked gets the slow way.
        raw = self.raw
        if self.encoded or not isinstance(raw, urllib3.HTTPResponse):
            return bytes(raw.read(_READ, decode_content=True))
        return bytes(raw.read1(_READ, decode_content=False))


class Publisher:
    """Opens one address, again and again, from several threads."""

    def __init__(self, url: str, *, connections: int, timeout: float) -> None:
        """Prepare a session; `timeout` is in seconds without a byte. Nothing is asked yet."""
        self.url = direct(url)
        self.host = urlsplit(url).hostname or url
        self._resolved: str | None = None
        self._timeout = (min(_CONNECT, timeout), timeout)
        self._open: set[urllib3.response.BaseHTTPResponse] = set()
        self._closed = threading.Event()
        self._session = requests.Session()
        self._session.verify = authorities()
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

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
        with _said_plainly(self.host):
            response = self._follow(headers)
        self._open.add(response.raw)
        try:
            yield self._checked(response, start, stop)
        finally:
            self._open.discard(response.raw)
            self._give_back(response)

    def close(self) -> None:
        """Break off every open answer; threads that wait for bytes wake up."""
        self._closed.set()
        for raw in list(self._open):
            with suppress(ValueError, OSError):  # it ended just now
                raw.shutdown()
        self._session.close()

    def _give_back(self, response: requests.Response) -> None:
        # An unread rest is thrown away with its connection: draining it would download it.
        if self._closed.is_set() or (response.raw.length_remaining or 0) > 0:
            response.raw.close()
        response.raw.release_conn()

    def _follow(self, headers: dict[str, str]) -> requests.Response:
        """Follow redirects by hand, so that each hop is held to https; remember the last."""
        url, remembered = self._resolved or self.url, self._resolved
        for _ in range(_REDIRECTS):
            response = self._session.get(
                url, headers=headers, stream=True, allow_redirects=False, timeout=self._timeout
            )
            if remembered and response.status_code in _EXPIRED:
                # The signature of the address we were sent to has run out: ask for a new one.
                self._resolved = remembered = None
                url = self.url
            elif response.is_redirect:
                url = self._next(url, response.headers["Location"])
            else:
                self._resolved = url if url != self.url else None
                return response
            response.close()
        raise SourceError(f"{self.host}: more than {_REDIRECTS} redirects")

    def _next(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        if not is_safe(target):
            parts = urlsplit(target)
            where = f"{parts.scheme}://{parts.hostname}"
            raise SourceError(f"{self.host}: redirects to {where}, which is not https")
        return target

    def _checked(self, response: requests.Response, start: int | None, stop: int | None) -> Reply:
        status = response.status_code
        if status in _BUSY:
            raise TransientError(f"{self.host}: {_status(response)}", wait=_retry_after(response))
        if status not in (200, 206):
            raise SourceError(f"{self.host}: {_status(response)}")
        if response.headers.get("Content-Type", "").startswith(("text/html", "application/xhtml")):
            raise SourceError(*self.page(response.raw.read(1 << 16)))
        return self._reply(response, start, stop)

    def _reply(self, response: requests.Response, start: int | None, stop: int | None) -> Reply:
        headers = response.headers
        encoded = headers.get("Content-Encoding", "identity").strip().lower() not in (
            "",
            "identity",
        )
        validator = _validator(headers.get("ETag"), headers.get("Last-Modified"))
        raw = response.raw
        if response.status_code == 200:  # noqa: PLR2004
            total = None if encoded else raw.length_remaining
            return Reply(self.host, raw, validator, encoded, start=0, stop=total, total=total)
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        first, last, total = map(int, found.groups()) if found else (-1, -1, -1)
        expected = min(stop or total, total) - 1
        if start is None or encoded or (first, last) != (start, expected):
            raise RangeError(f"{self.host}: answers a range with another one")
        return Reply(self.host, raw, validator, encoded, first, last + 1, total, ranged=True)

    def page(self, body: bytes) -> tuple[str, str]:
        """Say what an HTML page in place of a file means at this host."""
        found = _TITLE.search(body)
        title = b" ".join((found[1] or found[2] or b"").split()) if found else b""
        said = f': "{title.decode(errors="replace")[:80]}"' if title else ""
        return f"{self.host}: sent a web page instead of the file{said}", _usual_reason(self.host)


class RangeError(SourceError):
    """The publisher cannot be trusted with ranges; the file can still be read in one stream."""


def direct(url: str) -> str:
    """Return the address of the file itself where `url` is that of a page about it."""
    parts = urlsplit(url)
    if parts.hostname not in ("www.dropbox.com", "dropbox.com"):
        return url
    query = dict(parse_qsl(parts.query)) | {"dl": "1"}
    return parts._replace(query=urlencode(query)).geturl()


def authorities() -> str | bool:
    """Return the CA bundle to trust: what requests reads, and SSL_CERT_FILE, which it does not."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if bundle := os.environ.get(name):
            return bundle
    return True


def looks_like_page(head: bytes) -> bool:
    """Tell whether the first bytes are HTML, whatever the type that was announced."""
    return head[:256].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _usual_reason(host: str) -> str:
    if host.endswith("dropbox.com"):
        return "Dropbox does so when a link was removed or may not be downloaded."
    if host.endswith("google.com"):
        return "Google Drive does so when the day's quota is used up or the file is not public."
    return "The file may have moved, or a captive portal stands in between."


def _status(response: requests.Response) -> str:
    meaning = {403: "forbidden", 404: "not found", 410: "gone", 429: "too many requests"}
    reason = response.reason or meaning.get(response.status_code, "")
    return f"{response.status_code} {reason}".strip()


def _validator(etag: str | None, modified: str | None) -> str | None:
    # A weak ETag promises the same meaning, not the same bytes.
    return etag if etag and not etag.startswith("W/") else modified


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        wait = float(value)
    elif when := email.utils.parsedate_tz(value):
        wait = max(0.0, email.utils.mktime_tz(when) - time.time())
    else:
        return None
    if wait > _WAIT:
        host = urlsplit(response.url).hostname
        raise SourceError(f"{host}: {_status(response)}, and asks to come back in {wait:,.0f} s")
    return wait


@contextmanager
def _said_plainly(host: str) -> Iterator[None]:
    """Turn what requests and urllib3 raise into what it means for a rerun."""
    try:
        yield
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            what = f"{host}: the server's certificate is not trusted"
            raise SourceError(what, _TRUST) from error
        raise TransientError(f"{host}: the TLS connection broke off") from error
    except requests.exceptions.ConnectionError as error:
        what = (
            "the proxy refuses"
            if isinstance(error, requests.exceptions.ProxyError)
            else "no connection"
        )
        raise TransientError(f"{host}: {what}: {_cause(error)}", connected=False) from error
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise TransientError(f"{host}: no byte arrived for too long") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise TransientError(f"{host}: the transfer broke off: {_cause(error)}") from error
    except (OSError, ValueError, AttributeError) as error:
        # What a socket gives when it is shut down under a reading thread.
        raise TransientError(f"{host}: the connection was lost: {error}") from error


def _cause(error: BaseException) -> str:
    """Return the innermost reason in words, without addresses and object names."""
    reason: object = error
    while True:
        inner = getattr(reason, "reason", None)
        if not isinstance(inner, BaseException):
            args = getattr(reason, "args", ())
            inner = next((arg for arg in args if isinstance(arg, BaseException)), None)
        if inner is None:
            break
        reason = inner
    words = getattr(reason, "strerror", None) or str(reason)
    return (
        re.sub(r"^.*object at 0x\w+>: |https?://\S+", "", str(words)).strip() or "no reason given"
    )
