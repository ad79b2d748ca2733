"""Bring many files at once, over several hosts; the stages that DVC runs after it only look.

What is under models/ already is checked and kept, several files at a time.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from scripts.catalogue import sources, urls
from scripts.catalogue.documents import load
from scripts.catalogue.params import TREE
from scripts.checkout import obtain
from scripts.checkout.clone import Clone
from scripts.checkout.outcome import report
from scripts.console.errors import CatalogueError, CheckpointError
from scripts.console.progress import Bar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.catalogue.params import Published
    from scripts.checkout.outcome import Outcome

_FILES = 4  # at once: enough for every core to hash, and for several hosts
_HEED = 0.2  # seconds after which Ctrl-C is heard for certain
_MINIMAL, _COMPLETE = "minimal", "complete"


def fetch_all(clone: Clone, entries: Sequence[Published]) -> None:
    """Fetch entries side by side and report each as it ends; raise CheckpointError.

    One that fails does not stop the others: their errors are raised together, at the end.
    """
    if len(entries) == 1:  # in this thread, with a bar of its own
        for outcome in obtain.bring(clone, entries[0]):
            report(outcome)
    elif errors := _side_by_side(clone, entries):
        raise CheckpointError(
            f"{len(errors)} of {len(entries)} were not fetched",
            *(
                line
                for error in errors
                for line in (error.what, *(f"  {d}" for d in error.details))
            ),
        )


def _side_by_side(clone: Clone, entries: Sequence[Published]) -> list[CheckpointError]:
    """Return the errors. Threads are daemons: a command that is stopped does not wait for them."""
    waiting: queue.SimpleQueue[Published] = queue.SimpleQueue()
    for entry in _mixed(clone, entries):
        waiting.put(entry)
    done: queue.SimpleQueue[list[Outcome] | BaseException] = queue.SimpleQueue()
    errors: list[CheckpointError] = []
    with Bar("all") as bar:
        for _ in range(min(_FILES, len(entries))):
            threading.Thread(target=_work, args=(clone, waiting, done, bar), daemon=True).start()
        for _ in entries:
            result = _next(done)
            if isinstance(result, CheckpointError):
                errors.append(result)
            elif isinstance(result, BaseException):
                raise result
            else:
                for outcome in result:
                    report(outcome)
    return errors


def _next(
    done: queue.SimpleQueue[list[Outcome] | BaseException],
) -> list[Outcome] | BaseException:
    # Never an endless wait: a Ctrl-C that comes just before one is heard only after it.
    while True:
        with suppress(queue.Empty):
            return done.get(timeout=_HEED)


def _work(
    clone: Clone,
    waiting: queue.SimpleQueue[Published],
    done: queue.SimpleQueue[list[Outcome] | BaseException],
    bar: Bar,
) -> None:
    with suppress(queue.Empty):
        while True:
            entry = waiting.get_nowait()
            try:
                done.put(obtain.bring(clone, entry, within=bar))
            except BaseException as error:  # noqa: BLE001 - raised or told by the thread that waits
                done.put(error)


def _mixed(clone: Clone, entries: Sequence[Published]) -> list[Published]:
    """Return entries so that those of one host do not stand next to each other."""
    seen: Counter[str] = Counter()
    ranks = []
    for number, entry in enumerate(entries):
        host = urls.host_of(sources.read(clone.root / "sources", entry.name).url)
        ranks.append((seen[host], number))
        seen[host] += 1
    return [entries[number] for _, number in sorted(ranks)]


def select(clone: Clone, words: Sequence[str]) -> list[Published]:
    """Return the entries that names, `minimal` and `complete` stand for; raise UsageError."""
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
    """Yield the entries of the files on which the stage fetch_minimal depends."""
    document = load(clone.root / "dvc.yaml")
    try:
        deps = document["stages"]["fetch_minimal"]["deps"]
        paths = {dep for dep in deps if dep.startswith(f"{TREE}/")}
    except (TypeError, KeyError, AttributeError) as error:
        raise CatalogueError("dvc.yaml", ["stages.fetch_minimal has no list of deps"]) from error
    for name, entry in clone.catalogue.published.items():
        if paths & {file.path for file in entry.files}:
            yield name
