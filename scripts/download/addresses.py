"""URLs as a browser shows them, converted to the URLs of the files themselves."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlencode, urlsplit

from scripts.catalogue.urls import is_safe, masked, secret_in
from scripts.console.errors import SourceError, UsageError
from scripts.download.connections import Session
from scripts.download.failures import http_errors, status

DRIVE = "drive.google.com"
_DRIVE_ID = re.compile(r"/d/([\w-]+)|[?&]id=([\w-]+)", re.ASCII)
_DRIVE_FILE = "https://drive.usercontent.google.com/download?id={}&export=download&confirm=t"
_DROPBOX = ("www.dropbox.com", "dropbox.com")
_GITHUB = "github.com"
_GITHUB_BLOB = re.compile(r"^(/[^/]+/[^/]+)/blob/")
_HUGGING_FACE = "huggingface.co"
_HUGGING_FACE_FILE = re.compile(
    r"/(?P<repo>(?:datasets/|spaces/)?[^/]+(?:/[^/]+)?)/(?:blob|resolve|raw)/(?P<rev>[^/]+)/(?P<file>.+)"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT = (10.0, 30.0)  # seconds to connect, seconds without data


def checked(url: str) -> str:
    """Return a URL that may be written to sources/, or raise UsageError; request nothing."""
    if not is_safe(url):
        plain = "plain http can be altered in transit; use https"
        raise _invalid(url, plain if url.startswith("http://") else "expected https://HOST/PATH")
    parts = urlsplit(url)
    if not url.isascii() or not url.isprintable() or " " in url:
        raise _invalid(url, "percent-encode spaces, control and non-ASCII characters")
    if secret := secret_in(url):
        raise UsageError(
            f"the URL of {parts.hostname} contains {secret}, and sources/ is public",
            "Nothing was changed.",
            "Next: give the URL that the publisher's page links to.",
        )
    if parts.path in ("", "/"):
        raise _invalid(url, "it names a host, but no file")
    if parts.hostname == DRIVE and "/d/" not in parts.path and "id" not in parse_qs(parts.query):
        raise _invalid(url, "it is not the share link of a file: open the file, not its folder")
    return parts._replace(fragment="").geturl()


def file_url(url: str) -> str:
    """Return the URL of the file where `url` is that of a page about it; request nothing."""
    parts = urlsplit(url)
    if parts.hostname == DRIVE and (found := _DRIVE_ID.search(url)):
        return _DRIVE_FILE.format(found[1] or found[2])
    if parts.hostname in _DROPBOX:
        query = dict(parse_qsl(parts.query)) | {"dl": "1"}
        return parts._replace(query=urlencode(query)).geturl()
    if parts.hostname == _GITHUB:
        return parts._replace(path=_GITHUB_BLOB.sub(r"\1/raw/", parts.path)).geturl()
    if parts.hostname == _HUGGING_FACE and (found := _HUGGING_FACE_FILE.fullmatch(parts.path)):
        return _resolved(parts, found, found["rev"])
    return url


def of_file(url: str) -> str:
    """Return the URL to record for a file, given its own or that of a page about it.

    A share link of Google Drive stays as it is. A branch on Hugging Face is replaced by its
    current commit, read from the headers. Raises UsageError, or SourceError if there is none.
    """
    url = checked(url)
    parts = urlsplit(url)
    if parts.hostname == DRIVE:
        return url
    if parts.hostname != _HUGGING_FACE:
        return file_url(url)
    found = _HUGGING_FACE_FILE.fullmatch(parts.path)
    if not found:
        raise _invalid(url, "it is not the page of a file: .../blob/REVISION/FILE")
    file = parts._replace(query="")
    resolved = _resolved(file, found, found["rev"])
    pinned = _COMMIT.fullmatch(found["rev"])
    return resolved if pinned else _resolved(file, found, _commit(resolved))


def repository(url: str) -> str:
    """Return the URL of the repository a file belongs to, or of its host."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    if parts.hostname == _HUGGING_FACE and (found := _HUGGING_FACE_FILE.fullmatch(parts.path)):
        return f"{origin}/{found['repo']}"
    if parts.hostname == _GITHUB:
        return origin + "/".join(parts.path.split("/")[:3])
    return origin


def _resolved(parts: SplitResult, found: re.Match[str], revision: str) -> str:
    path = f"/{found['repo']}/resolve/{revision}/{found['file']}"
    return parts._replace(path=path).geturl()


def _commit(url: str) -> str:
    """Return the commit of a revision, from the headers of a file at that revision.

    The first response on Hugging Face's own host that names it counts: that of a renamed
    repository is a redirect within the host that names none.
    """
    with http_errors(_HUGGING_FACE), Session(url, _TIMEOUT) as session:
        for reply in session.follow("HEAD", url, {}, same_host=True):
            reply.close()
            if "X-Repo-Commit" in reply.headers:
                break
    commit = reply.headers.get("X-Repo-Commit", "")
    if reply.ok and _COMMIT.fullmatch(commit):
        return commit
    what = f"{_HUGGING_FACE}: does not report the commit of this revision: {status(reply)}"
    code = reply.headers.get("X-Error-Code", "")
    raise SourceError(what, *([f"It reports {code}."] if re.fullmatch(r"\w{1,40}", code) else []))


def _invalid(url: str, why: str) -> UsageError:
    shown = masked(repr(url))
    return UsageError(f"not the URL of a file: {shown:.200}", why, "Nothing was changed.")
