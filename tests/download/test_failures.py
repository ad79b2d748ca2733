"""What libraries raise and publishers answer, in words for a user."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
import requests
import urllib3

from scripts.console.errors import SourceError, TransientError
from scripts.download.failures import cause, http_errors, retry_after, status

SECRET = "https://cdn.test/file?X-Amz-Signature=secret"  # noqa: S105 - what must not be shown


def answer(code: int, reason: str | None = None, **headers: str) -> requests.Response:
    """Return an answer as requests gives it."""
    response = requests.Response()
    response.status_code, response.url = code, SECRET
    response.reason = reason  # type: ignore[assignment]
    response.headers.update({key.replace("_", "-"): value for key, value in headers.items()})
    return response


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (requests.exceptions.SSLError("bad record"), TransientError, "TLS connection broke off"),
        (urllib3.exceptions.SSLError("EOF"), TransientError, "TLS connection broke off"),
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), SourceError, "not trusted"),
        (requests.exceptions.ReadTimeout("x"), TransientError, "no byte arrived for too long"),
        (requests.exceptions.ChunkedEncodingError(), TransientError, "no reason given"),
        (requests.exceptions.ConnectionError(f"to {SECRET} lost"), TransientError, "to lost"),
        (requests.exceptions.InvalidURL(SECRET), SourceError, "an address that is none"),
        (ValueError(SECRET), SourceError, "an address that is none"),
        (ConnectionResetError(104, "Connection reset by peer"), TransientError, "reset by peer"),
    ],
)
def test_what_is_raised_is_said_plainly(
    raised: Exception, kind: type[SourceError], words: str
) -> None:
    """With the host, with what a rerun can do about it, and without anything secret."""
    with pytest.raises(SourceError, match=words) as error, http_errors("host.test"):
        raise raised

    assert type(error.value) is kind
    assert str(error.value).startswith("host.test: ")
    assert "secret" not in str(error.value)


def test_our_own_errors_pass() -> None:
    """They are said plainly already."""
    with pytest.raises(SourceError, match=r"^as it was$"), http_errors("host.test"):
        raise SourceError("as it was")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("", None), ("7", 7), (" 0 ", 0), ("-1", None), ("soon", None), ("1.5", None),
     (formatdate(0, usegmt=True), 0), ("Mon, 99 Foo 2020 99:99:99", None), ("\xb2", None),
     ("Mon, 01 Jan 99999999999 00:00:00 GMT", None)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    """Anything else is as if it had not been said."""
    assert retry_after(answer(503, Retry_After=value)) == seconds


def test_a_date_to_come_back_at_is_turned_into_seconds() -> None:
    """By this machine's clock."""
    later = formatdate(time.time() + 100, usegmt=True)

    assert retry_after(answer(429, Retry_After=later)) == pytest.approx(100, abs=5)


@pytest.mark.parametrize("value", ["301", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_that_is_too_long_ends_the_matter(value: str) -> None:
    """The user learns how long the publisher wants to be left alone."""
    with pytest.raises(SourceError, match=r"cdn\.test: 429 too many requests, and asks to come"):
        retry_after(answer(429, Retry_After=value))


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [(404, "Not Here", "404 Not Here"), (404, None, "404 not found"), (418, "", "418"),
     (500, "a\x1b[2Jb" + "x" * 200, "500 a[2Jb" + "x" * 75)],
)  # fmt: skip
def test_a_status_is_shown_with_a_reason_fit_for_a_terminal(
    code: int, reason: str | None, words: str
) -> None:
    """A publisher's own words, as long as a line."""
    assert status(answer(code, reason)) == words


def test_the_innermost_reason_is_shown() -> None:
    """Not the pools and retries that stand around it."""
    refused = ConnectionRefusedError(111, "Connection refused")
    inner = urllib3.exceptions.NewConnectionError(None, "Failed")  # type: ignore[arg-type]
    inner.__cause__ = refused
    outer = requests.exceptions.ConnectionError(
        urllib3.exceptions.MaxRetryError(None, SECRET, inner)  # type: ignore[arg-type]
    )

    assert cause(outer) == "Connection refused"
