"""Compare what a publisher serves now with the pin; make it the new pin if the user accepts it."""

from __future__ import annotations

import dataclasses
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from scripts.catalogue import params, sources
from scripts.catalogue.selection import whole
from scripts.catalogue.witnesses import some
from scripts.checkout.clone import Clone
from scripts.checkout.leftovers import drop_begun
from scripts.checkout.local import reuse_local
from scripts.checkout.workspace import Origin, as_pin, place
from scripts.console.errors import CheckpointError, PickleError, SourceError
from scripts.curation import drift, git, release, transaction
from scripts.download import partial
from scripts.download.headers import Head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.catalogue.params import Checkpoint, Published
    from scripts.catalogue.pins import Pin
    from scripts.curation.release import Release
    from scripts.curation.transaction import Change, Write
    from scripts.files.digests import Digest

_AS_PINNED = ("same", "unchanged", "moved")  # states of drift
_AS_IT_WAS = "models/, the cache and the pins are as they were."


def repin(root: Path, words: Sequence[str], own: Path | None, *, accept: bool) -> Iterator[str]:
    """Compare entries with their publishers, or one with the file `own`; yield lines to print.

    With `accept` what is served becomes the new pin of them all. Raises CheckpointError, and
    changes nothing.
    """
    clone = Clone.checked(root)
    entries = whole(clone.catalogue, words)
    if accept:
        git.refuse_dirty(clone.root)
    yield from _repin(clone, entries, own, accept=accept)


def survey(root: Path) -> Iterator[str]:
    """Compare every entry by its publisher's headers, and by the bytes if those have changed.

    Yields lines to print; raises CheckpointError.
    """
    clone = Clone.checked(root)
    entries = list(clone.catalogue.published.values())
    findings = [finding for _, finding in drift.compare(clone, entries)]
    found = list(zip(entries, findings, strict=True))
    wide = max((len(entry.name) for entry in entries), default=0)
    for entry, finding in found:
        if finding.state not in _AS_PINNED:
            yield f"{entry.name:<{wide}}  {finding.state:<9}  {finding.why}"
    yield f"{sum(each.state in _AS_PINNED for each in findings)} of {len(found)} are as pinned"
    if unclear := [entry.name for entry, each in found if each.state == "unknown"]:
        yield f"Next: `./checkpoints repin {' '.join(unclear)}` downloads and compares the unknown."
    changed = [entry for entry, each in found if each.state == "changed"]
    yield from _repin(clone, changed, None, accept=False)


def _repin(
    clone: Clone, entries: Sequence[Published], own: Path | None, *, accept: bool
) -> Iterator[str]:
    with ExitStack() as stack:
        compared = _Compared(clone, own, stack)
        for entry in entries:
            yield from compared.lines(entry)
        failures, found = compared.failures, compared.found
        if failures and (accept or not found):
            raise _failure(failures)
        if found:
            yield from _accepted(clone, found) if accept else _kept(found, own)
    if failures:
        raise _failure(failures)


def _kept(found: Sequence[_New], own: Path | None) -> Iterator[str]:
    size = sum(new.release.digest.size for new in found)
    words = [*(new.entry.name for new in found), *(["--from", str(own)] if own else [])]
    which = "this file" if len(found) == 1 else "these files"
    yield f"{_AS_IT_WAS} {size:,} bytes are kept in .dvc/tmp/fetch."
    yield f"Next: `./checkpoints repin {' '.join(words)} --accept` accepts {which}."


def _accepted(clone: Clone, found: Sequence[_New]) -> Iterator[str]:
    names = some(new.entry.name for new in found)
    with transaction.alone(clone.root) as change:
        _accept(change, found)
        for new in found:
            drop_begun(clone, new.entry, f"{new.entry.name}.new")
        yield f"{names}: repinned. Check `git diff`, then commit and `./checkpoints dvc push`;"
        yield "or undo it: git checkout . && ./checkpoints dvc checkout"


@dataclass(frozen=True)
class _New:
    """What the publisher of an entry serves now, which is not what is pinned."""

    entry: Published
    release: Release
    head: Head


@dataclass(frozen=True)
class _Compared:
    """Entries against their publishers, or one against a file `own`; files stay with the stack."""

    clone: Clone
    own: Path | None
    stack: ExitStack
    found: list[_New] = field(default_factory=list)
    failures: list[CheckpointError] = field(default_factory=list)

    def lines(self, entry: Published) -> Iterator[str]:
        """Yield how an entry differs; keep what is new, or what went wrong."""
        try:
            yield from self._lines(entry)
        except SourceError as error:
            later = f"Next: try again later, or check the address in sources/{entry.name}.dvc."
            what = f"{entry.name}: {error.what}"
            self.failures.append(CheckpointError(what, *error.details, _AS_IT_WAS, later))
        except PickleError as error:
            self.failures.append(error)

    def _lines(self, entry: Published) -> Iterator[str]:
        clone = self.clone
        self.stack.enter_context(clone.alone(f"{entry.name}.new", name=entry.name))
        served = release.own(self.own) if self.own else release.announced(clone, entry)
        if served is None:
            yield f"{entry.name}: nothing to do: the publisher's own hash is the pinned one"
            return
        candidate, head = served
        new = self.stack.enter_context(release.downloaded(clone, entry, candidate))
        if not _changed(clone, new) and entry.sha256 in (None, new.digest.sha256):
            partial.discard(new.part)
            yield f"{entry.name}: nothing to do: {candidate.who} serves what is pinned"
            return
        yield "\n".join(_comparison(clone, entry, new, head))
        release.check(clone.root, new, head)
        self.found.append(_New(entry, new, head))


def _changed(clone: Clone, new: Release) -> dict[Checkpoint, Digest]:
    """Return the files that are not the pinned ones; a repacked archive may have none."""
    rows = [(file, clone.pin(file), digest) for file, (_, digest) in new.files.items()]
    return {file: digest for file, pin, digest in rows if pin is None or not pin.matches(digest)}


def _comparison(clone: Clone, entry: Published, new: Release, head: Head) -> Iterator[str]:
    """Yield what is pinned above what is served, for all that differs."""
    yield f"{entry.name}: the publisher serves another file than the pinned one"
    if entry.archive:
        yield from _rows(f"{entry.name}, the archive", clone.published_pin(entry), new.digest)
    for file, digest in _changed(clone, new).items():
        yield from _rows(file.path, clone.pin(file), digest)
    kinds = {"md5": head.md5, "sha256": head.sha256, "ETag": head.etag, "modified": head.modified}
    if stated := [f"    {kind} {value}" for kind, value in kinds.items() if value]:
        yield "  the publisher's own headers"
        yield from stated


def _rows(name: str, pin: Pin | None, got: Digest) -> Iterator[str]:
    yield f"  {name}"
    if pin and pin.md5:
        size = f"  {pin.size:,} bytes" if pin.size is not None else "  size not pinned"
        yield f"    pinned  md5 {pin.md5}{size}"
    if pin and pin.sha256:
        yield f"    pinned  sha256 {pin.sha256}"
    yield f"    served  md5 {got.md5}  {got.size:,} bytes"
    yield f"    served  sha256 {got.sha256}"


def _failure(failures: Sequence[CheckpointError]) -> CheckpointError:
    """Return one error for those of several entries; a single one as it is."""
    if len(failures) == 1:
        return failures[0]
    lines = [line for error in failures for line in str(error).splitlines()]
    return CheckpointError(f"{len(failures)} entries could not be compared", *lines)


def _accept(change: Change, found: Sequence[_New]) -> None:
    """Install the new files and write their pins; or raise CheckpointError, and change nothing."""
    clone, root = change.clone, change.clone.root
    paths = {file: path for new in found for file, (path, _) in new.release.files.items()}
    changed = {
        file: digest for new in found for file, digest in _changed(clone, new.release).items()
    }
    names = some(new.entry.name for new in found)
    with change.recorded(f"repin {names}", changed) as write:
        # The cache keeps the old files, if they are here, so that `dvc checkout` can restore them.
        cached = {file: reuse_local(clone, file) for file in changed}
        for file, digest in changed.items():
            clone.cache.add(paths[file], digest.md5)
        for new in found:
            replace_sha256(root, new.entry, new.release, write)
        write(transaction.sealed(root, {file.path: each for file, each in changed.items()}))
        for new in found:
            if new.head != Head():  # the user's own file says nothing about the publisher's
                write(_recorded(root, new.entry.name, new.head))
        for file, digest in changed.items():
            if cached[file]:
                clone.cache.link(digest.md5, root / file.path)
            else:
                place(clone, file, as_pin(digest), Origin.REPINNED)


def _recorded(root: Path, name: str, head: Head) -> dict[str, str]:
    """Return the source of an entry with the ETag and size that the publisher sends now."""
    with TemporaryDirectory(dir=root / ".dvc/tmp") as folder:
        copy = Path(folder, f"{name}.dvc")
        shutil.copyfile(root / "sources" / copy.name, copy)
        sources.record(copy.parent, name, etag=head.etag, size=head.size)
        return {f"sources/{name}.dvc": transaction.read(copy.parent, copy.name)}


def replace_sha256(root: Path, entry: Published, new: Release, write: Write) -> None:
    """Replace each pinned sha256 where it is written; no other byte changes, in any layout."""
    digests = {file.sha256: digest for file, (_, digest) in new.files.items()}
    digests |= {entry.sha256: new.digest} if entry.archive else {}
    swaps = {old: str(digest.sha256) for old, digest in digests.items() if old}
    if not swaps:
        return
    known, text = params.read(root / "params.yaml").published, transaction.read(root, "params.yaml")
    text = re.sub("|".join(swaps), lambda old: swaps[old[0]], text)
    write({"params.yaml": text})
    if params.read(root / "params.yaml").published != known | {entry.name: _repinned(entry, new)}:
        raise CheckpointError(
            f"params.yaml: a program cannot replace the sha256 of {entry.name}: it is written",
            "in an unusual form, or another entry has the same one.",
            "Next: remove it there, commit, then run the same command again.",
        )


def _repinned(entry: Published, new: Release) -> Published:
    """Return the entry with the new sha256 wherever one is pinned."""
    digests = {file: file.sha256 and new.files[file][1].sha256 for file in entry.files}
    files = tuple(dataclasses.replace(file, sha256=digest) for file, digest in digests.items())
    return dataclasses.replace(entry, files=files, sha256=entry.sha256 and new.digest.sha256)
