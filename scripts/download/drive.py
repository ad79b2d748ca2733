"""Downloads from Google Drive through gdown, which handles the confirm page and resumes."""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import gdown
import requests
from gdown.exceptions import DownloadError, FileURLRetrievalError

from scripts.console.errors import SourceError, TransientError
from scripts.download import partial
from scripts.download.addresses import DRIVE
from scripts.download.connections import Connections, GuardedSession, authorities
from scripts.download.failures import cause, http_errors, status
from scripts.download.partial import Version
from scripts.download.publisher import validator_of
from scripts.download.retries import Retries
from scripts.files import digests
from scripts.files.disk import check_room, disk_error, disk_errors

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from scripts.catalogue.params import Network
    from scripts.download.request import Request
    from scripts.files.digests import Digest

_CHUNK = 512 << 10  # bytes that gdown gathers before it reports them
_QUOTA = "the daily download quota of the file is exceeded"
_PRIVATE = "the file is private or was removed, or Google Drive is unavailable"


def download(url: str, request: Request, network: Network) -> Digest:
    """Download a share link to `request.part`; raise SourceError or DiskError.

    What identifies the version that Drive has sent is noted beside it. The caller checks the
    digest. A resumed file that does not match the pin is downloaded again
    from the first byte: gdown does not notice a file that changed between two runs.
    """
    part = request.part.with_suffix(".drive")
    _prepare(part, request)
    resumed = any(_partials(part))
    try:
        digest, validator = _download(url, part, request, network)
        stale = resumed and request.pin is not None and not request.pin.matches(digest)
    except _StaleError:
        stale = True
    if stale:
        _discard([part, *_partials(part)])
        digest, validator = _download(url, part, request, network)
    partial.discard(request.part)
    with disk_errors(request.part):
        part.replace(request.part)
    partial.note(request.part, Version(url, validator, digest.size, request.hash))
    return digest


class _StaleError(SourceError):
    """The partial file cannot be resumed."""


class _Progress:
    """The callback of gdown, called with the bytes so far and in total.

    A thread keeps watch: if no chunk arrives for as long as the least rate takes for one, or for
    the window if that is longer, all connections are closed.
    """

    def __init__(self, request: Request, network: Network) -> None:
        self._bar, self._seen = request.bar, -1
        self.unpinned = request.pin is None
        rate = network.least_rate
        self._patience = max(network.window, network.timeout, _CHUNK / rate) if rate else None
        self._moved, self._ended = threading.Event(), False
        self.connections: list[Connections] = []
        self.stalled, self._stop = "", threading.Event()
        self.retries = Retries(network, lambda: max(self._seen, 0), self._stop)
        self.validator: str | None = None  # of the file, as Drive states it

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._moved.set()

    def _watch(self) -> None:
        while self._moved.wait(self._patience):
            if self._ended:
                return
            self._moved.clear()
        self.stalled = f"{DRIVE}: sent less than {_CHUNK:,} bytes in {self._patience:,.0f} s"
        self._stop.set()
        for opened in self.connections:
            opened.abort()

    def __call__(self, done: int, total: int | None) -> None:
        self._moved.set()
        if self._seen < 0:
            self._bar.start(total, done)
        else:
            self._bar.advance(done - self._seen)
        self._seen = done


def _prepare(part: Path, request: Request) -> None:
    """Leave at most one file to resume: gdown fails if it finds two, and skips a complete one."""
    found = sorted(_partials(part), key=lambda p: p.stat().st_size)
    kept = found[-1:] if request.pin else []  # without a pin a mix of two versions would pass
    _discard([part, *(p for p in found if p not in kept)])
    if request.pin and request.pin.size is not None:
        present = sum(p.stat().st_size for p in kept)
        check_room(part, request.pin.size - present + request.reserve, what=request.name)


def _partials(part: Path) -> list[Path]:
    # gdown names a partial file <name>XXXXXXXX.part.
    return list(part.parent.glob(f"{part.name}????????.part"))


def _discard(paths: list[Path]) -> None:
    for path in paths:
        with disk_errors(path):
            path.unlink(missing_ok=True)


class _Session(GuardedSession):
    """A session that tries again where there is no connection, and notes what Drive states.

    gdown would try for a minute, even without a network.
    """

    def __init__(self, progress: _Progress) -> None:
        super().__init__(f"https://{DRIVE}/")
        self._progress = progress

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - as in requests
        """Send a request; raise SourceError once no retry is left."""
        while True:
            try:
                response = super().send(request, **kwargs)
            except requests.exceptions.ConnectionError as error:  # noqa: PERF203 - a wait follows
                self._wait(error)
            else:
                if "Content-Disposition" in response.headers:  # no page, but the file
                    self._progress.validator = validator_of(response.headers)
                return response

    def _wait(self, error: requests.exceptions.ConnectionError) -> None:
        try:
            with http_errors(DRIVE):
                raise error
        except TransientError as failed:
            self._progress.retries.spend(failed)


def _session(*, user_agent: str, **_: Any) -> tuple[requests.Session, str]:  # noqa: ANN401
    """Return what gdown's own function of this kind returns: a session, and no file of cookies."""
    connections = Connections(1)
    progress = _PROGRESS.get()
    session = _Session(progress)
    connections.public = progress.unpinned
    progress.connections.append(connections)
    session.mount("https://", connections)
    session.headers["User-Agent"] = user_agent
    return session, ""


_PROGRESS: ContextVar[_Progress] = ContextVar("progress")  # of the download of this thread

# gdown follows every redirect, and accepts no session; `gdown.download` is its function.
vars(sys.modules["gdown.download"])["_get_session"] = _session


def _download(
    url: str, part: Path, request: Request, network: Network
) -> tuple[Digest, str | None]:
    """Return the digest, and what identifies the version; raise SourceError or DiskError."""
    progress = _Progress(request, network)
    _PROGRESS.set(progress)
    try:
        with progress:
            return _run(url, part, request, network, progress), progress.validator
    except SourceError as error:
        if progress.stalled:
            raise SourceError(progress.stalled, host_down=True) from error
        raise


def _run(url: str, part: Path, request: Request, network: Network, progress: _Progress) -> Digest:
    with http_errors(DRIVE):
        try:
            gdown.download(
                url, str(part), quiet=True, resume=True, use_cookies=False,
                retries=network.retries, timeout=(10.0, network.timeout), verify=authorities(),
                progress=progress,
            )  # fmt: skip
        except FileURLRetrievalError as error:
            reason = _QUOTA if "Too many users" in str(error) else _PRIVATE
            raise SourceError(f"{DRIVE}: {reason}") from error
        except DownloadError as error:
            raise _without_url(error) from error
        except requests.exceptions.HTTPError as error:
            raise SourceError(f"{DRIVE}: {status(error.response)}") from error
        except KeyError as error:  # gdown assumes a Content-Type
            raise SourceError(f"{DRIVE}: a response without {error.args[0]}") from error
        except OSError as error:
            if isinstance(error, requests.exceptions.RequestException):
                raise
            raise disk_error(part, error) from error
    with disk_errors(part):
        return digests.of_file(part, sha256=request.sha256)


def _without_url(error: DownloadError) -> SourceError:
    """Return gdown's error without the signed URLs in its message."""
    if "byte range" in str(error):
        return _StaleError(f"{DRIVE}: the transfer cannot be resumed")
    if error.__cause__ is not None:
        return SourceError(f"{DRIVE}: the transfer was interrupted: {cause(error.__cause__)}")
    return SourceError(f"{DRIVE}: the response was cut short")
