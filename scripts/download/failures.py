"""What requests, urllib3 and a status line say, turned into what it means for a rerun."""

from __future__ import annotations

import email.utils
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
import urllib3

from scripts.console.errors import SourceError, TransientError
from scripts.download.pages import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT = 300.0  # seconds; a publisher that asks for more patience is asked another time
_TRUST = "Behind a proxy that inspects TLS, set REQUESTS_CA_BUNDLE to its CA file."
_MEANING = {403: "forbidden", 404: "not found", 410: "gone", 429: "too many requests"}
_NO_ADDRESS = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
_BROKEN = (OSError, urllib3.exceptions.HTTPError)  # a bare ValueError is urllib.parse's
_SECRET = re.compile(r"https?://\S+|/\S*\?\S*")  # addresses, and what stands in their queries

_WHO = re.compile(r"^<?\w+Connection(Pool)?\([^)]*\)>?: ")  # as urllib3 shows itself


@contextmanager
def http_errors(host: str) -> Iterator[None]:
    """Raise TransientError or SourceError for what goes wrong on the way to `host`."""
    try:
        yield
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            what = f"{host}: the server's certificate is not trusted"
            raise SourceError(what, _TRUST) from error
        raise TransientError(f"{host}: the TLS connection broke off") from error
    except requests.exceptions.ConnectionError as error:
        proxied = isinstance(error, requests.exceptions.ProxyError)
        what = "no connection through the proxy" if proxied else "no connection"
        raise TransientError(f"{host}: {what}: {cause(error)}", connected=False) from error
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise TransientError(f"{host}: no byte arrived for too long") from error
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        if isinstance(error, _NO_ADDRESS) or not isinstance(error, _BROKEN):
            raise SourceError(f"{host}: leads to an address that is none") from error
        raise TransientError(f"{host}: the transfer broke off: {cause(error)}") from error


def status(response: requests.Response) -> str:
    """Return the status of an answer in numbers and words."""
    reason = printable(response.reason or "") or _MEANING.get(response.status_code, "")
    return f"{response.status_code} {reason}".strip()


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds a publisher asks for, or None; raise SourceError if they are too many."""
    value = response.headers.get("Retry-After", "").strip()
    wait = float(value) if value.isdecimal() else _seconds_until(value)
    if wait is not None and wait > _WAIT:
        host = urlsplit(response.url).hostname
        asks = f"asks to come back in {wait:,.0f} s"
        raise SourceError(f"{host}: {status(response)}, and {asks}")
    return wait


def _seconds_until(date: str) -> float | None:
    try:
        when = email.utils.parsedate_tz(date)
        return max(0.0, email.utils.mktime_tz(when) - time.time()) if when else None
    except (ValueError, OverflowError, IndexError):
        return None


def cause(error: BaseException) -> str:
    """Return the innermost reason in words, without addresses."""
    inner: object = error
    while isinstance(inner, BaseException):
        error = inner
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in error.args if isinstance(a, BaseException)), error.__cause__)
    words = getattr(error, "strerror", None) or str(error)
    return printable(_SECRET.sub("", _WHO.sub("", str(words)))) or "no reason given"
