"""Add entries to the catalogue: download, pin and seal them in one step, or change nothing."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.catalogue import lock
from scripts.catalogue.pins import Pin
from scripts.catalogue.witnesses import some
from scripts.checkout import parallel
from scripts.checkout.journal import prune
from scripts.console.errors import (
    CheckpointError,
    DiskError,
    PickleError,
    SourceError,
)
from scripts.console.progress import counted, note
from scripts.curation import arrived, draft, git, transaction
from scripts.curation.entry import described
from scripts.curation.render import EDITED, render, source
from scripts.download import addresses
from scripts.download.headers import at_once
from scripts.storage import graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scripts.checkout.clone import Clone
    from scripts.checkout.workspace import Outcome
    from scripts.curation.entry import Entry
    from scripts.curation.lists import Faults, Row
    from scripts.curation.transaction import Change, Write

    Failures = list[tuple[Entry, CheckpointError]]


@dataclass(frozen=True)
class Added:
    """What was added, in the order of the list, and which lines failed."""

    entries: list[Entry]
    outcomes: list[Outcome]
    failures: Failures


def add(change: Change, rows: Sequence[Row], faults: Faults, *, keep_going: bool = False) -> Added:
    """Add the entries that rows describe; or raise CheckpointError, and change nothing.

    All rows are checked before anything is requested. With `keep_going` what fails to arrive is
    left out. The catalogue is written once the bytes are verified and in their place.
    """
    clone, root = change.clone, change.clone.root
    entries = described(rows, faults, clone.catalogue.published)
    entries = draft.free(clone, entries, faults)
    texts = render(root, entries)
    after = draft.made(clone, entries, texts["params.yaml"], faults)
    faults.check()
    git.refuse_dirty(root)
    lock.render(root)  # raises for faults in the files that will change
    graph.check(root, texts)
    entries, failures = _resolved(entries)
    after, earlier = _pinned(after, entries)
    files = [file for each in entries for file in after.catalogue.published[each.name].files]
    with change.recorded(f"import_url {some(entry.name for entry in entries)}", files) as write:
        before = {name: transaction.read(root, name) for name in EDITED}
        write({entry.source: source(entry) for entry in entries})
        outcomes, failed = _obtain(after, entries)
        failures += failed
        if failures and (not keep_going or not outcomes):
            raise failure(failures, faults.where, 0)
        kept = [entry for entry in entries if entry.name in outcomes]
        _leave_out(root, [entry for entry, _ in failed], write)
        _write(root, kept, outcomes, before, write)
    arrived.forget(root)
    shown = [arrived.marked(each, earlier) for entry in kept for each in outcomes[entry.name]]
    return Added(kept, shown, failures)


def _write(
    root: Path,
    entries: Sequence[Entry],
    outcomes: Mapping[str, Sequence[Outcome]],
    before: Mapping[str, str],
    write: Write,
) -> None:
    """Add the entries to the files as they are now: the user may edit them during a download."""
    edited = [name for name in EDITED if transaction.read(root, name) != before[name]]
    write(render(root, entries))
    new = {each.path: each.pin for entry in entries for each in outcomes[entry.name]}
    write(transaction.sealed(root, new))
    if edited:
        note(f"{', '.join(edited)}: edited during the download; the diff contains that edit")


def _leave_out(root: Path, failed: Sequence[Entry], write: Write) -> None:
    """Remove the sources of entries that failed, and those of their files that are in place."""
    write({entry.source: None for entry in failed})
    for file in (file for entry in failed for file in entry.files):
        (root / file.path).unlink(missing_ok=True)
        prune(root, file.path)


def _resolved(entries: Sequence[Entry]) -> tuple[list[Entry], Failures]:
    """Return the entries with the addresses to record, and those that have none."""
    found: list[Entry] = []
    failures: Failures = []
    for entry, result in zip(entries, at_once(_resolve, entries), strict=True):
        if isinstance(result, CheckpointError):
            failures.append((entry, result))
        elif result:
            found.append(result)
    return found, failures


def _resolve(entry: Entry) -> Entry | CheckpointError:
    try:
        url = addresses.of_file(entry.url)
    except SourceError as error:
        again = "Next: check the address, and run again."
        return CheckpointError(error.what, *error.details, "Nothing was changed.", again)
    mirrors = tuple((_file_url(copy), member) for copy, member in entry.mirrors)
    return dataclasses.replace(entry, url=url, mirrors=mirrors)


def _file_url(mirror: str) -> str:
    try:
        return addresses.of_file(mirror)
    except SourceError:  # the pin decides, whatever a branch serves later
        return addresses.file_url(mirror)


def _pinned(clone: Clone, entries: Sequence[Entry]) -> tuple[Clone, dict[str, Pin]]:
    """Return the clone with what is known of new files, and what arrived before, by path.

    A stated hash identifies the bytes, it does not make them harmless: they are screened. A pin of
    the repository, of another file with the same bytes, does.
    """
    before, pins, earlier = arrived.recall(clone), dict[str, Pin](), dict[str, Pin]()
    twins = {file.sha256: pin for file in clone.catalogue.files.values() if file.sha256
             if (pin := clone.pins.get(file.path))}  # fmt: skip
    for url, file in ((entry.url, file) for entry in entries for file in entry.files):
        stated = Pin(file.md5) if file.md5 else twins.get(file.sha256 or "")
        if stated:
            pins[file.path] = stated
        elif pin := before.get((url, file.member)):
            pins[file.path] = earlier[file.path] = pin
    known = {pin.md5 for pin in clone.pins.values()}
    fresh = frozenset(path for path, pin in pins.items() if pin.md5 not in known)
    return dataclasses.replace(clone, pins=clone.pins | pins, stated=fresh), earlier


def _obtain(clone: Clone, entries: Sequence[Entry]) -> tuple[dict[str, list[Outcome]], Failures]:
    """Put the files of all entries in their places; return how that went, by entry.

    If one fails, the others still arrive: the same command continues from there.
    """
    known = {entry.name: entry for entry in entries}
    outcomes: dict[str, list[Outcome]] = {}
    failures: Failures = []
    published = [clone.catalogue.published[name] for name in known]
    try:
        with closing(parallel.results(clone, published)) as results:
            for each, result in results:
                entry = known[each.name]
                if isinstance(result, CheckpointError):
                    failures.append((entry, _explained(entry, result)))
                else:
                    arrived.remember(clone.root, entry, result)
                    outcomes[each.name] = result
    except BaseException:
        clone.placing.acquire()  # for good: what is undone now no thread may do again
        raise
    return outcomes, failures


def _explained(entry: Entry, error: CheckpointError) -> CheckpointError:
    if isinstance(error, (DiskError, PickleError)):
        return error  # their next step is right here, too
    left = entry.mirrors and not all(file.md5 or file.sha256 for file in entry.files)
    # The next step of fetch is right only for a file of the catalogue.
    return CheckpointError(error.what, *error.facts, *[_UNASKED] * bool(left), _UNCHANGED, _AGAIN)


def failure(failures: Failures, where: str, added: int) -> CheckpointError:
    """Return the error that names every line that failed; that of the command line as it is.

    `added` files of other lines are in the catalogue now.
    """
    if not where:
        return failures[0][1]
    lines = []
    for entry, error in sorted(failures, key=lambda pair: pair[0].line):
        facts = [line for line in error.facts if line != _UNCHANGED]
        lines += [f"line {entry.line}: {error.what}", *(f"  {fact}" for fact in facts)]
    state, step = _UNCHANGED, "Next: correct these lines or give --keep-going, and run again: {}."
    if added:
        state = f"{counted(added)} added, as shown above."
        step = "Next: commit that, then import these lines alone: {}."
    what = f"{where}: {counted(len(failures), 'line')} failed"
    return CheckpointError(what, *lines, state, step.format("what has arrived is kept"))


_UNASKED = "Its mirrors were not asked: without a hash, only the first address is trusted."
_UNCHANGED = "The catalogue is unchanged."
_AGAIN = "Next: check the address and the hashes, and run again; the download resumes."
