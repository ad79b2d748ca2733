"""What a user pastes from a browser, turned into the address of the very file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urljoin, urlsplit

from scripts.catalogue.urls import is_safe
from scripts.console.errors import SourceError, UsageError
from scripts.download import drive, publisher
from scripts.download.connections import Session, authorities
from scripts.download.failures import http_errors, status

if TYPE_CHECKING:
    import requests

_HUGGING_FACE = "huggingface.co"
_PAGE = re.compile(
    r"/(?P<repo>(?:datasets/|spaces/)?[^/]+(?:/[^/]+)?)/(?:blob|resolve|raw)/(?P<rev>[^/]+)/(?P<file>.+)"
)
_BLOB = re.compile(r"^(https://github\.com/[^/]+/[^/]+)/blob/")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT = (10.0, 30.0)  # seconds to connect, and without a byte
_REDIRECTS = 5


def checked(url: str) -> str:
    """Return an address that may stand in sources/, or raise UsageError; nothing is asked."""
    if not is_safe(url):
        plain = url.startswith("http://")
        why = "plain http can be changed on its way; give the https address" if plain else _SHAPE
        raise _refusal(url, why)
    parts = urlsplit(url)
    if not url.isascii() or not url.isprintable() or " " in url:
        raise _refusal(url, "percent-encode what is not a letter, a digit or a sign")
    if "@" in parts.netloc:
        raise UsageError(
            f"the address of {parts.hostname} holds a password, and sources/ is public",
            "Nothing was changed.",
        )
    if parts.path in ("", "/"):
        raise _refusal(url, "it names a host, and no file there")
    if drive.serves(url) and "/d/" not in parts.path and "id" not in parse_qs(parts.query):
        raise _refusal(url, "it is no share link of one file: open the file, not its folder")
    return parts._replace(fragment="").geturl()


def of_file(url: str) -> str:
    """Return where the file itself is, for the address of the page that shows it.

    A branch on Hugging Face becomes the commit it stands for now: its headers are asked for,
    and nothing else. Raises UsageError, or SourceError if the host does not tell.
    """
    url = checked(url)
    parts = urlsplit(url)
    if parts.hostname == "github.com":
        return _BLOB.sub(r"\1/raw/", url)
    if parts.hostname != _HUGGING_FACE:
        return publisher.direct(url)
    found = _PAGE.fullmatch(parts.path)
    if not found:
        raise _refusal(url, "it is no page of one file: .../blob/REVISION/FILE")
    commit = found["rev"]
    if not _COMMIT.fullmatch(commit):
        commit = _commit(f"https://{parts.netloc}/{found['repo']}/resolve/{commit}/{found['file']}")
    return f"https://{parts.netloc}/{found['repo']}/resolve/{commit}/{found['file']}"


def repository(url: str) -> str:
    """Return the page a user can read about what stands at an address: its repository, or host."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    if parts.hostname == _HUGGING_FACE and (found := _PAGE.fullmatch(parts.path)):
        return f"{origin}/{found['repo']}"
    if parts.hostname == "github.com":
        return origin + "/".join(parts.path.split("/")[:3])
    return origin


def _commit(url: str) -> str:
    """Return the commit that a revision stands for, by the headers of the file's own address."""
    reply = _head(url)
    commit = reply.headers.get("X-Repo-Commit", "")
    if reply.ok and _COMMIT.fullmatch(commit):
        return commit
    what = f"{_HUGGING_FACE}: does not say which commit this revision is: {status(reply)}"
    code = reply.headers.get("X-Error-Code", "")
    hint = [f"It says {code}."] if re.fullmatch(r"\w{1,40}", code) else []
    raise SourceError(what, *hint)


def _head(url: str) -> requests.Response:
    with http_errors(_HUGGING_FACE), Session() as session:
        session.verify = authorities()
        for _ in range(_REDIRECTS):
            reply = session.head(url, allow_redirects=False, timeout=_TIMEOUT)
            target = urljoin(url, reply.headers.get("Location", ""))
            # A repository that was renamed sends on within the host, and knows no commit yet.
            if "X-Repo-Commit" in reply.headers or not reply.is_redirect:
                break
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                break
            url = target
        return reply


_SHAPE = "it is no https://HOST/PATH"


def _refusal(url: str, why: str) -> UsageError:
    return UsageError(f"not the address of a file: {url!r:.200}", why, "Nothing was changed.")
