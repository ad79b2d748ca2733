"""Places that may have a file, in the user's order: the team's remote, mirrors, the publisher."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from scripts.catalogue import sources
from scripts.catalogue.params import TREE
from scripts.catalogue.urls import host_of, masked, site_of
from scripts.console.errors import ContentError, SourceError, UsageError
from scripts.download import partial
from scripts.files import digests
from scripts.files.disk import check_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.checkout.clone import Clone
    from scripts.download.request import Request, TransferLimits
    from scripts.files.digests import Digest
    from scripts.storage.objects import Opener

    Kind = Callable[[Clone, Published], Iterator["Candidate"]]

_ORDER = "CHECKPOINTS_SOURCES"
_OLD_ORDER = "SAMPT_SOURCES"  # its name before there was more than one repository
_DRIVE = "drive.google.com"
_CHUNK = 1 << 21  # bytes; DVC sends a request for each read of a remote


@dataclass(frozen=True)
class Candidate:
    """One place that may have bytes: a URL, a file, or a function that opens the file there."""

    who: str  # its name in messages
    place: str | Path | Opener
    file: Checkpoint | None = None  # the file it has; None: all that the publisher serves
    alternative: str | None = None  # another way to the same file, for users
    is_mirror: bool = True  # a copy of the publisher's: skipped for the rest of a run if it is down

    @property
    def server(self) -> str:
        """What may be down: a host, whatever repositories it has, or the candidate itself."""
        return host_of(self.place) if isinstance(self.place, str) else self.who

    def named(self, what: str) -> str:
        """Return what failed, with the name of this candidate for its host, which has others."""
        host, _, reason = what.partition(": ")
        return f"{self.who}: {reason}" if host == self.server and host in self.who else what

    def download(self, request: Request, limits: TransferLimits) -> Digest:
        """Download to `request.part` and return the digest, which matches the pin if there is one.

        Raises SourceError (another candidate may have it), ContentError (wrong bytes) or DiskError.
        """
        if not isinstance(self.place, str):
            return request.verified(self.who, self._copy(self.place, request))
        # Imported here: a stage that only links files must not load requests or gdown.
        if host_of(self.place) == _DRIVE:
            from scripts.download import drive  # noqa: PLC0415

            return request.verified(self.who, drive.download(self.place, request, limits.network))
        from scripts.download import transfer  # noqa: PLC0415

        try:
            return transfer.download(self.place, request, limits)
        except ContentError as error:
            if not self.is_mirror:
                raise
            # Several mirrors may be on one host: this one is to be found in sources/.
            raise ContentError(f"{error.what} ({masked(self.place)})", *error.details) from error

    def _copy(self, place: Path | Opener, request: Request) -> Digest:
        """Copy the file in one stream, from its first byte."""
        size = request.pin.size if request.pin else None
        check_room(request.part, (size or 0) + request.reserve, what=request.name)
        partial.discard(request.part)
        request.bar.start(size, 0)
        return digests.write(self._chunks(place, request), request.part, sha256=request.sha256)

    def _chunks(self, place: Path | Opener, request: Request) -> Iterator[bytes]:
        try:
            with place.open("rb") if isinstance(place, Path) else place() as file:
                while chunk := file.read(_CHUNK):
                    request.bar.advance(len(chunk))
                    yield chunk
        except OSError as error:
            what = f"{self.who}: {(error.strerror or str(error)).lower()}"
            down = not isinstance(error, FileNotFoundError)
            raise SourceError(what, host_down=down) from error


def order_from_env() -> str:
    """Return the order of the sources as a user would set it in the environment."""
    return f"{variable()}={os.environ.get(variable()) or 'team,mirrors,publisher'}"


def variable() -> str:
    """Return the variable that sets the order: its old name, if only that is set."""
    return _OLD_ORDER if _OLD_ORDER in os.environ and _ORDER not in os.environ else _ORDER


def candidates(clone: Clone, entry: Published) -> Iterator[Candidate]:
    """Yield the candidates of an entry in the order to try them; raise UsageError.

    CHECKPOINTS_SOURCES in the environment names the allowed sources, in this order. Candidates that
    are `clone.unreachable` are left out.
    """
    for kind in _order(os.environ.get(variable())):
        for candidate in kind(clone, entry):
            if not (candidate.is_mirror and candidate.server in clone.unreachable):
                yield candidate


def _team(clone: Clone, entry: Published) -> Iterator[Candidate]:
    for file in entry.files:
        pin = clone.pin(file)
        if pin and pin.md5 and (place := clone.cache.objects.find(pin.md5)):
            yield Candidate(f"the remote {clone.cache.objects.name}", place, file)


def _site_mirrors(clone: Clone, entry: Published) -> Iterator[Candidate]:
    """Yield `network.mirrors`: copies of the tree, so they have the members of an archive."""
    pinned = [file for file in entry.files if clone.pin(file)]
    for base in clone.limits.network.mirrors:
        for file in pinned:
            name = file.path.removeprefix(f"{TREE}/")
            if "://" in base:
                url = f"{base.rstrip('/')}/{quote(name)}"
                yield Candidate(f"the mirror {host_of(base)}", url, file)
            elif os.path.isfile(path := clone.root / os.path.expanduser(base) / name):  # noqa: PTH111, PTH113 - these never raise
                yield Candidate(f"the mirror {base}", path, file)


def _publisher(clone: Clone, entry: Published) -> Iterator[Candidate]:
    source = sources.read(clone.root / "sources", entry.name)
    other = source.alternative
    yield Candidate(host_of(source.url), source.url, alternative=other, is_mirror=False)


def _source_mirrors(clone: Clone, entry: Published) -> Iterator[Candidate]:
    """Yield the mirrors of one source; without a pin only the publisher is trusted."""
    files = {file.member: file for file in entry.files}
    pinned = entry.sha256 is not None or all(map(clone.pin, entry.files))
    for mirror in sources.read(clone.root / "sources", entry.name).mirrors:
        file = files.get(mirror.member) if mirror.member else None
        if clone.pin(file) if file else pinned and not mirror.member:
            yield Candidate(f"the mirror {site_of(mirror.url)}", mirror.url, file)


# models/ and the cache always come first: they need no source. The word is accepted, for clarity.
_WORDS: dict[str, tuple[Kind, ...]] = {
    "cache": (),
    "team": (_team,),
    "mirrors": (_site_mirrors, _source_mirrors),
    "publisher": (_publisher,),
}
# The publisher comes before the copies of its file that others host.
_DEFAULT = (_team, _site_mirrors, _publisher, _source_mirrors)


def _order(value: str | None) -> tuple[Kind, ...]:
    if not value:
        return _DEFAULT
    words = [word.strip() for word in value.split(",")]
    if unknown := [word for word in words if word not in _WORDS]:
        raise UsageError(
            f"{variable()}={value}: unknown source {unknown[0]!r}",
            f"allowed, in any order and separated by commas: {', '.join(_WORDS)}",
        )
    return tuple(kind for word in words for kind in _WORDS[word])
