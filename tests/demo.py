"""The whole workflow on this machine, without the internet: make demo.

Publishers on loopback serve synthetic checkpoints, a hundred times smaller, under the real URLs. A
clone with the tests' own catalogue is pinned to them, and then the real commands run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.world import World, clones
from tests.world.checkpoints import files

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALE = 100
CLEAN = "Data and pipelines are up to date."
FLIPPED = "models/sam_mobile_ckpts/sam_mobile_vit_t.pth"
STRAY = "models/pips_ckpts/reference_model/model-000300000.pth"


@dataclass
class Demo:
    """Runs commands, shows them with their output, and collects faults."""

    env: Mapping[str, str]
    steps: int = 0
    faults: list[str] = field(default_factory=list)

    def run(self, root: Path, command: str, *shows: str, fails: bool = False) -> None:
        """Run a command; its output must contain every text, and its exit code match `fails`."""
        _write(f"\n{root.name} $ {command}\n")
        printed = ""
        with subprocess.Popen(  # noqa: S602 - shown as a user would type it
            command, cwd=root, env=dict(self.env), text=True, shell=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            for line in process.stdout or ():
                _write(line)
                printed += line
        code = process.returncode
        self.expect(f"{command}: exit code {code}", holds=(code != 0) == fails)
        for text in shows:
            self.expect(f"{command}: should show {text!r}", holds=text in printed)

    def expect(self, what: str, *, holds: bool) -> None:
        """Count a step, and record a fault unless it holds."""
        self.steps += 1
        if not holds:
            self.faults.append(what)
            _write(f"!! {what}\n")


def show(base: Path, world: World, scale: int) -> Demo:
    """Run the workflow in clones below `base` and return its record."""
    env = clones.isolated(base / "home") | world.env
    demo = Demo(env)
    first, second = base / "clone", base / "colleague"
    clones.copy(first)
    clones.pin(first, scale)
    clones.commit(first, env)
    _fetch(demo, first, world, len(files(scale)))
    demo.run(base, f"git clone -q {first.name} {second.name}")
    demo.run(second, "dvc pull", f"{len(files(scale))} files fetched")
    demo.run(second, "dvc status", CLEAN)
    _drift(demo, second)
    demo.expect(f"requests to unknown hosts: {world.refused}", holds=not world.refused)
    return demo


def _fetch(demo: Demo, root: Path, world: World, count: int) -> None:
    minimal = "models/samhq_ckpts/sam_hq_vit_h.pth  downloaded from"
    demo.run(root, "python -m scripts.fetch minimal", minimal)
    hosts = {request.host for request in world.requests} & {"www.dropbox.com", "github.com"}
    demo.expect(f"requests for the minimal variant to {hosts}", holds=not hosts)
    demo.run(root, "dvc status fetch_minimal", CLEAN)
    demo.run(root, "python -m scripts.fetch complete", f"{count} files, ")
    demo.run(root, "dvc repro models.dvc", CLEAN)
    demo.run(root, "test -z \"$(git status --porcelain)\" && echo 'git is clean'", "git is clean")
    demo.run(root, "dvc push", f"{count} files pushed")


def _drift(demo: Demo, root: Path) -> None:
    _flip(root / FLIPPED)
    demo.run(root, f"touch {STRAY}   # and one byte of {FLIPPED} is flipped")
    demo.run(root, "dvc status", f"modified:           {FLIPPED}", "modified:           models\n")
    demo.run(root, "dvc checkout --force", FLIPPED)
    demo.run(root, "dvc repro models.dvc", f"stray    {STRAY}", fails=True)
    demo.run(root, f"rm {STRAY}")
    demo.run(root, "dvc status", CLEAN)


def _flip(path: Path) -> None:
    # A tool that rewrites a file puts a new file in the place of the link to the cache.
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> int:
    """Run the workflow; return 0 only if every step succeeded."""
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="demo-") as folder,
        World(scale=SCALE) as world,
    ):
        demo = show(Path(folder), world, SCALE)
        served = world.served("*")
    took = time.monotonic() - started
    _write(
        f"\n{demo.steps} checks, {len(demo.faults)} failed; {served:,} bytes served, {took:.0f} s\n"
    )
    for fault in demo.faults:
        _write(f"failed: {fault}\n")
    return 1 if demo.faults else 0


if __name__ == "__main__":
    sys.exit(main())
