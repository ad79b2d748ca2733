"""Conditions that download one file: unthrottled, over TLS, slowed, cut."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import floor, rivals, servers
from bench.files import MIB, sha256
from bench.race import Contender, Row, race
from bench.report import Section, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.lab import Lab
    from bench.race import Standing
    from bench.rivals import Scratch
    from bench.servers import Proxy

_RATIOS = {"ours": rivals.OURS, "wget": rivals.WGET}


def size(number: int) -> str:
    """Return a size for a title."""
    return f"{number / MIB / 1024:g} GiB" if number >= 1024 * MIB else f"{number / MIB:g} MiB"


def ratio(one: float | None, other: float | None) -> float | None:
    """Divide, if both were measured."""
    return one / other if one is not None and other else None


def single(lab: Lab) -> Section:
    """Download one large file at full speed, with every tool."""
    standings = _raced(lab, tls=False)
    rows = [*(standing.row() for standing in standings.values()), _floor(standings)]
    medians = {row.name: row.median for row in rows}
    ours, bare = medians[rivals.OURS], medians[rivals.BARE]
    targets = [
        Target("ours / (wget && md5sum)", ratio(ours, medians[rivals.WGET]), 0.75),
        Target("ours / dvc import-url", ratio(ours, medians[rivals.IMPORT]), 0.4),
        Target("ours - md5 alone", ours - bare if ours and bare else None, 1.6, "s"),
    ]
    title = f"{size(lab.large.size)}, unthrottled"
    return Section("single", title, rows, targets, _RATIOS)


def over_tls(lab: Lab) -> Section:
    """Download the same file over TLS; measure the processor, too."""
    standings = _raced(lab, tls=True)
    rows = [*(standing.row() for standing in standings.values()), _floor(standings)]
    busy = [standings[name].busy() for name in (rivals.OURS, rivals.WGET, rivals.CURL)]
    medians = {row.name: row.median for row in rows}
    ours = medians[rivals.OURS]
    targets = [
        Target("ours / (wget && md5sum)", ratio(ours, medians[rivals.WGET]), 0.8),
        Target("ours / (curl && md5sum)", ratio(ours, medians[rivals.CURL]), 0.95),
        Target("processor seconds: ours / curl", ratio(busy[0].median, busy[2].median), 1.25),
    ]
    title = f"{size(lab.large.size)}, unthrottled, over TLS"
    return Section("tls", title, [*rows, *busy], targets, _RATIOS, _TLS)


_TLS = "Client and server share the cores for encryption; the server's seconds are not counted."


def _raced(
    lab: Lab, *, tls: bool, rivals_of: Callable[[Scratch], list[Contender]] = rivals.all_of
) -> dict[str, Standing]:
    file, other = lab.large, lab.small(0)
    url, small = (lab.nginx.url(each.name, tls=tls) for each in (file, other))
    with ExitStack() as stack:
        clone = stack.enter_context(lab.clone([(file, url)], tls=tls))
        twice = replace(rivals.entry(file, url), sha256=sha256(file.path))
        both = stack.enter_context(lab.listed([twice], tls=tls))
        done = stack.enter_context(lab.clone([(other, small)], tls=tls))
        scratch = stack.enter_context(lab.scratch(file, url, tls=tls))
        contenders = [rivals.ours(clone), *rivals_of(scratch), rivals.bare(file)]
        contenders.append(floor.nothing_to_do(done))
        what = f"{rivals.OURS}, with a sha256, too"
        contenders.append(replace(rivals.ours(both), name=what, checked="md5 and sha256, as above"))
        standings = race(contenders, lab.plan.rounds, lab.nginx.processor)
    return {standing.contender.name: standing for standing in standings}


def _floor(standings: dict[str, Standing]) -> Row:
    return floor.row(standings[rivals.CURL], standings[floor.NOTHING])


def throttled_tls(lab: Lab) -> Section:
    """Download one large file over TLS from a server that limits the rate of each connection."""
    return _slowed("throttled_tls", lab, 0, 7.5)


def distant(lab: Lab) -> Section:
    """Do the same with a server that is far away."""
    return _slowed("distant", lab, _FAR, 7)


_FAR = 0.05  # seconds of a round trip


def one_core(lab: Lab) -> Section:
    """Download one large file over TLS with all tools on one core; the server may use every one."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # which the tools inherit
    try:
        standings = _raced(lab, tls=True, rivals_of=lambda s: [rivals.wget(s), rivals.curl(s)])
    finally:
        os.sched_setaffinity(0, cores)
    rows = [standing.row() for standing in standings.values()]
    title = f"{size(lab.large.size)}, unthrottled, over TLS, on one core"
    return Section("one_core", title, rows, (), _RATIOS)


def _slowed(key: str, lab: Lab, delay: float, least: float) -> Section:
    file, rate = lab.large, lab.plan.rate
    with servers.before(lab.nginx.https, lab.base, rate=rate, delay=delay) as proxy:
        url = servers.address(proxy.port, file.name, tls=True)
        with lab.clone([(file, url)], tls=True) as clone, lab.scratch(file, url) as scratch:
            contenders = [rivals.ours(clone), replace(rivals.wget(scratch), rounds=1)]
            ours, wget = race(contenders, lab.plan.rounds)
    alone = replace(wget.row("wget alone", lap=0), checked="nothing")
    rows = [ours.row(), wget.row(), alone]
    gain = ratio(alone.median, rows[0].median)
    targets = [Target("wget alone / ours", gain, least, at_least=True)]
    title = f"{size(file.size)}, {rate / 1e6:g} MB/s per connection, over TLS"
    title += f", {delay * 1000:g} ms away" if delay else ""
    return Section(key, title, rows, targets, _RATIOS)


def throttled(lab: Lab) -> Section:
    """Download one large file from a server that limits the rate of each connection."""
    file, rate = lab.large, lab.plan.rate
    with servers.before(lab.nginx.http, lab.base, rate=rate) as proxy:
        url = servers.address(proxy.port, file.name)
        with lab.clone([(file, url)]) as clone, lab.scratch(file, url) as scratch:
            contenders = [rivals.ours(clone), rivals.wget(scratch), rivals.aria2(scratch)]
            ours, wget, aria2 = race(contenders, lab.plan.rounds)
    alone = replace(wget.row("wget alone", lap=0), checked="nothing")
    rows = [ours.row(), wget.row(), alone, aria2.row()]
    targets = [Target("wget alone / ours", ratio(alone.median, rows[0].median), 7, at_least=True)]
    title = f"{size(file.size)}, {rate / 1e6:g} MB/s per connection"
    remark = (
        "A proxy in front of nginx slows each connection: nginx's own `limit_rate` counts per "
        "request and would favour many small ranges. The other rivals use one connection, like "
        "wget."
    )
    return Section("throttled", title, rows, targets, _RATIOS, remark)


def cut(lab: Lab) -> Section:
    """Download one large file from a server that closes each connection after `cut` bytes."""
    file, limit = lab.large, lab.plan.cut
    with ExitStack() as stack:
        contenders: list[Contender] = []
        for what, bytes_ in (("uncut", 0), (f"cut every {limit / 1e6:g} MB", limit)):
            proxy = stack.enter_context(servers.before(lab.nginx.http, lab.base, cut=bytes_))
            url = servers.address(proxy.port, file.name)
            clone = stack.enter_context(lab.clone([(file, url)]))
            scratch = stack.enter_context(lab.scratch(file, url))
            three = (rivals.ours(clone), rivals.aria2(scratch), _patient(scratch))
            contenders += [_counting(made, f"{made.name}, {what}", proxy) for made in three]
        standings = race(contenders, lab.plan.rounds)
    times = [standing.row(lap=0) for standing in standings]
    shares = [_share(standing, file.size) for standing in standings]
    targets = [
        Target("ours, cut / uncut", ratio(times[3].median, times[0].median), 1.5),
        Target("bytes served / size, the worst run", shares[3].most, 1.02),
    ]
    title = f"{size(file.size)}, cut every {limit / 1e6:g} MB"
    return Section("cut", title, [*times, *shares], targets, {"ours, uncut": times[0].name}, _CUT)


_CUT = (
    "Cut and uncut use the same splice proxy. curl and dvc import-url give up at the first cut. "
    "wget without options waits a second longer after each cut and gives up after twenty."
)


def _patient(scratch: Scratch) -> Contender:
    words = ("-t0", "--waitretry=1")
    name = f"wget {' '.join(words)} && md5sum"
    return replace(rivals.wget(scratch, *words), name=name)


def _counting(made: Contender, name: str, proxy: Proxy) -> Contender:
    """Turn a contender's result into two laps: seconds, and bytes served."""

    def action() -> list[float]:
        before = proxy.wait_idle()
        seconds = sum(made.action())
        return [seconds, float(proxy.wait_idle() - before)]

    return replace(made, name=name, action=action)


def _share(standing: Standing, whole: int) -> Row:
    name = f"{standing.contender.name}: bytes served / size"
    row = standing.row(name, lap=1, unit="")
    return replace(row, values=[value / whole for value in row.values], checked="")
