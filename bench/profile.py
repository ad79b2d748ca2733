"""Where the processor time of our own command goes, and that of a lean rival."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import rivals
from bench.command import FailedError
from bench.machine import CORES
from bench.race import Contender, Row, nothing, race
from bench.report import Section

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.clone import Clone
    from bench.command import Place
    from bench.lab import Lab
    from bench.race import Standing

_SHARE = re.compile(r"^ +([0-9.]+)%  +(\S+)", re.MULTILINE)
_WHAT = {  # the name of a file begins with this
    "libcrypto": "md5 and decryption",
    "md5sum": "md5 and decryption",
    "[kernel": "the kernel: sockets, page cache, files",
    "libpython": "Python, its start included",
    "python": "Python, its start included",
}
_OTHER = "everything else"


def profile(lab: Lab) -> Section:
    """Sample where `scripts.fetch` and `curl && md5sum` spend their processor time, over TLS."""
    file, batch = lab.large, lab.batch()
    url = lab.nginx.url(file.name, tls=True)
    several = [(each, lab.nginx.url(each.name, tls=True)) for each in batch]
    with ExitStack() as stack:
        one = stack.enter_context(lab.clone([(file, url)], tls=True))
        done = stack.enter_context(lab.clone([(batch[0], several[0][1])], tls=True))
        more = stack.enter_context(lab.clone(several, tls=True))
        scratch = stack.enter_context(lab.scratch(file, url, tls=True))
        done.place.run("sh", "-c", _fetch(done))
        rival = rivals.curl(scratch)
        both = f"{shlex.join(rival.words)} && md5sum -c md5sums"
        sampled = [
            _Sampled("one file", one.place, _fetch(one), one.reset, one.verify),
            _Sampled(rivals.CURL, scratch.place, both, scratch.reset, scratch.verify),
            _Sampled("several files", more.place, _fetch(more), more.reset, more.verify),
            _Sampled("a file in place", done.place, _fetch(done)),
        ]
        made = [each.contender() for each in sampled]
        standings = race(made, lab.plan.rounds, lab.nginx.processor)
    rows = [row for pair in zip(sampled, standings, strict=True) for row in _parts(*pair)]
    return Section("profile", "where the processor time goes, over TLS", rows, remark=_REMARK)


_REMARK = (
    "`perf record` samples the processor 499 times a second of its time; each share is shown in "
    "seconds. All but `curl && md5sum` is `python -m scripts.fetch`, without DVC. Perf's own start "
    "and end are among the processor seconds. Idle is what is left of all cores' time; while "
    "Python starts, one core has nothing to do."
)


def _fetch(clone: Clone) -> str:
    names = [entry.name for entry in clone.entries]
    return shlex.join([sys.executable, "-m", "scripts.fetch", *names])


@dataclass
class _Sampled:
    """A command whose processor time is sampled, and its shares of each round."""

    title: str
    place: Place
    words: str
    reset: Callable[[], None] = nothing
    verify: Callable[[], None] = nothing
    shares: list[dict[str, float]] = field(default_factory=list)

    def contender(self) -> Contender:
        """Return what samples the command."""
        absent = None if shutil.which("perf") else "perf"
        return Contender(self.title, self._record, "", self.reset, self._report, absent)

    def _record(self) -> list[float]:
        timed = f"TIMEFORMAT=%R; time {{ {self.words}; }}"  # perf itself ends a second later
        perf = ("perf", "record", "-q", "-F", "499", "-o", ".perf")
        return [float(self.place.run(*perf, "bash", "-c", timed).split()[-1])]

    def _report(self) -> None:
        printed = self.place.run("perf", "report", "-i", ".perf", "--sort", "dso", "--stdio")
        (self.place.folder / ".perf").unlink()
        self.shares.append(_shares(printed))
        self.verify()


def _shares(printed: str) -> dict[str, float]:
    """Return what the processor did -> its share, of a report by perf."""
    found = dict.fromkeys([*_WHAT.values(), _OTHER], 0.0)
    for share, file in _SHARE.findall(printed):
        what = next((text for name, text in _WHAT.items() if file.startswith(name)), _OTHER)
        found[what] += float(share) / 100
    if not any(found.values()):
        raise FailedError("perf has no samples")
    return found


def _parts(sampled: _Sampled, standing: Standing) -> list[Row]:
    """Return the rows of one command: its time, and what the cores did meanwhile."""
    seconds = [sum(laps) for laps in standing.laps]
    used = list(zip(seconds, standing.processor, standing.served, strict=True))
    values = {
        "seconds": seconds,
        "processor seconds": standing.processor,
        "those of its server": standing.served,
        "idle, of all cores": [max(CORES * wall - own - served, 0) for wall, own, served in used],
    }
    for what in dict.fromkeys([*_WHAT.values(), _OTHER]):
        shares = zip(standing.processor, sampled.shares, strict=True)
        values[what] = [own * share[what] for own, share in shares]
    name = sampled.title
    return [Row(f"{name}: {what}", "", each, standing.failure) for what, each in values.items()]
