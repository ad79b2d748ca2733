"""Departures from normal service."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.world.records import Request
from tests.world.reply import Reply, page, redirect, xml_error

Change = Callable[[Request, Reply], Reply]


@dataclass(frozen=True)
class Fault:
    """A named change of a reply; `a | b` does both, a first. Build one with a method below."""

    name: str
    change: Change

    def __or__(self, other: Fault) -> Fault:
        """Return the fault that does this, then the other."""
        return Fault(
            f"{self.name} | {other.name}",
            lambda request, reply: other.change(request, self.change(request, reply)),
        )

    @staticmethod
    def none() -> Fault:
        """Serve normally: a place holder in a script."""
        return Fault("none", lambda _, reply: reply)

    @staticmethod
    def status(code: int, *, retry_after: int | str | None = None) -> Fault:
        """Answer with a status and a short HTML page; Retry-After in seconds or as an HTTP date."""
        answer = page(f"Error {code}", status=code)
        if retry_after is not None:
            answer = answer.having(Retry_After=str(retry_after))
        return Fault(f"status {code}", lambda *_: answer)

    @staticmethod
    def html(title: str = "Sign in to continue") -> Fault:
        """Answer 200 with an HTML page, as a captive portal does."""
        return Fault("html", lambda *_: page(title))

    @staticmethod
    def redirect(url: str, *, status: int = 302) -> Fault:
        """Redirect to another address."""
        return Fault(f"redirect to {url}", lambda *_: redirect(url, status))

    @staticmethod
    def loop() -> Fault:
        """Redirect every request to its own address."""
        return Fault("loop", lambda request, _: redirect(request.url))

    @staticmethod
    def downgrade() -> Fault:
        """Redirect to the same address over plain http."""
        return Fault(
            "downgrade",
            lambda request, _: redirect("http://" + request.url.partition("://")[2]),
        )

    @staticmethod
    def expire(*, after: int) -> Fault:
        """Answer 403 once an address was asked `after` times; a fresh signature works again."""

        def change(request: Request, reply: Reply) -> Reply:
            return xml_error(403, "AccessDenied") if request.repeat >= after else reply

        return Fault(f"expire after {after}", change)

    @staticmethod
    def quota() -> Fault:
        """Answer with Google Drive's quota page."""
        text = (
            '<p class="uc-error-caption">Sorry, you can&#39;t view or download this file.</p>\n'
            '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file '
            "recently. Please try accessing the file again later.</p>"
        )
        return Fault("quota", lambda *_: page("Google Drive - Quota exceeded", text))

    @staticmethod
    def private() -> Fault:
        """Redirect to Google's sign-in page, as Google Drive does for a file that is not shared."""
        return Fault.redirect("https://accounts.google.com/v3/signin/identifier")

    @staticmethod
    def body(data: bytes) -> Fault:
        """Serve other bytes under the headers of the right ones."""
        return Fault("body", lambda _, reply: replace(reply, body=data))

    @staticmethod
    def corrupt(position: int | None = None) -> Fault:
        """Serve bytes of the right size with one of them, by default the middle one, wrong."""

        def change(_: Request, reply: Reply) -> Reply:
            data = bytearray(reply.body)
            if data:
                data[len(data) // 2 if position is None else position] ^= 0xFF
            return replace(reply, body=bytes(data))

        return Fault("corrupt", change)

    @staticmethod
    def gzip() -> Fault:
        """Serve the body with Content-Encoding: gzip, whatever the client accepts."""

        def change(_: Request, reply: Reply) -> Reply:
            packed = replace(reply, body=gzip.compress(reply.body, 1, mtime=0), ranges=False)
            return packed.having(Content_Encoding="gzip")

        return Fault("gzip", change)

    @staticmethod
    def etag(value: str | None = None) -> Fault:
        """Send this ETag; without a value, another one at each request for an address."""
        return Fault(
            "etag",
            lambda request, reply: reply.having(ETag=value or f'"changed-{request.repeat}"'),
        )

    @staticmethod
    def without(*names: str) -> Fault:
        """Leave headers out (exact names, such as "ETag")."""

        def change(_: Request, reply: Reply) -> Reply:
            kept = {key: value for key, value in reply.headers.items() if key not in names}
            return replace(reply, headers=kept)

        return Fault(f"without {', '.join(names)}", change)

    @staticmethod
    def header(name: str, value: str) -> Fault:
        """Add or replace a header."""
        return Fault(f"header {name}", lambda _, reply: reply.having(**{name: value}))

    @staticmethod
    def no_ranges(*, announced: bool = False) -> Fault:
        """Answer a Range request with 200 and the whole; `announced` keeps Accept-Ranges."""
        return Fault(
            "no ranges",
            lambda _, reply: replace(reply, ranges=False, accept_ranges=announced),
        )

    @staticmethod
    def wrong_range(shift: int = 1) -> Fault:
        """Send the range asked for under a Content-Range that is `shift` bytes off."""
        return Fault("wrong range", lambda _, reply: replace(reply, skew=shift))

    @staticmethod
    def announce(total: int) -> Fault:
        """Tell a size in Content-Range that is not the file's."""
        return Fault("announce", lambda _, reply: replace(reply, told=total))

    @staticmethod
    def reset(*, after: int | None = None) -> Fault:
        """Reset the connection before the reply, or after so many body bytes."""
        if after is None:
            return Fault("reset", lambda _, reply: reply.sent(drop=True))
        return Fault(f"reset after {after}", lambda _, reply: reply.sent(cut=after, reset=True))

    @staticmethod
    def cut(after: int) -> Fault:
        """Close the connection after so many body bytes; a shorter body arrives whole."""
        return Fault(f"cut after {after}", lambda _, reply: reply.sent(cut=after, reset=False))

    @staticmethod
    def delay(seconds: float) -> Fault:
        """Wait before the reply."""
        return Fault(f"delay {seconds}", lambda _, reply: reply.sent(delay=seconds))

    @staticmethod
    def stall(after: int, *, seconds: float = 600.0) -> Fault:
        """Fall silent after so many body bytes until the client goes or the time is over."""
        return Fault(
            f"stall after {after}", lambda _, reply: reply.sent(stall=after, stall_for=seconds)
        )

    @staticmethod
    def slow(rate: float) -> Fault:
        """Send the body at `rate` bytes a second, each connection by itself."""
        return Fault(f"slow {rate}", lambda _, reply: reply.sent(rate=rate))

    @staticmethod
    def slow_headers(rate: float) -> Fault:
        """Send the headers at `rate` bytes a second."""
        return Fault(f"slow headers {rate}", lambda _, reply: reply.sent(head_rate=rate))

    @staticmethod
    def shorter(count: int = 1) -> Fault:
        """Close in good order `count` bytes before Content-Length is reached."""
        return Fault("shorter", lambda _, reply: reply.sent(surplus=-count))

    @staticmethod
    def longer(count: int = 1) -> Fault:
        """Send `count` bytes beyond Content-Length."""
        return Fault("longer", lambda _, reply: reply.sent(surplus=count))

    @staticmethod
    def unsized() -> Fault:
        """Send no Content-Length: the end of the connection ends the body."""
        return Fault("unsized", lambda _, reply: reply.sent(framing="close"))

    @staticmethod
    def chunked() -> Fault:
        """Send the body in chunks, without Content-Length."""
        return Fault("chunked", lambda _, reply: reply.sent(framing="chunked"))
