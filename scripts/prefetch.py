"""Bring many files at once, over several hosts; the stages that DVC runs after it only look.

What is under models/ already is checked and kept, several files at a time.
"""

from __future__ import annotations

import argparse
import queue
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import artifacts, obtain, sources
from scripts.catalogue import TREE
from scripts.clone import Clone
from scripts.command import command, report
from scripts.documents import load
from scripts.errors import CatalogueError, CheckpointError
from scripts.progress import Bar, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.catalogue import Published
    from scripts.workspace import Outcome

_FILES = 4  # at once: enough for every core to hash, and for several hosts
_HEED = 0.2  # seconds after which Ctrl-C is heard for certain
_MINIMAL, _COMPLETE = "minimal", "complete"


def bring_all(clone: Clone, entries: Sequence[Published]) -> list[CheckpointError]:
    """Bring entries side by side, report each as it ends, and return the errors of the others.

    Threads are daemons: whoever stops the command does not wait for bytes of theirs.
    """
    waiting: queue.SimpleQueue[Published] = queue.SimpleQueue()
    for entry in _mixed(clone, entries):
        waiting.put(entry)
    done: queue.SimpleQueue[list[Outcome] | BaseException] = queue.SimpleQueue()
    errors: list[CheckpointError] = []
    with Bar("all", quiet=len(entries) < 2) as bar:  # noqa: PLR2004 - one has a bar of its own
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
        host = sources.host_of(sources.read(clone.root / "sources", entry.name).url)
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


@command
def main(argv: Sequence[str] | None) -> None:
    """Parse names, bring all of them, and fail if one could not be brought."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.prefetch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names",
        metavar="minimal|complete|NAME",
        nargs="*",
        default=[_MINIMAL],
        help="what SAM-PT loads by default (if nothing is named), all, or names of params.yaml",
    )
    clone = Clone.at(Path.cwd())
    entries = select(clone, parser.parse_args(argv).names)
    paths = [file.path for entry in entries for file in entry.files]
    notices = artifacts.notices(clone.root, paths)
    if errors := bring_all(clone, entries):
        raise _summary(errors, len(entries))
    for line in notices:
        say(line)
    say(f"{len(entries)} of {len(entries)} are in place")


def _summary(errors: list[CheckpointError], count: int) -> CheckpointError:
    if count == 1:
        return errors[0]
    return CheckpointError(
        f"{len(errors)} of {count} could not be brought",
        *(line for error in errors for line in (error.what, *(f"  {d}" for d in error.details))),
    )


if __name__ == "__main__":
    sys.exit(main())
