"""Pages where a file should be: how they are recognised, and what they mean at each host."""

from __future__ import annotations

import html
import re

from scripts.console.errors import SourceError

_TYPES = ("text/html", "application/xhtml")
_TITLE = re.compile(rb"<(title|h1)[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_LONGEST = 80  # characters of somebody else's words in a message


def announced(content_type: str) -> bool:
    """Tell whether a Content-Type is that of a page."""
    return content_type.strip().lower().startswith(_TYPES)


def looks_like_page(head: bytes) -> bool:
    """Tell whether the first bytes are HTML, whatever the type that was announced."""
    start = head[:256].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def refusal(host: str, body: bytes) -> SourceError:
    """Return the error that says what a page in place of a file means at this host."""
    found = _TITLE.search(body)
    title = printable(html.unescape(found[2].decode(errors="replace"))) if found else ""
    said = f': "{title}"' if title else ""
    return SourceError(f"{host}: sent a web page instead of the file{said}", _usual_reason(host))


def printable(text: str) -> str:
    """Return a stranger's words fit for a terminal: one short line, no control characters."""
    line = " ".join(text.split())
    return "".join(c for c in line if c.isprintable())[:_LONGEST]


def _usual_reason(host: str) -> str:
    if host.endswith("dropbox.com"):
        return "Dropbox does so when a link was removed or may not be downloaded."
    if host.endswith("google.com"):
        return "Google Drive does so when the day's quota is used up or the file is not public."
    return "The file may have moved, or a captive portal stands in between."
