"""Google Drive, through gdown: its confirm page, its quota page, and its resume."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import gdown
import requests
from gdown.exceptions import DownloadError, FileURLRetrievalError

from scripts.console.errors import SourceError
from scripts.download import partial
from scripts.download.connections import authorities
from scripts.download.failures import cause, http_errors, status
from scripts.files import digests
from scripts.files.disk import check_room, disk_error, disk_errors

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.params import Network
    from scripts.download.request import Request
    from scripts.files.digests import Digest

HOST = "drive.google.com"
_QUOTA = "the file's quota for today is used up (too many users have fetched it)"
_PRIVATE = "the file is private or was removed, or Google Drive is out of order"


def serves(url: str) -> bool:
    """Tell whether an address is Google Drive's."""
    return urlsplit(url).hostname == HOST


def download(url: str, wanted: Request, network: Network) -> Digest:
    """Fill `wanted.part` from a share link; raise SourceError or DiskError.

    The digest is the caller's to check. What gdown resumed and is not the pinned file is fetched
    once more from its first byte: gdown does not notice a file that changed between two runs.
    """
    part = wanted.part.with_suffix(".drive")
    _make_ready(part, wanted)
    resumed = any(_begun(part))
    try:
        digest = _download(url, part, wanted, network)
        stale = resumed and wanted.pin is not None and not wanted.pin.matches(digest)
    except _StaleError:
        stale = True
    if stale:
        _discard([part, *_begun(part)])
        digest = _download(url, part, wanted, network)
    partial.discard(wanted.part)
    with disk_errors(wanted.part):
        part.replace(wanted.part)
    return digest


class _StaleError(SourceError):
    """What was begun cannot be gone on with."""


class _Progress:
    """What gdown calls with the bytes so far and in all."""

    def __init__(self, wanted: Request) -> None:
        self._bar, self._seen = wanted.bar, -1

    def __call__(self, done: int, total: int | None) -> None:
        if self._seen < 0:
            self._bar.start(total, done)
        else:
            self._bar.advance(done - self._seen)
        self._seen = done


def _make_ready(part: Path, wanted: Request) -> None:
    """Leave at most one file to resume: gdown gives up if it finds two, and skips a whole one."""
    begun = sorted(_begun(part), key=lambda p: p.stat().st_size)
    kept = begun[-1:] if wanted.pin else []  # without a pin nothing would notice a splice
    _discard([part, *(p for p in begun if p not in kept)])
    if wanted.pin and wanted.pin.size is not None:
        there = sum(p.stat().st_size for p in kept)
        check_room(part, wanted.pin.size - there + wanted.reserve, what=wanted.name)


def _begun(part: Path) -> list[Path]:
    # gdown names what it has begun <name>XXXXXXXX.part.
    return list(part.parent.glob(f"{part.name}????????.part"))


def _discard(paths: list[Path]) -> None:
    for path in paths:
        with disk_errors(path):
            path.unlink(missing_ok=True)


def _download(url: str, part: Path, wanted: Request, network: Network) -> Digest:
    with http_errors(HOST):
        try:
            gdown.download(
                url, str(part), quiet=True, resume=True, use_cookies=False,
                retries=network.retries, timeout=(10.0, network.timeout), verify=authorities(),
                progress=_Progress(wanted),
            )  # fmt: skip
        except FileURLRetrievalError as error:
            reason = _QUOTA if "Too many users" in str(error) else _PRIVATE
            raise SourceError(f"{HOST}: {reason}") from error
        except DownloadError as error:
            raise _said(error) from error
        except requests.exceptions.HTTPError as error:
            raise SourceError(f"{HOST}: {status(error.response)}") from error
        except KeyError as error:  # gdown takes a Content-Type for granted
            raise SourceError(f"{HOST}: an answer without {error.args[0]}") from error
        except OSError as error:
            if isinstance(error, requests.exceptions.RequestException):
                raise
            raise disk_error(part, error) from error
    with disk_errors(part):
        return digests.of_file(part, sha256=wanted.sha256)


def _said(error: DownloadError) -> SourceError:
    """Return what gdown means, without the addresses it shows."""
    if "byte range" in str(error):
        return _StaleError(f"{HOST}: does not go on where the transfer had stopped")
    if error.__cause__ is not None:
        return SourceError(f"{HOST}: the transfer broke off: {cause(error.__cause__)}")
    return SourceError(f"{HOST}: the answer was cut short")
