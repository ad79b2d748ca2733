"""Kill, double and starve real commands at random moments, and count what survives: make torture.

The moments are drawn from a seed, which is printed; the same seed draws the same ones. After each,
every file under models/ and every object of the cache must be right to the byte and dvc.lock must
be what it was; the next run must complete, and little may have been served twice.

A change of the catalogue that gets SIGTERM, SIGHUP or SIGKILL must leave all of it or nothing, at
the latest after the next command, which says so. A publisher that drips must be given up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.world import Fault, World, clones, disks
from tests.world.checkpoints import files, published
from tests.world.clones import TestClone
from tests.world.wire import TICKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCALE = 100
RATE = 6_000_000  # bytes a second and connection: slow enough to be hit half-way
PATIENCE = 120  # seconds; a command that takes longer hangs
LIMIT = 1.1  # bytes served for each byte of content, over a long run
LONG = 50  # completed commands: then what the stops cost has become small
# What one stop may cost beside that: of ten connections a cell of the journal, and a slice that
# the server counts as it hands it to the socket. Small files have little content to set it against.
STOP = 10 * ((1 << 18) + RATE // TICKS)
OURS: Sequence[tuple[str, ...]] = (
    ("fetch", "sam_vit_l"),
    ("fetch", "sam_hq_vit_h"),
    ("fetch", "pips_plus_plus"),
    ("fetch", "raft"),
    ("fetch", "minimal"),
    ("fetch", "sam_vit_l", "sam_vit_b", "pips", "tapnet_checkpoint"),
)
COMMANDS = (*OURS, ("repro", "sam_hq_vit_h"), ("repro", "sam_vit_l"))
NEW, NEW_PATH = "https://weights.example/New.pth", "models/new_ckpts/deep/New.pth"
BYTES = bytes(range(256)) * 4_000  # of a new file
LISTED = [f"https://weights.example/{number}.pth" for number in range(6)]
CHANGES = (
    ("import_url", NEW, NEW_PATH),
    ("import_url", "--from", "../list"),
    ("remove", "raft"),
    ("repin", "sam_vit_b", "--from", "../new", "--accept"),
)
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
DRIPPING = ("sam_vit_l", "raft", "sam_hq_vit_h")
DISK = 96 << 20  # bytes of the file system on which disks fill up


@dataclass
class Torture:
    """Runs commands in copies of one clone, and counts."""

    template: TestClone
    world: World
    random: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    said: str = ""  # the end of what the last command printed
    # Of each change: seconds that it takes, and the clone after it.
    whole: dict[tuple[str, ...], tuple[float, dict[str, bytes]]] = field(default_factory=dict)

    def change(self) -> None:
        """Stop one change of the catalogue at a random moment; see what the next command leaves."""
        words, number = self.random.choice(CHANGES), SIGNALS[self.counts["changes"] % len(SIGNALS)]
        took, after = self._whole(words)
        with self._catalogued() as clone:
            before = _state(clone)
            process = self._start(clone, words)
            if not self._ends_within(process, self.random.uniform(0.1, 1.1) * took):
                # A terminal or `timeout` reaches the group; SIGKILL must not leave a child either.
                os.killpg(process.pid, number)
                self._expect(self._ends_within(process, PATIENCE), f"{words} survives {number}")
            self.counts["changes"] += 1
            half = (clone.root / ".dvc/tmp/change.json").exists()
            self._expect(number == signal.SIGKILL or not half, f"{words}: {number} leaves half")
            healed = clone.run(sys.executable, "-m", "scripts.seal")
            self._expect(healed.returncode == 0, f"{words}, {number}: {healed.stderr}")
            said = "undone" in healed.stderr or "complete" in healed.stderr
            self._expect(said == half, f"{words}, {number}: {healed.stderr!r}, journal: {half}")
            found = _state(clone)
            wrong = min((_differing(found, goal) for goal in (before, after)), key=len)
            self._expect(not wrong, f"{words}, {number}: half a change: {wrong}")
            self.counts["changes undone" if found == before else "changes made"] += 1

    def drip(self) -> None:
        """Let every publisher send a byte a second: the command gives up, and keeps nothing."""
        words = ("fetch", self.random.choice(DRIPPING))
        with self._fresh() as clone:
            params = clone.root / "params.yaml"
            text = re.sub(r"window: \d+", "window: 2", params.read_text())
            text = re.sub(r"least_rate: \d+", "least_rate: 100000", text)
            params.write_text(re.sub(r"retries: \d+", "retries: 1", text))
            self.world.fault("*", Fault.slow(1))
            process = self._start(clone, words)
            if self._ends_within(process, PATIENCE):
                self._expect(process.returncode == 1, f"{words} under drips: {process.returncode}")
            else:
                self._expect(False, f"{words} waits for drips")  # noqa: FBT003 - a fault
                _kill(process)
            self.counts["drips"] += 1
            self._check(clone, words)

    def _whole(self, words: tuple[str, ...]) -> tuple[float, dict[str, bytes]]:
        """Return how long a change takes that nobody stops, and what it leaves."""
        if words not in self.whole:
            with self._catalogued() as clone:
                began = time.monotonic()
                process = self._start(clone, words)
                self._expect(self._ends_within(process, PATIENCE), f"{words} hangs")
                self._expect(process.returncode == 0, f"{words}: {process.returncode}")
                self.whole[words] = time.monotonic() - began, _state(clone)
        return self.whole[words]

    @contextmanager
    def _catalogued(self) -> Iterator[TestClone]:
        """Yield a clone with some files in place, and one of them spoilt; publishers are quick."""
        with self._fresh() as clone:
            self.world.clear()
            self.world.publish(NEW, BYTES)
            clone.root.with_name("new").write_bytes(BYTES[::-1])
            for number, url in enumerate(LISTED):
                self.world.publish(url, BYTES + bytes([number]))
            rows = [f"{url},models/listed/f{url[-5:]}" for url in LISTED]
            clone.root.with_name("list").write_text("\n".join(["url,path", *rows]))
            clones.stock(clone.root, SCALE)
            clone.run(sys.executable, "-m", "scripts.fetch", "raft", "sam_vit_b", check=True)
            spoilt = clone.root / "models/raft_ckpts/raft-small.pth"
            spoilt.unlink()
            spoilt.write_bytes(b"mine")
            yield clone

    def kill(self) -> None:
        """Kill one command at random moments until it completes before it is hit."""
        words = self.random.choice(COMMANDS)
        with self._fresh() as clone:
            process = self._start(clone, words)
            stops = 0
            # Later each time: a machine on which Python starts in two seconds ends, too.
            while not self._ends_within(process, self.random.uniform(0.2, 2.0) * (1 + stops / 4)):
                _kill(process)
                stops += 1
                self.counts["kills"] += 1
                if words[0] == "repro":
                    self._mend_lock(clone)
                self._check(clone, words)
                process = self._start(clone, words)
            self._completed(clone, words, process.returncode, stops)

    def _mend_lock(self, clone: TestClone) -> None:
        """Mend as a user would what DVC writes in place, so that a kill may halve it.

        dvc.lock comes back from git; the list of DVC's own readers and writers goes.
        """
        with suppress(FileNotFoundError):
            busy = clone.root / ".dvc/tmp/rwlock"
            try:
                json.loads(busy.read_bytes())
            except ValueError:
                self.counts[".dvc/tmp/rwlock half written by DVC, removed"] += 1
                busy.unlink()
        if clone.read("dvc.lock") != self.template.read("dvc.lock"):
            self.counts["dvc.lock half written by DVC, put back by git"] += 1
            clone.run("git", "checkout", "-q", "dvc.lock", check=True)

    def double(self) -> None:
        """Start the same command twice, a random moment apart."""
        words = self.random.choice(OURS)  # DVC turns a second `dvc repro` away by itself
        with self._fresh() as clone:
            first = self._start(clone, words)
            time.sleep(self.random.uniform(0, 0.8))
            second = self._start(clone, words)
            for process in (first, second):
                self._expect(self._ends_within(process, PATIENCE), f"{words} hangs beside its twin")
                self._expect(
                    process.returncode == 0, f"{words} beside its twin: {process.returncode}"
                )
            self.counts["doubles"] += 1
            self._completed(clone, words, second.returncode, 0)

    def starve(self) -> None:
        """Fill the disk when a random share of the bytes has come; then make room again."""
        words = self.random.choice(COMMANDS)
        with self._disk() as disk, self._fresh(disk) as clone:
            share = self.random.random() * sum(map(len, self._asked(clone, words)))
            process = self._start(clone, words)
            while self.world.served("*") < share and process.poll() is None:
                time.sleep(0.005)
            disks.fill(disk / "somebody's")
            self._expect(self._ends_within(process, PATIENCE), f"{words} hangs on a full disk")
            self.counts["full disks"] += process.returncode != 0  # else it had come by then
            self._check(clone, words)
            (disk / "somebody's").unlink()
            process = self._start(clone, words)
            self._expect(self._ends_within(process, PATIENCE), f"{words} hangs after a full disk")
            self._completed(clone, words, process.returncode, 1)

    def _completed(self, clone: TestClone, words: tuple[str, ...], code: int, stops: int) -> None:
        self._expect(code == 0, f"{words}: the last run ended with {code}: {self.said}")
        self._check(clone, words)
        process = self._start(clone, words)
        self._expect(self._ends_within(process, PATIENCE), f"{words} hangs when all is there")
        self._expect(process.returncode == 0, f"{words}: not complete after all")
        content, served = sum(map(len, self._asked(clone, words))), self.world.served("*")
        self.counts["completed"] += 1
        self.counts["bytes of content"] += content
        self.counts["bytes served"] += served
        within = served <= LIMIT * content + stops * STOP
        self._expect(within, f"{words}: {served:,} bytes served of {content:,}, {stops} stops")

    def _asked(self, clone: TestClone, words: tuple[str, ...]) -> list[bytes]:
        """Return the bodies that the command had to ask for: what its hosts have."""
        names = {name for name in words[1:] if name != "minimal"}
        if "minimal" in words:
            names |= {"sam_hq_vit_h", "cotracker_stride_4_wind_8"}
        sources = {name: clone.read(f"sources/{name}.dvc").decode() for name in names}
        bodies = published(SCALE).items()
        return [data for url, data in bodies if any(url in text for text in sources.values())]

    def _check(self, clone: TestClone, words: tuple[str, ...]) -> None:
        """Every byte that has a name is the right one, and the pins are untouched."""
        for path, data in clone.tree().items():
            self._expect(data == files(SCALE).get(path), f"{words}: wrong bytes in {path}")
        for md5, data in clone.objects().items():
            found = hashlib.md5(data, usedforsecurity=False).hexdigest()
            self._expect(found == md5, f"{words}: wrong bytes in the cache as {md5}")
        same = clone.read("dvc.lock") == self.template.read("dvc.lock")
        self._expect(same, f"{words}: dvc.lock has changed")

    @contextmanager
    def _disk(self) -> Iterator[Path]:
        with (
            tempfile.TemporaryDirectory(prefix="torture-") as folder,
            disks.small(Path(folder), DISK) as disk,
        ):
            yield disk

    @contextmanager
    def _fresh(self, above: Path | None = None) -> Iterator[TestClone]:
        self.world.clear()
        self.world.fault("*", Fault.slow(RATE))
        with tempfile.TemporaryDirectory(prefix="torture-", dir=above) as folder:
            root = Path(folder, "clone")
            shutil.copytree(self.template.root, root, symlinks=True)
            yield TestClone(root, self.template.env)

    def _start(self, clone: TestClone, words: tuple[str, ...]) -> subprocess.Popen[str]:
        command, *names = words
        ours = [sys.executable, "-m", f"scripts.{command}", *names]
        dvc = [sys.executable, "-m", "dvc", "repro", *(f"fetch@{name}" for name in names)]
        return subprocess.Popen(  # noqa: S603 - the words are the ones above
            dvc if command == "repro" else ours,
            cwd=clone.root, env=dict(clone.env), text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def _ends_within(self, process: subprocess.Popen[str], seconds: float) -> bool:
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        self._expect("Traceback" not in printed, f"{process.args!r}: {printed}")
        self.said = printed[-500:]
        return True

    def _expect(self, holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
        if not holds:
            self.faults.append(what)
            print(f"!! {what}", file=sys.stderr, flush=True)  # noqa: T201


def _state(clone: TestClone) -> dict[str, bytes]:
    """Return catalogue, models/ with its folders, and quarantine/ without its times."""
    names = clone.run("git", "ls-files", "-co", "--exclude-standard", check=True).stdout.split()
    found = {name: clone.read(name) for name in names if (clone.root / name).exists()}
    aside = (path for path in (clone.root / "quarantine").rglob("*") if path.is_file())
    found |= {path.name: path.read_bytes() for path in aside}
    folders = (path for path in (clone.root / "models").rglob("*") if path.is_dir())
    return found | clone.tree() | {f"{path.relative_to(clone.root)}/": b"" for path in folders}


def _differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]


def _kill(process: subprocess.Popen[str]) -> None:
    """End a command and all that it started, and reap it: DVC's locks name living processes."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def run(torture: Torture, kills: int, doubles: int, disks: int, *more: int) -> bool:
    """Torment until the counts are reached, print them, and tell whether nothing was wrong.

    The ratio of bytes counts in a long run alone: in a short one it is what a few stops cost, for
    which each command has its own allowance (STOP). `more` are the changes and the drips.
    """
    changes, drips = more or (0, 0)
    while torture.counts["kills"] < kills:
        torture.kill()
    for _ in range(doubles):
        torture.double()
    while torture.counts["full disks"] < disks:
        torture.starve()
    while torture.counts["changes"] < changes:
        torture.change()
    while torture.counts["drips"] < drips:
        torture.drip()
    served, content = torture.counts["bytes served"], torture.counts["bytes of content"]
    ratio = served / max(content, 1)
    for name, count in torture.counts.items():
        print(f"{count:>15,}  {name}")  # noqa: T201
    print(f"{ratio:>15.3f}  bytes served for each byte of content (at most {LIMIT})")  # noqa: T201
    print(f"{len(torture.faults):>15,}  faults")  # noqa: T201
    return not torture.faults and (torture.counts["completed"] < LONG or ratio <= LIMIT)


@contextmanager
def chamber(seed: int) -> Iterator[Torture]:
    """Make the template and start the publishers."""
    with tempfile.TemporaryDirectory(prefix="torture-") as folder, World(scale=SCALE) as world:
        root = clones.template(Path(folder), SCALE)
        env = clones.isolated(Path(folder, "home")) | world.env
        yield Torture(TestClone(root, env), world, random.Random(seed))  # noqa: S311 - no secret


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the counts and torment; return 1 if anything was lost, wrong or served too often."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=200, help="SIGKILLs; 200 if not told")
    parser.add_argument("--doubles", type=int, help="a quarter of the kills if not told")
    parser.add_argument(
        "--disks", type=int, help="full disks, which need the right to mount; a tenth of the kills"
    )
    parser.add_argument("--changes", type=int, help="stopped changes; as many as kills")
    parser.add_argument("--drips", type=int, help="drips, of some seconds; a tenth of the kills")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    told = parser.parse_args(argv)
    doubles = told.kills // 4 if told.doubles is None else told.doubles
    disks = told.kills // 10 if told.disks is None else told.disks
    changes = told.kills if told.changes is None else told.changes
    drips = told.kills // 10 if told.drips is None else told.drips
    print(f"seed {told.seed}", flush=True)  # noqa: T201
    with chamber(told.seed) as torture:
        whole = run(torture, told.kills, doubles, disks, changes, drips)
        return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
