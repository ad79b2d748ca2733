"""Exceptions, status codes and web pages, as errors for the user."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
import requests
import urllib3

from scripts.console.errors import SourceError, TransientError
from scripts.download.failures import (
    cause,
    http_errors,
    is_page_type,
    looks_like_page,
    page_error,
    retry_after,
    status,
)

SECRET = "https://cdn.test/file?X-Amz-Signature=secret"  # noqa: S105 - what must not be shown


def response(code: int, reason: str | None = None, **headers: str) -> requests.Response:
    """Return a response as requests does."""
    made = requests.Response()
    made.status_code, made.url = code, SECRET
    made.reason = reason  # type: ignore[assignment]
    made.headers.update({key.replace("_", "-"): value for key, value in headers.items()})
    return made


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (
            requests.exceptions.SSLError("bad record"),
            TransientError,
            "TLS connection was interrupted",
        ),
        (urllib3.exceptions.SSLError("EOF"), TransientError, "TLS connection was"),
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), SourceError, "not trusted"),
        (requests.exceptions.ReadTimeout("x"), TransientError, "timed out waiting for data"),
        (requests.exceptions.ChunkedEncodingError(), TransientError, "no reason given"),
        (requests.exceptions.ConnectionError(f"to {SECRET} lost"), TransientError, "to lost"),
        (requests.exceptions.InvalidURL(SECRET), SourceError, "an invalid URL"),
        (ValueError(SECRET), SourceError, "an invalid URL"),
        (ConnectionResetError(104, "Connection reset by peer"), TransientError, "reset by peer"),
    ],
)
def test_an_exception_becomes_an_error_for_the_user(
    raised: Exception, kind: type[SourceError], words: str
) -> None:
    """It names the host, tells whether a retry can help, and shows no secret."""
    with pytest.raises(SourceError, match=words) as error, http_errors("host.test"):
        raise raised

    assert type(error.value) is kind
    assert str(error.value).startswith("host.test: ")
    assert "secret" not in str(error.value)


def test_our_own_errors_are_unchanged() -> None:
    """They are for the user already."""
    with pytest.raises(SourceError, match=r"^as it was$"), http_errors("host.test"):
        raise SourceError("as it was")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("", None), ("7", 7), (" 0 ", 0), ("-1", None), ("soon", None), ("1.5", None),
     (formatdate(0, usegmt=True), 0), ("Mon, 99 Foo 2020 99:99:99", None), ("\xb2", None),
     ("Mon, 01 Jan 99999999999 00:00:00 GMT", None)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    """Anything else is ignored."""
    assert retry_after(response(503, Retry_After=value)) == seconds


def test_a_date_to_retry_at_becomes_seconds() -> None:
    """By the clock of this machine."""
    later = formatdate(time.time() + 100, usegmt=True)

    assert retry_after(response(429, Retry_After=later)) == pytest.approx(100, abs=5)


@pytest.mark.parametrize("value", ["301", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_that_is_too_long_is_an_error(value: str) -> None:
    """The user learns when to retry."""
    with pytest.raises(SourceError, match=r"cdn\.test: 429 too many requests, asks to retry"):
        retry_after(response(429, Retry_After=value))


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [(404, "Not Here", "404 Not Here"), (404, None, "404 not found"), (418, "", "418"),
     (500, "a\x1b[2Jb" + "x" * 200, "500 a[2Jb" + "x" * 75)],
)  # fmt: skip
def test_a_status_is_shown_with_a_printable_reason(
    code: int, reason: str | None, words: str
) -> None:
    """The publisher's text, at most one line."""
    assert status(response(code, reason)) == words


def test_the_innermost_reason_is_shown() -> None:
    """Not the pools and retries that wrap it."""
    refused = ConnectionRefusedError(111, "Connection refused")
    inner = urllib3.exceptions.NewConnectionError(None, "Failed")  # type: ignore[arg-type]
    inner.__cause__ = refused
    outer = requests.exceptions.ConnectionError(
        urllib3.exceptions.MaxRetryError(None, SECRET, inner)  # type: ignore[arg-type]
    )

    assert cause(outer) == "Connection refused"


@pytest.mark.parametrize(
    ("head", "page"),
    [(b"<!DOCTYPE html>", True), (b" \r\n\t<HTML lang=en>", True),
     (b"\xef\xbb\xbf<!doctype HTML", True),
     (b"PK\x03\x04", False), (b"", False), (b"\x93NUMPY", False), (b"<?xml version", False)],
)  # fmt: skip
def test_a_page_is_recognised_by_its_first_bytes(head: bytes, *, page: bool) -> None:
    """Whatever Content-Type was sent."""
    assert looks_like_page(head) is page


@pytest.mark.parametrize(
    ("kind", "page"),
    [("text/html", True), (" Text/HTML; charset=x", True), ("application/xhtml+xml", True),
     ("application/octet-stream", False), ("", False)],
)  # fmt: skip
def test_a_page_is_recognised_by_its_type(kind: str, *, page: bool) -> None:
    """In any spelling."""
    assert is_page_type(kind) is page


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b"<TITLE lang=x>\n Sign\x1b[31m &amp; \n in</TITLE>", ': "Sign[31m & in"'),
        (b"<title></title><h1>Gone</h1>", ""),
        (b"<h1 class=a>Gone \xff</h1>", ': "Gone \ufffd"'),
        (b"<title>" + b"x" * 200 + b"</title>", f': "{"x" * 80}"'),
        (b"nothing", ""),
    ],
)
def test_the_title_of_a_page_is_shown(body: bytes, title: str) -> None:
    """As one short, printable line."""
    error = page_error("host.test", body)

    assert error.what == f"host.test: sent a web page instead of the file{title}"


@pytest.mark.parametrize(
    ("host", "reason"),
    [("www.dropbox.com", "Dropbox"), ("drive.google.com", "Google Drive"), ("a.b", "captive")],
)
def test_each_host_has_its_usual_reason(host: str, reason: str) -> None:
    """What a page most likely means there."""
    assert reason in page_error(host, b"").details[0]
