"""Obtain many entries in parallel, from several hosts at once."""

from __future__ import annotations

import queue
import threading
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING

from scripts.catalogue import sources, urls
from scripts.checkout.leftovers import drop_links
from scripts.checkout.obtain import AS_BEFORE, NoSourceError, obtain
from scripts.checkout.workspace import report
from scripts.console.errors import CheckpointError, StoppedError
from scripts.console.progress import Bar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from scripts.catalogue.params import Published
    from scripts.checkout.clone import Clone
    from scripts.checkout.plan import Plan
    from scripts.checkout.workspace import Outcome

    _Result = tuple[Published, list[Outcome] | BaseException]

_ENTRIES = 4  # in parallel: enough for every core to hash, and for several hosts
_POLL = 0.2  # seconds; the longest delay of Ctrl-C
_NEXT = (
    "models/ and the cache have verified files alone.",
    "Next: run the same command again, it resumes; or, if you have a file from elsewhere, put it",
    "at its path, which `./checkpoints list` shows: it is checked and kept.",
)
_STOPPED = "stopped; partial downloads are kept: run the same command again, it resumes"


def fetch_all(clone: Clone, entries: Sequence[Published], *, silent: bool = False) -> list[Outcome]:
    """Obtain entries in parallel, report each file, return the outcomes; raise CheckpointError.

    If one fails, the others are still obtained; the error at the end names every failure. Links
    to objects that are gone go first, those of other entries, too: with one `dvc repro` fails.
    What is to be downloaded is known before the first byte. `silent` shows and reports nothing.
    """
    drop_links(clone, entries)
    outcomes: list[Outcome] = []
    errors: list[CheckpointError] = []
    try:
        for _, result in results(clone, entries, silent=silent):
            if isinstance(result, CheckpointError):
                errors.append(result)
                continue
            outcomes += result
            for outcome in [] if silent else result:
                if outcome.is_news or len(entries) == 1:  # many are counted at the end
                    report(outcome)
    except KeyboardInterrupt:
        raise StoppedError(_STOPPED) from None
    if len(entries) == 1 and errors:
        raise errors[0]  # with its own exit code
    if errors:
        what = f"{len(errors)} of {len(entries)} not downloaded"
        raise CheckpointError(what, *_shown(errors))
    return outcomes


def _shown(errors: Sequence[CheckpointError]) -> Iterator[str]:
    """Yield the lines of all errors; a next step that several share comes once, at the end."""
    alike = [error for error in errors if isinstance(error, NoSourceError)]
    for error in errors:
        own = [line for line in error.facts if line != f"{AS_BEFORE}."]
        short = CheckpointError(error.what, *own) if alike[1:] and error in alike else error
        yield from str(short).splitlines()
    if alike[1:]:
        yield from _NEXT


def results(
    clone: Clone, entries: Sequence[Published], *, silent: bool = False
) -> Generator[tuple[Published, list[Outcome] | CheckpointError], None, None]:
    """Yield each entry with its outcomes, or with what went wrong, in the order in which they end.

    Raises what is no CheckpointError, and RoomError if it is known not to fit.
    """
    for entry, result in _all_results(clone, entries, silent=silent):
        if isinstance(result, BaseException) and not isinstance(result, CheckpointError):
            raise result
        yield entry, result


def _all_results(clone: Clone, entries: Sequence[Published], *, silent: bool) -> Iterable[_Result]:
    if len(entries) > 1:
        from scripts.checkout import plan  # noqa: PLC0415 - a stage, of one entry, needs none

        planned = plan.make(clone, entries)
        planned.check_room()
        return _results(clone, entries, planned, Bar("all", quiet=silent))
    within = Bar(entries[0].name, quiet=True) if silent else None
    # In this thread, with a bar of its own.
    return [(entry, _attempt(clone, entry, within)) for entry in entries]


def _results(
    clone: Clone, entries: Sequence[Published], planned: Plan, total: Bar
) -> Iterator[_Result]:
    """Yield each entry with its outcomes or its error, in the order in which they end.

    The threads are daemons: a command that is stopped does not wait for them.
    """
    waiting = deque(_interleaved(clone, entries))
    done: queue.SimpleQueue[_Result] = queue.SimpleQueue()

    def work() -> None:
        with suppress(IndexError):  # no entry is left
            while True:
                entry = waiting.popleft()
                done.put((entry, _attempt(clone, entry, bar)))

    total.expect(planned.sizes, len(planned.files), estimated=planned.whole.estimated)
    with total as bar:
        for _ in range(min(_ENTRIES, len(entries))):
            threading.Thread(target=work, daemon=True).start()
        try:
            for _ in entries:
                entry, result = _next(done)
                yield entry, result
                bar.file_done(len(result) if isinstance(result, list) else 0)
        finally:
            waiting.clear()  # no thread begins another entry


def _next(done: queue.SimpleQueue[_Result]) -> _Result:
    while True:
        # With a timeout, as an endless wait would delay a Ctrl-C that comes just before it.
        with suppress(queue.Empty):
            return done.get(timeout=_POLL)


def _attempt(clone: Clone, entry: Published, bar: Bar | None) -> list[Outcome] | BaseException:
    try:
        return obtain(clone, entry, within=bar)
    except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
        return error
    finally:
        if bar:
            bar.settle(entry.name)


def _interleaved(clone: Clone, entries: Sequence[Published]) -> list[Published]:
    """Return the entries in an order that alternates between hosts."""
    seen: Counter[str] = Counter()

    def turn(entry: Published) -> int:
        host = urls.host_of(sources.read(clone.root / "sources", entry.name).url)
        seen[host] += 1
        return seen[host]

    return sorted(entries, key=turn)
