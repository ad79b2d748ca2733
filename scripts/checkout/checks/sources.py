"""Whether the publishers answer, and what the team's remote has; each within some seconds."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from scripts.catalogue import params, sources
from scripts.catalogue.urls import host_of
from scripts.catalogue.witnesses import some
from scripts.checkout import candidates
from scripts.checkout.clone import Clone
from scripts.console.errors import CheckpointError, SourceError
from scripts.download.connections import trust
from scripts.download.headers import HeadRequest, at_once
from scripts.storage.access import RemoteError, permissions
from scripts.storage.remote import Remote

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.sources import Source

_WITHIN = 15.0  # seconds for all publishers together, and for the remote


def publishers(root: Path) -> str:
    """Ask every publisher for its headers, all at once; raise CheckpointError for who fails."""
    order = candidates.order_from_env()
    if "publisher" not in order:
        return f"not asked: {order}"
    holds = params.read(root / "params.yaml")
    found = [sources.read(root / "sources", name) for name in holds.published]
    context, began = trust(), time.monotonic()

    def ask(source: Source) -> str | SourceError:
        try:
            with closing(
                HeadRequest(source.url, context, timeout=holds.network.timeout)
            ) as request:
                request.head()
        except SourceError as error:
            return error
        return source.name

    answers = zip(found, at_once(ask, found, within=_WITHIN), strict=True)
    _refuse({source.name: each for source, each in answers if not isinstance(each, str)})
    hosts = len({host_of(source.url) for source in found})
    return f"{hosts} hosts have all {len(found)} files, {time.monotonic() - began:.1f} s"


def _refuse(failed: dict[str, SourceError | None]) -> None:
    """Raise CheckpointError with what the first of them says, for all that have failed."""
    if failed:
        late = CheckpointError(f"no answer within {_WITHIN:.0f} s")
        first = next(filter(None, failed.values()), late)
        steps = first.details[len(first.facts) :]
        raise CheckpointError(f"{len(failed)} do not answer: {some(failed)}", first.what, *steps)


def remote(root: Path) -> str:
    """Return what the team's remote has; raise CheckpointError if it cannot be read."""
    clone = Clone.as_it_is(root)[0]
    if not (name := clone.cache.objects.name):
        return "none is configured"
    if (seen := at_once(_seen, [clone], within=_WITHIN)[0]) is None:
        raise CheckpointError(f"{name}: no answer within {_WITHIN:.0f} s")
    return seen


def _seen(clone: Clone) -> str:
    with closing(Remote(clone.root, None)) as team:
        if team.kind == "local":
            try:
                team.expect_folder()
            except RemoteError as error:  # as in every new clone
                return f"{error.what}; the first `./checkpoints dvc push` makes it"
        if not team.rights()[0]:
            steps = permissions("read", folder=team.kind == "local")
            raise RemoteError(f"{team.name}: no permission to read all of {team.url}", *steps)
        found = team.look({path: pin for path, pin in clone.pins.items() if pin.md5})
        if damaged := [item.path for item in found if item.state == "damaged"]:
            raise CheckpointError(f"{team.name}: {len(damaged)} damaged: {some(damaged)}")
        there = sum(not item.broken for item in found)
        return f"{team.name} at {team.url} has {there} of {len(found)} files"
