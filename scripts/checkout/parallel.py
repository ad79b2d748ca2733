"""Obtain many entries in parallel, from several hosts at once."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from scripts.catalogue import sources, urls
from scripts.catalogue.documents import load
from scripts.catalogue.params import TREE
from scripts.checkout.obtain import obtain
from scripts.checkout.outcome import report
from scripts.console.errors import CatalogueError, CheckpointError
from scripts.console.progress import Bar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.catalogue.params import Published
    from scripts.checkout.clone import Clone
    from scripts.checkout.outcome import Outcome

    Results = queue.SimpleQueue[list[Outcome] | BaseException]

_ENTRIES = 4  # in parallel: enough for every core to hash, and for several hosts
_POLL = 0.2  # seconds; the longest delay of Ctrl-C
_MINIMAL, _COMPLETE = "minimal", "complete"


def select(clone: Clone, words: Sequence[str]) -> list[Published]:
    """Return the entries of names, `minimal` and `complete`, each once; raise UsageError."""
    names: dict[str, None] = {}
    for word in words:
        if word == _COMPLETE:
            names.update(dict.fromkeys(clone.catalogue.published))
        elif word == _MINIMAL:
            names.update(dict.fromkeys(_minimal(clone)))
        else:
            names[word] = None
    return clone.catalogue.find(list(names))


def _minimal(clone: Clone) -> Iterator[str]:
    """Yield the entries of the files that the stage fetch_minimal depends on."""
    document = load(clone.root / "dvc.yaml")
    try:
        deps = document["stages"]["fetch_minimal"]["deps"]
        paths = {dep for dep in deps if dep.startswith(f"{TREE}/")}
    except (TypeError, KeyError, AttributeError) as error:
        raise CatalogueError("dvc.yaml", ["stages.fetch_minimal has no list of deps"]) from error
    for name, entry in clone.catalogue.published.items():
        if paths & {file.path for file in entry.files}:
            yield name


def fetch_all(clone: Clone, entries: Sequence[Published]) -> None:
    """Obtain entries in parallel and report each file; raise CheckpointError.

    If one fails, the others are still obtained; the error at the end names every failure.
    """
    if len(entries) == 1:  # in this thread, with a bar of its own
        _report(obtain(clone, entries[0]))
        return
    errors: list[CheckpointError] = []
    for result in _results(clone, entries):
        if isinstance(result, CheckpointError):
            errors.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            _report(result)
    if errors:
        lines = [(error.what, *(f"  {line}" for line in error.details)) for error in errors]
        raise CheckpointError(
            f"{len(errors)} of {len(entries)} not downloaded",
            *(line for part in lines for line in part),
        )


def _report(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        report(outcome)


def _results(clone: Clone, entries: Sequence[Published]) -> Iterator[list[Outcome] | BaseException]:
    """Yield the outcomes or the error of each entry, in the order in which they end.

    The threads are daemons: a command that is stopped does not wait for them.
    """
    waiting: queue.SimpleQueue[Published] = queue.SimpleQueue()
    for entry in _interleaved(clone, entries):
        waiting.put(entry)
    done: Results = queue.SimpleQueue()
    with Bar("all") as bar:
        for _ in range(min(_ENTRIES, len(entries))):
            threading.Thread(target=_work, args=(clone, waiting, done, bar), daemon=True).start()
        for _ in entries:
            yield _next(done)


def _next(done: Results) -> list[Outcome] | BaseException:
    # With a timeout, as an endless wait would delay a Ctrl-C that comes just before it.
    while True:
        with suppress(queue.Empty):
            return done.get(timeout=_POLL)


def _work(clone: Clone, waiting: queue.SimpleQueue[Published], done: Results, bar: Bar) -> None:
    with suppress(queue.Empty):
        while True:
            entry = waiting.get_nowait()
            try:
                done.put(obtain(clone, entry, within=bar))
            except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
                done.put(error)


def _interleaved(clone: Clone, entries: Sequence[Published]) -> list[Published]:
    """Return the entries in an order that alternates between hosts."""
    seen: Counter[str] = Counter()
    ranks = []
    for number, entry in enumerate(entries):
        host = urls.host_of(sources.read(clone.root / "sources", entry.name).url)
        ranks.append((seen[host], number))
        seen[host] += 1
    return [entries[number] for _, number in sorted(ranks)]
