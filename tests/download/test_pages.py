"""Pages in place of files: recognised, and explained."""

from __future__ import annotations

import pytest

from scripts.download import pages


@pytest.mark.parametrize(
    ("head", "page"),
    [(b"<!DOCTYPE html>", True), (b" \r\n\t<HTML lang=en>", True),
     (b"\xef\xbb\xbf<!doctype HTML", True),
     (b"PK\x03\x04", False), (b"", False), (b"\x93NUMPY", False), (b"<?xml version", False)],
)  # fmt: skip
def test_a_page_is_known_by_its_first_bytes(head: bytes, *, page: bool) -> None:
    """Whatever was announced."""
    assert pages.looks_like_page(head) is page


@pytest.mark.parametrize(
    ("kind", "page"),
    [("text/html", True), (" Text/HTML; charset=x", True), ("application/xhtml+xml", True),
     ("application/octet-stream", False), ("", False)],
)  # fmt: skip
def test_a_page_is_known_by_its_type(kind: str, *, page: bool) -> None:
    """However it is spelt."""
    assert pages.announced(kind) is page


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<TITLE lang=x>\n Sign\x1b[31m &amp; \n in</TITLE>", ': "Sign[31m & in"'),
        (b"<title></title><h1>Gone</h1>", ""),
        (b"<h1 class=a>Gone \xff</h1>", ': "Gone \ufffd"'),
        (b"<title>" + b"x" * 200 + b"</title>", f': "{"x" * 80}"'),
        (b"nothing", ""),
    ],
)
def test_a_page_is_told_by_its_title(body: bytes, said: str) -> None:
    """Fit for a terminal: one short line."""
    error = pages.refusal("host.test", body)

    assert error.what == f"host.test: sent a web page instead of the file{said}"


@pytest.mark.parametrize(
    ("host", "reason"),
    [("www.dropbox.com", "Dropbox"), ("drive.google.com", "Google Drive"), ("a.b", "captive")],
)
def test_each_host_has_its_usual_reason(host: str, reason: str) -> None:
    """What the page most likely means there."""
    assert reason in pages.refusal(host, b"").details[0]
