"""How each kind of publisher answers a request for an item."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.world import drive
from tests.world.checksums import crc32c
from tests.world.reply import Reply, page, redirect, xml_error
from tests.world.stored import stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.world.records import Request
    from tests.world.shelf import Item, Shelf

    Publisher = Callable[[Shelf, Request, Item | None], Reply]

HUGGING_FACE_CDN = "cas-bridge.xethub.hf.co"
RELEASES_CDN = "release-assets.githubusercontent.com"

# Host pattern -> kind; hosts outside the list are static servers.
HOSTS: Mapping[str, str] = {
    "dl.fbaipublicfiles.com": "s3",
    "huggingface.co": "huggingface",
    "cdn-lfs*.hf.co": "signed",
    HUGGING_FACE_CDN: "signed",
    "www.dropbox.com": "dropbox",
    "dl.dropboxusercontent.com": "static",
    "*.dl.dropboxusercontent.com": "signed",
    "github.com": "github",
    "raw.githubusercontent.com": "github",
    RELEASES_CDN: "signed",
    "objects.githubusercontent.com": "signed",
    "storage.googleapis.com": "gcs",
    "drive.google.com": "drive",
    "drive.usercontent.google.com": "drive",
    "docs.google.com": "drive",
    "accounts.google.com": "drive",
}
BRANCH_HEAD = "09b02a33" * 5  # the commit of a revision that is a branch, such as main
CRC32C_LIMIT = 4 * 1024 * 1024  # bytes; pure Python makes some 10 MB/s


def kind_of(host: str) -> str:
    """Return the kind of publisher a host is."""
    kinds = (kind for pattern, kind in HOSTS.items() if fnmatch.fnmatchcase(host, pattern))
    return next(kinds, "static")


def answer(shelf: Shelf, request: Request) -> Reply:
    """Return what the publisher answers, before any range or fault."""
    item = shelf.find(request.url)
    of_host = kind_of(request.host)
    if request.url.startswith("http://") and item is None and of_host != "static":
        return redirect("https://" + request.url.partition("://")[2], 301)
    # A CDN serves what its front signed, in its own manner.
    kind = item.kind if item and of_host != "signed" else of_host
    return KINDS[kind](shelf, request, item)


def _static(_: Shelf, __: Request, item: Item | None) -> Reply:
    if item is None:
        return page("404 Not Found", status=404)
    return stored(item, f'"{item.md5[:16]}"')


def _s3(_: Shelf, __: Request, item: Item | None) -> Reply:
    if item is None:  # S3 hides what is missing from whom may not list
        return xml_error(403, "AccessDenied")
    parts = hashlib.md5(bytes.fromhex(item.md5), usedforsecurity=False)  # of one part
    reply = stored(item, f'"{parts.hexdigest()}-1"', content_type="binary/octet-stream")
    return reply.having(Server="AmazonS3", X_Cache="Hit from cloudfront")


def _signed(_: Shelf, __: Request, item: Item | None) -> Reply:
    if item is None:
        return xml_error(403, "AccessDenied")
    reply = stored(item, f'"{item.sha256}"', content_type="binary/octet-stream")
    return reply.having(Content_Disposition=f'attachment; filename="{item.name}"')


def _huggingface(shelf: Shelf, request: Request, item: Item | None) -> Reply:
    if item is None:
        return page("Entry not found", status=404).having(X_Error_Code="EntryNotFound")
    repository, _, rest = request.path.partition("/resolve/")
    revision = rest.partition("/")[0]
    signed = shelf.sign(f"https://{HUGGING_FACE_CDN}/xet-bridge-us{repository}/{item.sha256}", item)
    return redirect(signed).having(
        X_Repo_Commit=revision if len(revision) == 40 else BRANCH_HEAD,
        X_Linked_Size=str(len(item.data)),
        X_Linked_ETag=item.etag or f'"{item.sha256}"',
    )


def _dropbox(shelf: Shelf, request: Request, item: Item | None) -> Reply:
    if item is None:
        return page("Dropbox - This item was deleted")
    if request.path.startswith("/s/dl/") or (
        request.query.get("dl") == "1" and not request.path.startswith("/s/")
    ):
        seal = item.sha256[:24]
        base = f"https://uc{seal}.dl.dropboxusercontent.com/cd/0/get/{seal}/file"
        return redirect(shelf.sign(base, item))
    if request.query.get("dl") == "1":  # an old link takes one more hop
        return redirect(request.path.replace("/s/", "/s/dl/", 1), 301)
    return page(f"Dropbox - {item.name} - Simplify your life")


def _github(shelf: Shelf, request: Request, item: Item | None) -> Reply:
    if item is None:
        return page("Page not found - GitHub", status=404)
    if request.host == "raw.githubusercontent.com":
        return stored(item, f'"{item.sha256}"').having(Cache_Control="max-age=300")
    if "/releases/download/" in request.path:
        return redirect(shelf.sign(f"https://{RELEASES_CDN}/{item.sha256[:32]}", item))
    path = urlsplit(item.url).path.replace("/raw/", "/", 1)
    return redirect(f"https://raw.githubusercontent.com{path}")


def _gcs(_: Shelf, __: Request, item: Item | None) -> Reply:
    if item is None:
        return xml_error(404, "NoSuchKey")
    sums = [("x-goog-hash", "md5=" + base64.b64encode(bytes.fromhex(item.md5)).decode())]
    if len(item.data) <= CRC32C_LIMIT:
        crc = crc32c(item.data).to_bytes(4, "big")
        sums.insert(0, ("x-goog-hash", "crc32c=" + base64.b64encode(crc).decode()))
    return stored(item, f'"{item.md5}"', tuple(sums)).having(
        X_Goog_Generation="1689000000000000",
        X_Goog_Stored_Content_Encoding="identity",
        X_Goog_Stored_Content_Length=str(len(item.data)),
    )


KINDS: Mapping[str, Publisher] = {
    "static": _static,
    "s3": _s3,
    "signed": _signed,
    "huggingface": _huggingface,
    "dropbox": _dropbox,
    "github": _github,
    "gcs": _gcs,
    "drive": drive.answer,
    "drive-direct": drive.answer,
}
