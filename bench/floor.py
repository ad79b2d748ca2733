"""What nobody can be faster than here, and what our own command spends its processor time on."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.command import FailedError
from bench.race import Contender, Row, race
from bench.report import Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.clone import Clone
    from bench.command import Place
    from bench.lab import Lab
    from bench.race import Standing

_FLOOR = "floor: all cores busy with {} and its server{}"
NOTHING = "dvc repro, nothing to do"
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_SHARE = re.compile(r"^ +([0-9.]+)%  +(\S+)", re.MULTILINE)
_WHAT = {  # the name of a file begins with this
    "libcrypto": "md5 and decryption (libcrypto)",
    "[kernel": "the kernel: sockets, page cache, files",
    "libpython": "Python, its start included",
    "python": "Python, its start included",
}
_OTHER = "everything else"


def nothing_to_do(clone: Clone) -> Contender:
    """Return DVC itself, which starts, finds its stage done, and ends; fetch it first."""
    words = ("dvc", "repro", f"fetch@{clone.entries[0].name}")
    clone.place.run(*words)
    return Contender(NOTHING, lambda: [clone.place.timed(*words)], "")


def row(rival: Standing, idle: Standing | None = None) -> Row:
    """Return the least seconds of each round: the processor seconds that a lean tool needs.

    It is the work of the rival, which writes the file, reads it again and hashes it, and of the
    server, spread over all cores without a gap; then the time of `idle`, where DVC is started.
    """
    waits = [sum(run) for run in idle.laps] if idle else [0.0] * len(rival.laps)
    work = zip(rival.processor, rival.served, waits, strict=False)
    values = [(used + served) / _CORES + wait for used, served, wait in work]
    name = _FLOOR.format(rival.contender.name, f", then {NOTHING}" if idle else "")
    return Row(name, "", values, rival.failure or (idle.failure if idle else None))


def profile(lab: Lab) -> Section:
    """Sample where `scripts.fetch` spends its processor time, over TLS."""
    rows: list[Row] = []
    for title, files in (("one file", [lab.large]), ("several files", lab.batch())):
        served = [(file, lab.nginx.url(file.name, tls=True)) for file in files]
        with lab.clone(served, tls=True) as clone:
            rows += _sampled(title, clone)
    return Section("profile", "where the processor time goes, over TLS", rows, remark=_REMARK)


_REMARK = (
    "`perf record` samples `python -m scripts.fetch` 499 times a second of processor time; each "
    "share is shown in seconds of all its processor time."
)


def _sampled(title: str, clone: Clone) -> list[Row]:
    shares: list[dict[str, float]] = []
    names = [entry.name for entry in clone.entries]

    def action() -> list[float]:
        shares.append(_shares(clone.place, names))
        return []

    absent = None if shutil.which("perf") else "perf"
    made = Contender(title, action, "", clone.reset, clone.verify, absent)
    (standing,) = race([made], 1)
    whole = replace(standing.row(f"{title}: processor seconds"), values=standing.processor)
    if standing.failure:
        return [replace(whole, values=[])]
    parts = shares[0]
    (used,) = standing.processor
    return [whole, *(Row(f"{title}: {what}", "", [used * parts[what]]) for what in parts)]


def _shares(place: Place, names: Sequence[str]) -> dict[str, float]:
    """Return what the processor did -> its share, the largest first."""
    data = place.folder / ".perf"
    record = ("perf", "record", "-q", "-F", "499", "-o", str(data))
    place.run(*record, "python", "-m", "scripts.fetch", *names)
    printed = place.run("perf", "report", "-i", str(data), "--sort", "dso", "--stdio")
    data.unlink()
    found: dict[str, float] = {}
    for share, file in _SHARE.findall(printed):
        what = next((text for name, text in _WHAT.items() if file.startswith(name)), _OTHER)
        found[what] = found.get(what, 0) + float(share) / 100
    if not found:
        raise FailedError("perf has no samples")
    return dict(sorted(found.items(), key=lambda item: -item[1]))
