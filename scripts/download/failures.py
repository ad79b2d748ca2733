"""Errors for the user from exceptions, status codes and web pages sent in place of files."""

from __future__ import annotations

import email.utils
import html
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
import urllib3

from scripts.catalogue.urls import host_of
from scripts.console.errors import SourceError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_WAIT = 300.0  # seconds; for a longer Retry-After the user should come back later
_LONGEST_TEXT = 80  # characters of a host's own text in a message
_TRUST = "Behind a proxy that inspects TLS, set REQUESTS_CA_BUNDLE to its CA file."
_MEANING = {403: "forbidden", 404: "not found", 410: "gone", 429: "too many requests"}
_INVALID_URL = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
_INTERRUPTED = (OSError, urllib3.exceptions.HTTPError)  # a bare ValueError is urllib.parse's
_SECRET = re.compile(r"https?://\S+|/\S*\?\S*")  # URLs and their queries
_URLLIB3_REPR = re.compile(
    r"^<?\w+Connection(Pool)?\([^)]*\)>?: (Failed to establish a new connection: )?(\[.*?\] )?"
)
_PAGE_TYPES = ("text/html", "application/xhtml")
_TITLE = re.compile(rb"<(title|h1)[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL)


@contextmanager
def http_errors(host: str) -> Iterator[None]:
    """Turn network errors into TransientError, or SourceError if a retry cannot help."""
    try:
        yield
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            what = f"{host}: the server's certificate is not trusted"
            raise SourceError(what, _TRUST) from error
        raise TransientError(f"{host}: the TLS connection was interrupted") from error
    except requests.exceptions.ConnectionError as error:
        # urllib3 has no exception of its own for a SOCKS proxy.
        proxied = isinstance(error, requests.exceptions.ProxyError) or "SOCKS" in str(error)[:5]
        what = "no connection through the proxy" if proxied else "no connection"
        raise TransientError(f"{host}: {what}: {cause(error)}", connected=False) from error
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise TransientError(f"{host}: timed out waiting for data") from error
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        if isinstance(error, _INVALID_URL) or not isinstance(error, _INTERRUPTED):
            raise SourceError(f"{host}: redirects to an invalid URL") from error
        raise TransientError(f"{host}: the transfer was interrupted: {cause(error)}") from error


def status(response: requests.Response) -> str:
    """Return the status code and reason of a response."""
    reason = printable(response.reason or "") or _MEANING.get(response.status_code, "")
    return f"{response.status_code} {reason}".strip()


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds of Retry-After, or None; raise SourceError if they are more than 300."""
    value = response.headers.get("Retry-After", "").strip()
    wait = float(value) if value.isdecimal() else _seconds_until(value)
    if wait is not None and wait > _LONGEST_WAIT:
        asks = f"asks to retry after {wait:,.0f} s"
        raise SourceError(f"{host_of(response.url)}: {status(response)}, {asks}")
    return wait


def _seconds_until(date: str) -> float | None:
    try:
        when = email.utils.parsedate_tz(date)
        return max(0.0, email.utils.mktime_tz(when) - time.time()) if when else None
    except (ValueError, OverflowError, IndexError):
        return None


def cause(error: BaseException) -> str:
    """Return the message of the innermost exception, without URLs."""
    inner: object = error
    while isinstance(inner, BaseException):
        error = inner
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in error.args if isinstance(a, BaseException)), error.__cause__)
    text = getattr(error, "strerror", None) or str(error)
    return printable(_SECRET.sub("", _URLLIB3_REPR.sub("", str(text)))) or "no reason given"


def printable(text: str) -> str:
    """Return a host's text as one short line without control characters."""
    line = " ".join(text.split())
    return "".join(c for c in line if c.isprintable())[:_LONGEST_TEXT]


def is_page_type(content_type: str) -> bool:
    """Tell whether a Content-Type is that of a web page."""
    return content_type.strip().lower().startswith(_PAGE_TYPES)


def looks_like_page(head: bytes) -> bool:
    """Tell whether the first bytes are HTML, whatever the Content-Type says."""
    start = head[:256].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def page_error(host: str, body: bytes) -> SourceError:
    """Return the error for a web page in place of a file, with the host's usual reason for it."""
    found = _TITLE.search(body)
    title = printable(html.unescape(found[2].decode(errors="replace"))) if found else ""
    quoted = f': "{title}"' if title else ""
    return SourceError(f"{host}: sent a web page instead of the file{quoted}", _usual_reason(host))


def _usual_reason(host: str) -> str:
    if host.endswith("dropbox.com"):
        return "Dropbox does this when a link was removed or downloads are disabled."
    if host.endswith("google.com"):
        return "Google Drive does this when the daily quota is exceeded or the file is private."
    return "The file may have moved, or a captive portal intercepts the connection."
