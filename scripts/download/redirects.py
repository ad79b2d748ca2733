"""Redirects, followed by hand: every target is checked before it is requested."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from scripts.catalogue.urls import host_of, is_safe
from scripts.console.errors import SourceError
from scripts.download.failures import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

_LIMIT = 10


def follow(
    send: Callable[[str], requests.Response], url: str, *, same_host: bool = False
) -> Iterator[requests.Response]:
    """Yield the response of every hop; all but the last are closed before the next request.

    `send` requests one URL and follows no redirect. With `same_host`, a redirect to another
    origin is not followed. Raises SourceError if a target is no https URL, or after ten hops.
    """
    host = host_of(url)
    for _ in range(_LIMIT):
        response = send(url)
        yield response
        if not response.is_redirect:
            return
        with closing(response):
            target = _target(host, url, response)
        if same_host and urlsplit(target)[:2] != urlsplit(url)[:2]:
            return
        url = target
    raise SourceError(f"{host}: more than {_LIMIT} redirects")


def _target(host: str, url: str, response: requests.Response) -> str:
    try:
        location = response.headers["Location"].encode("latin-1").decode()
        target = urljoin(url, location)
        parts = urlsplit(target)
        _ = parts.port  # raises ValueError if the port is invalid
    except ValueError as error:
        raise SourceError(f"{host}: redirects to an invalid URL") from error
    if not is_safe(target):
        where = printable(f"{parts.scheme}://{parts.hostname}")
        raise SourceError(f"{host}: redirects to {where}, which is not https")
    return target
