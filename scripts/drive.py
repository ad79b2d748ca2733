"""Google Drive, through gdown: its confirm page, its quota page, and its resume."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import gdown
import requests
from gdown.exceptions import DownloadError, FileURLRetrievalError

from scripts import digests, partial
from scripts.disk import refusal
from scripts.errors import SourceError
from scripts.publisher import authorities

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue import Network
    from scripts.digests import Digest
    from scripts.transfer import Wanted

HOST = "drive.google.com"
_QUOTA = "the file's quota for today is used up (too many users have fetched it)"
_PRIVATE = "the file is private or was removed"


def serves(url: str) -> bool:
    """Tell whether an address is Google Drive's."""
    return urlsplit(url).hostname == HOST


def bring(url: str, wanted: Wanted, network: Network) -> Digest:
    """Fill `wanted.part` from a share link; raise SourceError or DiskError. Nothing is checked."""
    part = wanted.part.with_suffix(".drive")
    _leave_one_to_resume(part)
    told = _Progress(wanted)
    try:
        gdown.download(
            url, str(part), quiet=True, resume=True, use_cookies=False, retries=network.retries,
            timeout=(10.0, network.timeout), verify=authorities(), progress=told,
        )  # fmt: skip
    except FileURLRetrievalError as error:
        reason = _QUOTA if "Too many users" in str(error) else _PRIVATE
        raise SourceError(f"{HOST}: {reason}") from error
    except DownloadError as error:
        raise SourceError(f"{HOST}: {' '.join(str(error).split())[:200]}") from error
    except requests.exceptions.ConnectionError as error:
        raise SourceError(f"{HOST}: no connection") from error
    except requests.exceptions.RequestException as error:
        status = getattr(error.response, "status_code", None)
        raise SourceError(f"{HOST}: {status or 'the transfer broke off'}") from error
    except OSError as error:
        raise refusal(part, error) from error
    partial.discard(wanted.part)
    part.replace(wanted.part)
    return digests.of_file(wanted.part, sha256=wanted.sha256)


class _Progress:
    """What gdown calls with the bytes so far and in all."""

    def __init__(self, wanted: Wanted) -> None:
        self._bar, self._seen = wanted.bar, -1

    def __call__(self, done: int, total: int | None) -> None:
        if self._seen < 0:
            self._bar.start(total, done)
        else:
            self._bar.advance(done - self._seen)
        self._seen = done


def _leave_one_to_resume(part: Path) -> None:
    # gdown resumes from the one <name>XXXXXXXX.part it finds, and gives up if there are two.
    part.unlink(missing_ok=True)
    found = sorted(part.parent.glob(f"{part.name}*.part"), key=lambda p: p.stat().st_size)
    for stale in found[:-1]:
        stale.unlink()
