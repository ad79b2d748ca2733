"""The guide's commands, one after another, beside one of ours: six hosts and two archives."""

from __future__ import annotations

import itertools
import sys
import tarfile
import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench import servers
from bench.clone import Entry
from bench.files import MIB
from bench.race import Contender, race
from bench.report import Section, Target
from bench.transfers import ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.clone import Clone
    from bench.files import File
    from bench.lab import Lab
    from bench.rivals import Scratch

OURS = "python -m scripts.fetch complete (ours)"
GUIDE = "wget, tar, unzip && md5sum, one after another"
# MB of the files of each host, as those of a real paper; the plan makes them smaller.
_HOSTS = (
    (2565, 1250, 375, 96, 96, 96), (2571, 1255, 379, 43), (41, 48, 48, 5), (127, 124, 34), (11,),
)  # fmt: skip
_PACKED = {"a.tar.gz": (344,), "b.tar.gz": (422,), "c.zip": (21, 21, 21, 21, 4)}  # the sixth host


def guide(lab: Lab) -> Section:
    """Download a whole tree over TLS, from hosts that limit the rate of each connection."""
    numbers = itertools.count()

    def made(sizes: Sequence[int]) -> list[File]:
        shares = [max(size * MIB // lab.plan.smaller, 1) for size in sizes]
        return [lab.file(f"part_{next(numbers)}.bin", share) for share in shares]

    with ExitStack() as stack:
        entries: list[Entry] = []
        for sizes in (*_HOSTS, ()):
            slow = servers.before(lab.nginx.https, lab.base, rate=lab.plan.rate)
            port = stack.enter_context(slow).port
            entries += [_entry(file, port, file.name) for file in made(sizes)]
        for name, packed in _PACKED.items():
            held = made(packed)
            _pack(lab, name, held)
            entries += [_entry(file, port, name, packed=True) for file in held]
        clone = stack.enter_context(lab.listed(entries, tls=True))
        scratch = stack.enter_context(lab.scratch(held[0], "", tls=True))
        contenders = [_fetched(clone), _by_hand(scratch, entries)]
        rows = [standing.row() for standing in race(contenders, lab.plan.rounds)]
    whole = sum(entry.size for entry in entries) / 1e6
    targets = [Target("the guide / ours", ratio(rows[1].median, rows[0].median), 5, at_least=True)]
    title = f"{len(entries)} files, {whole:,.0f} MB, from six hosts, TLS"
    return Section("guide", title, rows, targets, {"ours": OURS}, _REMARK)


_REMARK = (
    "The guide that this repository replaces gives a command for each file. Each connection gets "
    "20 MB/s. Sizes are those of a real paper's checkpoints, ten times smaller; two files are in a "
    "tar.gz each, five are in a zip."
)


def _entry(file: File, port: int, name: str, *, packed: bool = False) -> Entry:
    url = servers.address(port, name, tls=True)
    more = (f"pack_{name[0]}", file.name) if packed else ("", "")
    return Entry(file.path.stem, url, file.size, file.md5, *more)


def _pack(lab: Lab, name: str, files: Sequence[File]) -> None:
    path = lab.base / "files" / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive.write, files)
    else:
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            _add(archive.add, files)


def _add(add: Callable[..., object], files: Sequence[File]) -> None:
    for file in files:
        add(file.path, file.name)


def _fetched(clone: Clone) -> Contender:
    def action() -> list[float]:
        return [clone.place.timed(sys.executable, "-m", "scripts.fetch", "complete")]

    return Contender(OURS, action, "md5, before it gets its name", clone.reset, clone.verify)


def _by_hand(scratch: Scratch, entries: Sequence[Entry]) -> Contender:
    """Return the guide's commands: download everything, unpack the archives, check all sums."""
    steps = []
    for url in dict.fromkeys(entry.url for entry in entries):
        steps.append(f"wget -q --ca-certificate={scratch.authority} {url}")
        name = url.rpartition("/")[2]
        steps += [f"tar xzf {name}"] if name.endswith(".tar.gz") else []
        steps += [f"unzip -q {name}"] if name.endswith(".zip") else []
    sums = "".join(f"{entry.md5}  {entry.name}.bin\\n" for entry in entries)
    script = " && ".join([*steps, f"printf '{sums}' | md5sum -c --status"])

    def action() -> list[float]:
        return [scratch.place.timed("sh", "-c", script)]

    return Contender(GUIDE, action, "md5, after the download", scratch.reset)
