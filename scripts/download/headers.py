"""What a publisher says of a file without sending it: its size, its version, its own hashes."""

from __future__ import annotations

import base64
import re
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from requests.utils import requote_uri

from scripts.catalogue.urls import host_of
from scripts.console.errors import SourceError, TransientError
from scripts.download import pages
from scripts.download.failures import http_errors, status
from scripts.download.publisher import Publisher, direct

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    import requests

_PATIENCE = 10.0  # seconds without an answer; headers are short
_TRIES = 2  # one broken connection says nothing of a file
_REDIRECTS = 10
_PAGE = 1 << 16  # bytes of a page in which it says what it is
_OK, _PARTIAL = 200, 206
_GONE, _BLOCKED = {404, 410}, {401, 403, 407, 429, 451}
_PASSING = {408, 425, 500, 502, 503, 504}
_DRIVE = re.compile(r"/d/([\w-]+)|[?&]id=([\w-]+)", re.ASCII)
_DRIVE_FILE = "https://drive.usercontent.google.com/download?id={}&export=download&confirm=t"
_DELETED = re.compile(rb"deleted|not found|no longer|do(?:es)?n.t exist", re.IGNORECASE)
_GOOG_MD5 = re.compile(r"\bmd5=([A-Za-z0-9+/]{22}==)")
_TOTAL = re.compile(r"(?:bytes [^/]*/)?(\d{1,18})", re.ASCII)
_HEX = {"md5": re.compile(r"[0-9a-f]{32}"), "sha256": re.compile(r"[0-9a-f]{64}")}


@dataclass(frozen=True)
class Head:
    """What a publisher says: size in bytes, hashes in lower hex; None where it says nothing.

    `etag` is as it was sent, quotes included; `modified` is Last-Modified; `moved` is the
    address that ours was said to have become for good.
    """

    size: int | None = None
    etag: str | None = None
    modified: str | None = None
    md5: str | None = None
    sha256: str | None = None
    moved: str | None = None


class GoneError(SourceError):
    """The publisher says that there is no such file any more."""


class BlockedError(SourceError):
    """The publisher is there, and does not give the file to us."""


class HeadRequest(Publisher):
    """Asks one address for headers: HEAD, or where that settles nothing a GET of one byte."""

    def __init__(self, url: str, context: ssl.SSLContext, *, timeout: float) -> None:
        """Prepare; `timeout` is in seconds, and ten at most. Nothing is asked yet."""
        patience = min(timeout, _PATIENCE)
        super().__init__(_file_at(url), connections=1, timeout=patience, context=context)
        self._by_page = self.url != url  # then redirects are the host's daily way to the file
        self.host = host_of(url)

    def head(self) -> Head:
        """Return what the publisher says; raise GoneError, BlockedError or SourceError."""
        for _ in range(_TRIES - 1):
            try:
                return self._either()
            except TransientError:  # noqa: PERF203 - a try is all that is repeated
                continue
        return self._either()

    def _either(self) -> Head:
        try:
            return self._ask("HEAD", {})
        except TransientError:
            raise
        except SourceError:  # an address signed for GET refuses it; of a page it shows nothing
            return self._ask("GET", {"Range": "bytes=0-0"})

    def _ask(self, method: str, headers: Mapping[str, str]) -> Head:
        url, hops = self.url, []
        for _ in range(_REDIRECTS):
            with http_errors(self.host), closing(self._sent(method, url, headers)) as response:
                hops.append(response)
                if response.is_redirect:
                    url = self._next(url, response)
                    continue
                self._check(response)
                return self._heard(hops)
        raise SourceError(f"{self.host}: more than {_REDIRECTS} redirects")

    def _sent(self, method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        return self._session.request(
            method, url, headers={"Accept-Encoding": "identity", **headers}, stream=True,
            allow_redirects=False, timeout=self._timeout,
        )  # fmt: skip

    def _check(self, response: requests.Response) -> None:
        """Raise what an answer means that is not the file's."""
        code, what = response.status_code, f"{self.host}: {status(response)}"
        if code in _GONE:
            raise GoneError(what)
        if code in _BLOCKED:
            raise BlockedError(what, "The host may say so of a file that was removed, too.")
        if code in _PASSING:
            raise TransientError(what)
        if code not in (_OK, _PARTIAL):
            raise SourceError(what)
        if pages.announced(response.headers.get("Content-Type", "")):
            raise _meaning(self.host, response.raw.read(_PAGE, decode_content=True))
        if response.request.method == "HEAD" and _size(response) is None:
            raise SourceError(f"{self.host}: does not tell the size")

    def _heard(self, hops: Sequence[requests.Response]) -> Head:
        last = hops[-1]
        told = last.headers
        return Head(
            size=_size(last),
            etag=_plain(told.get("ETag")),
            modified=_plain(told.get("Last-Modified")),
            md5=_md5(told),
            sha256=_linked(hops[0]),
            moved=None if self._by_page else self._moved(hops),
        )

    def _moved(self, hops: Sequence[requests.Response]) -> str | None:
        """Return where the redirects lead that come first and are meant for good."""
        moved, url = None, self.url
        for hop in takewhile(lambda hop: hop.is_permanent_redirect, hops):
            moved = url = self._next(url, hop)
        return requote_uri(moved) if moved else None


def _file_at(url: str) -> str:
    """Return the address of the file where `url` is that of Dropbox's or Drive's page about it."""
    found = _DRIVE.search(url) if host_of(url) == "drive.google.com" else None
    return _DRIVE_FILE.format(found[1] or found[2]) if found else direct(url)


def _meaning(host: str, page: bytes) -> SourceError:
    """Return what a page in place of the file means at this host."""
    error = pages.refusal(host, page)
    if host.endswith("dropbox.com") and _DELETED.search(page):
        return GoneError(error.what, *error.details)
    if host.endswith(("dropbox.com", "google.com")):
        return BlockedError(error.what, *error.details)
    return error


def _size(response: requests.Response) -> int | None:
    headers = response.headers
    if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        return None
    name = "Content-Range" if response.status_code == _PARTIAL else "Content-Length"
    found = _TOTAL.fullmatch(headers.get(name, "").strip())
    return int(found[1]) if found else None


def _md5(told: Mapping[str, str]) -> str | None:
    """Return the md5 of the stored bytes where a header is known to be that."""
    if told.get("x-goog-stored-content-encoding", "identity") == "identity" and (
        found := _GOOG_MD5.search(told.get("x-goog-hash", ""))
    ):
        return base64.b64decode(found[1]).hex()
    # S3's ETag is the md5 of what came in one part, unless a key of the owner's encrypts it.
    single = told.get("Server") == "AmazonS3" and "kms" not in told.get(
        "x-amz-server-side-encryption", ""
    )
    return hash_in(told.get("ETag"), "md5") if single else None


def _linked(first: requests.Response) -> str | None:
    """Return the sha256 that Hugging Face names before it sends us to its store."""
    ours = host_of(first.url) == "huggingface.co"
    return hash_in(first.headers.get("X-Linked-ETag"), "sha256") if ours else None


def hash_in(etag: str | None, kind: str) -> str | None:
    """Return the md5 or sha256 that an ETag has the form of, or None."""
    value = (etag or "").strip('"').lower()
    return value if _HEX[kind].fullmatch(value) else None


def _plain(value: str | None) -> str | None:
    # A stranger's words, that will be shown and written to a file.
    return value if value and value.isascii() and value.isprintable() else None
