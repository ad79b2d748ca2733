"""Who may have the bytes: the team's remote, mirrors, the publisher, in the user's order."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from scripts.catalogue import sources
from scripts.catalogue.params import TREE
from scripts.catalogue.urls import host_of
from scripts.console.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.checkout.clone import Clone
    from scripts.download.limits import TransferLimits
    from scripts.download.request import Request
    from scripts.files.digests import Digest
    from scripts.storage.objects import Opener

    Kind = Callable[[Clone, Published], Iterator["Candidate"]]

ORDER = "SAMPT_SOURCES"


@dataclass(frozen=True)
class Candidate:
    """One place that may have bytes: an address, or what opens a file there."""

    who: str  # what a message calls it
    place: str | Opener
    file: Checkpoint | None = None  # the one it has; None: what the publisher serves
    is_mirror: bool = True  # somebody else's copy: who fails altogether is not asked again

    def download(self, request: Request, limits: TransferLimits) -> Digest:
        """Fill `request.part`; return its digest once it is the pinned one."""
        from scripts.checkout.carry import carry  # noqa: PLC0415

        return carry(self, request, limits)

    def failed(self, error: SourceError) -> str:
        """Return the error's headline with the name that users know the place by."""
        known = self.who.split()[-1] in error.what
        return error.what if known else f"{self.who}: {error.what}"


def order_from_env() -> str:
    """Return who may be asked, in the user's words."""
    return f"{ORDER}={os.environ.get(ORDER) or 'team,mirrors,publisher'}"


def candidates(clone: Clone, entry: Published) -> Iterator[Candidate]:
    """Yield who may have an entry, the first to be asked first; raise UsageError.

    The environment's SAMPT_SOURCES names those that may be asked, in its order.
    """
    for kind in _order(os.environ.get(ORDER)):
        for offer in kind(clone, entry):
            if offer.who not in clone.limits.unreachable:
                yield offer


def _team(clone: Clone, entry: Published) -> Iterator[Candidate]:
    for file in entry.files:
        pin = clone.pin(file)
        if pin and (place := clone.cache.objects.find(str(pin.md5))):
            opened = _opener(place) if isinstance(place, Path) else place
            yield Candidate(f"the remote {clone.cache.objects.name}", opened, file)


def _near(clone: Clone, entry: Published) -> Iterator[Candidate]:
    """Mirrors of this site hold the tree, so the members of an archive lie there one by one."""
    pinned = [file for file in entry.files if clone.pin(file)]
    for base in clone.limits.network.mirrors:
        for file in pinned:
            name = file.path.removeprefix(f"{TREE}/")
            if "://" in base:
                url = f"{base.rstrip('/')}/{quote(name)}"
                yield Candidate(f"the mirror {host_of(base)}", url, file)
            elif os.path.isfile(path := clone.root / os.path.expanduser(base) / name):  # noqa: PTH111, PTH113 - these never raise
                yield Candidate(f"the mirror {base}", _opener(path), file)


def _publisher(clone: Clone, entry: Published) -> Iterator[Candidate]:
    url = sources.read(clone.root / "sources", entry.name).url
    yield Candidate(host_of(url), url, is_mirror=False)


def _proven(clone: Clone, entry: Published) -> Iterator[Candidate]:
    """Mirrors of one source; of what has no pin only the publisher is believed."""
    files = {file.member: file for file in entry.files}
    pinned = entry.sha256 is not None or all(map(clone.pin, entry.files))
    for mirror in sources.read(clone.root / "sources", entry.name).mirrors:
        file = files.get(mirror.member) if mirror.member else None
        known = clone.pin(file) if file else pinned and not mirror.member
        if known:
            yield Candidate(f"the mirror {host_of(mirror.url)}", mirror.url, file)


# models/ and the cache come first, whatever is said: what is there already is asked of nobody.
_WORDS: dict[str, tuple[Kind, ...]] = {
    "cache": (),
    "team": (_team,),
    "mirrors": (_near, _proven),
    "publisher": (_publisher,),
}
# A publisher's own address before the copies that others keep of it.
_DEFAULT = (_team, _near, _publisher, _proven)


def _opener(path: Path) -> Opener:
    return lambda: path.open("rb")


def _order(told: str | None) -> tuple[Kind, ...]:
    if not told:
        return _DEFAULT
    words = [word.strip() for word in told.split(",")]
    if unknown := [word for word in words if word not in _WORDS]:
        raise UsageError(
            f"{ORDER}={told}: {unknown[0]!r} is no source",
            f"it takes, in any order and separated by commas: {', '.join(_WORDS)}",
        )
    return tuple(kind for word in words for kind in _WORDS[word])
