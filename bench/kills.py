"""The condition that kills a transfer and runs it again."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import rivals, servers
from bench.clone import load
from bench.command import FailedError, Place, kill
from bench.race import Contender, Row, Standing, race
from bench.report import Section, Target
from bench.transfers import size
from scripts.download.partial import blocks
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.clone import Clone
    from bench.lab import Lab
    from bench.rivals import Scratch
    from bench.servers import Proxy

_SHARE = 0.6
_POLL = 0.001  # seconds between two reads of the counter
_REMARK = (
    "Missing is the size less what the file system holds of the file at the kill. The second run "
    "ends with the complete file and a checked md5."
)


def killed(lab: Lab) -> Section:
    """Kill a transfer with SIGKILL, run it again, and count the bytes served then."""
    file = lab.large
    with servers.before(lab.nginx.http, lab.base) as proxy:
        url = servers.address(proxy.port, file.name)
        with lab.clone([(file, url)]) as clone, lab.scratch(file, url) as scratch:
            contenders = [_ours(clone, proxy), _wget(scratch, proxy), _aria2(scratch, proxy)]
            standings = race(contenders, lab.plan.rounds)
    rows = [row for standing in standings for row in _rows(standing)]
    laps = standings[0].laps if not standings[0].failure else []
    worst = max((served - missing for missing, served in laps), default=None)
    connections = load(REPOSITORY / "params.yaml")["network"]["connections"]
    block = len(blocks(file.size)[0]) * connections / 1e6
    what = "second run: served - missing, the worst run; one block a connection"
    targets = [Target(what, worst, block, "MB")]
    title = f"{size(file.size)}, kill -9 at {_SHARE:.0%}, run again"
    return Section("killed", title, rows, targets, {}, _REMARK)


def _rows(standing: Standing) -> list[Row]:
    name = standing.contender.name
    missing = standing.row(f"{name}: missing at the kill", lap=0, unit="MB")
    again = standing.row(f"{name}: served in the second run", lap=1, unit="MB")
    return [replace(missing, checked=""), again]


def _ours(clone: Clone, proxy: Proxy) -> Contender:
    made, entry = rivals.ours(clone), clone.entries[0]
    words = ("dvc", "repro", f"fetch@{entry.name}")

    def action() -> list[float]:
        _stop(clone.place, words, proxy, entry.size)
        missing = entry.size - _held(clone.root / ".dvc/tmp/fetch", "*.part")
        return [missing / 1e6, _again(proxy, lambda: clone.place.run(*words))]

    return replace(made, action=action)


def _wget(scratch: Scratch, proxy: Proxy) -> Contender:
    return _rival("wget -c && md5sum", scratch, proxy, rivals.wget(scratch, "-c"))


def _aria2(scratch: Scratch, proxy: Proxy) -> Contender:
    made = rivals.aria2(scratch, "-c", "--file-allocation=none")  # all blocks would look written
    return _rival("aria2c -c -x8 --checksum", scratch, proxy, made)


def _rival(name: str, scratch: Scratch, proxy: Proxy, made: Contender) -> Contender:
    def action() -> list[float]:
        _stop(scratch.place, made.words, proxy, scratch.file.size)
        missing = scratch.file.size - _held(scratch.folder, scratch.file.name)
        return [missing / 1e6, _again(proxy, made.action)]

    return replace(made, name=name, action=action)


def _stop(place: Place, words: tuple[str, ...], proxy: Proxy, whole: int) -> None:
    """Start a command, and kill its process group once its share is served."""
    before = proxy.wait_idle()
    process = place.start(*words)
    try:
        while process.poll() is None and proxy.served - before < _SHARE * whole:
            time.sleep(_POLL)
        if process.returncode is not None:
            raise FailedError(f"{words[0]} ended before the kill")
    finally:
        kill(process)
    proxy.wait_idle()


def _held(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.glob(pattern))


def _again(proxy: Proxy, run: Callable[[], object]) -> float:
    """Run, and return the MB that were served."""
    before = proxy.wait_idle()
    run()
    return (proxy.wait_idle() - before) / 1e6
