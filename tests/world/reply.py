"""What a publisher answers, and how the bytes travel."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True)
class Delivery:
    """How a reply is sent; faults change it. Sizes are body bytes, times seconds."""

    drop: bool = False  # reset the connection instead of answering
    delay: float = 0.0  # before the first byte of the reply
    rate: float | None = None  # body bytes per second
    head_rate: float | None = None  # bytes of the headers per second
    stall: int | None = None  # stop after so many bytes...
    stall_for: float = 0.0  # ... for so long
    cut: int | None = None  # end the connection after so many bytes...
    reset: bool = False  # ... with a reset
    surplus: int = 0  # bytes sent beyond Content-Length; negative: held back
    framing: Literal["length", "close", "chunked"] = "length"


@dataclass(frozen=True)
class Reply:
    """A whole reply; the server cuts it to the range asked for if `ranges` holds."""

    status: int
    headers: dict[str, str]
    body: bytes | memoryview = b""
    more_headers: tuple[tuple[str, str], ...] = ()  # for a name that stands twice
    ranges: bool = False
    accept_ranges: bool = False
    skew: int = 0  # added to the positions in Content-Range
    told: int | None = None  # the size in Content-Range, if it is not that of the body
    delivery: Delivery = field(default_factory=Delivery)

    def having(self, **headers: str) -> Reply:
        """Return the reply with headers added or replaced (an underscore stands for a hyphen)."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return replace(self, headers=self.headers | named)

    def sent(self, **changes: float | bool | str | None) -> Reply:
        """Return the reply with some of its delivery changed."""
        return replace(self, delivery=replace(self.delivery, **changes))  # type: ignore[arg-type]


def page(title: str, text: str = "", status: int = 200) -> Reply:
    """Return an HTML page; `text` is markup."""
    body = (
        f"<!DOCTYPE html><html><head><title>{html.escape(title)}</title></head>"
        f"<body>{text or html.escape(title)}</body></html>"
    )
    return Reply(status, {"Content-Type": "text/html; charset=utf-8"}, body.encode())


def redirect(url: str, status: int = 302) -> Reply:
    """Return a redirect to `url`."""
    return page("Moved", status=status).having(Location=url)


def xml_error(status: int, code: str) -> Reply:
    """Return an error as S3 and Google Cloud Storage word it."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>"
    return Reply(status, {"Content-Type": "application/xml"}, body.encode())
