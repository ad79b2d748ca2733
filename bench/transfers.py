"""Conditions that download one file: unthrottled, over TLS, slowed, cut."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import rivals, servers
from bench.files import MIB
from bench.race import Contender, Row, race
from bench.report import Section, Target

if TYPE_CHECKING:
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
    rows = [standing.row() for standing in _raced(lab, tls=False)]
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
    standings = {standing.contender.name: standing for standing in _raced(lab, tls=True)}
    rows = [standing.row() for standing in standings.values()]
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


def _raced(lab: Lab, *, tls: bool) -> list[Standing]:
    file = lab.large
    url = lab.nginx.url(file.name, tls=tls)
    with lab.clone([(file, url)], tls=tls) as clone, lab.scratch(file, url, tls=tls) as scratch:
        contenders = [rivals.ours(clone), *rivals.all_of(scratch), rivals.bare(file)]
        return race(contenders, lab.plan.rounds)


def throttled_tls(lab: Lab) -> Section:
    """Download one large file over TLS from a server that limits the rate of each connection."""
    file, rate = lab.large, lab.plan.rate
    with servers.before(lab.nginx.https, lab.base, rate=rate) as proxy:
        url = servers.address(proxy.port, file.name, tls=True)
        with lab.clone([(file, url)], tls=True) as clone, lab.scratch(file, url) as scratch:
            contenders = [rivals.ours(clone), replace(rivals.wget(scratch), rounds=1)]
            ours, wget = race(contenders, lab.plan.rounds)
    alone = replace(wget.row("wget alone", lap=0), checked="nothing")
    rows = [ours.row(), wget.row(), alone]
    targets = [Target("wget alone / ours", ratio(alone.median, rows[0].median), 7.5, at_least=True)]
    title = f"{size(file.size)}, {rate / 1e6:g} MB/s per connection, over TLS"
    return Section("throttled_tls", title, rows, targets, _RATIOS)


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
