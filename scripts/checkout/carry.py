"""Carry the bytes of an offer into a partial file, each kind of place in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.catalogue.urls import host_of
from scripts.console.errors import SourceError
from scripts.download import partial
from scripts.files import stream
from scripts.files.disk import check_room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.checkout.candidates import Candidate
    from scripts.download.limits import TransferLimits
    from scripts.download.request import Request
    from scripts.files.digests import Digest
    from scripts.storage.objects import Opener

_DRIVE = "drive.google.com"
_CHUNK = 1 << 21  # bytes: of a remote that DVC reads, each is a request


def carry(offer: Candidate, wanted: Request, limits: TransferLimits) -> Digest:
    """Fill `wanted.part` and return its digest once it is the pinned one.

    Raises SourceError (another place may have it), ContentError (wrong bytes) or DiskError.
    """
    if not isinstance(offer.place, str):
        return wanted.verified(offer.who, _copied(offer.place, offer.who, wanted))
    # Imported where bytes are asked for: a stage that only links does not wait for it.
    if host_of(offer.place) == _DRIVE:
        from scripts.download import drive  # noqa: PLC0415

        return wanted.verified(offer.who, drive.download(offer.place, wanted, limits.network))
    from scripts.download import transfer  # noqa: PLC0415

    return transfer.download(offer.place, wanted, limits)


def _copied(opener: Opener, who: str, wanted: Request) -> Digest:
    """Copy what can be opened as a file, in one stream: it begins anew each time."""
    size = wanted.pin.size if wanted.pin else None
    check_room(wanted.part, (size or 0) + wanted.reserve, what=wanted.name)
    partial.discard(wanted.part)
    wanted.bar.start(size, 0)
    return stream.pour(_chunks(opener, who, wanted), wanted.part, sha256=wanted.sha256)


def _chunks(opener: Opener, who: str, wanted: Request) -> Iterator[bytes]:
    try:
        with opener() as file:
            while chunk := file.read(_CHUNK):
                wanted.bar.advance(len(chunk))
                yield chunk
    except OSError as error:
        what = f"{who}: {(error.strerror or str(error)).lower()}"
        missing = isinstance(error, FileNotFoundError)
        raise SourceError(what, host_down=not missing) from error
