"""Measure how DVC grows with the catalogue, and write docs/scale.md: python -m bench.scale.

Catalogues of 25, 250 and 2,500 tiny checkpoints, in several layouts: time and peak memory of
`dvc status`, of `dvc repro` with nothing to do, and of push and pull against a bucket on loopback.
Each command runs once. One that exceeds the limit is stopped, and the page says so.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from bench import machine, paper, peak
from bench.command import FailedError, empty, kill, log
from bench.growth import COMFORT, Measured, Results, comfortable, table
from bench.layouts import LAYOUTS, entries
from tests.world import bucket as gcs
from tests.world import clones

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEMPLATE = Path(__file__).with_name("scale.md")
COMMANDS = {
    "status": ("dvc", "status"),
    "repro": ("dvc", "repro", "--all-pipelines"),
    "push": ("dvc", "push"),
    "pull": ("dvc", "pull"),
}
_SAYS = {"status": "are up to date", "repro": "are up to date", "push": "pushed", "pull": "fetched"}


@dataclass(frozen=True)
class Project:
    """A DVC project on disk and the environment of its commands."""

    root: Path
    env: Mapping[str, str]

    def measure(self, words: Sequence[str], says: str, limit: float) -> Measured:
        """Run a command for at most `limit` seconds; raise FailedError unless it prints `says`."""
        written = self.root.parent / "peak"
        began, used = time.perf_counter(), _processor()
        process = subprocess.Popen(  # noqa: S603 - the words are the benchmark's own
            [sys.executable, "-IS", str(peak.__file__), str(written), *words],
            cwd=self.root,
            env=dict(self.env),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return Measured(limit, limit, None)
        finally:
            kill(process)
        if process.returncode or says not in printed:
            raise FailedError(f"{' '.join(words)}: {printed.strip()[-300:]}")
        took = time.perf_counter() - began
        return Measured(took, _processor() - used, int(written.read_text("ascii")))


def _processor() -> float:
    """Return the processor seconds of all children so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def make(base: Path, layout: str, number: int, bucket: gcs.Bucket) -> Project:
    """Make a project with all files in cache and in place, and the bucket as its remote."""
    root, env = base / "project", clones.isolated(base / "home") | bucket.env
    root.mkdir()
    remote = f"gs://{bucket.name}/{layout.replace(' ', '_')}/{number}"
    for words in (
        ("git", "init", "-q"),
        ("dvc", "init", "-q"),
        ("dvc", "config", "core.check_update", "false"),
        ("dvc", "remote", "add", "-q", "-d", "team", remote),
        ("dvc", "remote", "modify", "team", "endpointurl", bucket.url),
        ("dvc", "remote", "modify", "team", "allow_anonymous_login", "true"),
        ("dvc", "remote", "modify", "team", "verify", "true"),
        ("dvc", "config", "cache.type", "hardlink,symlink,copy"),
    ):
        subprocess.run(words, cwd=root, env=env, check=True)  # noqa: S603
    (root / ".gitignore").write_text("/models\n", encoding="utf-8")
    LAYOUTS[layout](root, entries(number))
    subprocess.run(("dvc", "checkout", "-q"), cwd=root, env=env, check=True)  # noqa: S607
    return Project(root, env)


def run(layout: str, number: int, bucket: gcs.Bucket, results: Results) -> None:
    """Measure all commands on one catalogue."""
    with tempfile.TemporaryDirectory(prefix="scale-", ignore_cleanup_errors=True) as folder:
        project = make(Path(folder), layout, number, bucket)
        for name, words in COMMANDS.items():
            if name == "pull":
                empty(project.root / "models", project.root / ".dvc/cache")
            before = len(bucket.requests)
            cell = Measured(0, 0, None)  # what was not pushed cannot be pulled
            if name != "pull" or results.cells[layout, number, "push"].peak:
                cell = project.measure(words, _SAYS[name], results.limit)
            results.cells[layout, number, name] = cell
            log(f"{layout}, {number:,} entries: {name}: {cell.cell()}")
    asked = [request.url for request in bucket.requests[before:]]
    lists = sum("prefix=" in url for url in asked)
    results.pulls.setdefault(number, (len(asked) - lists - number, lists))


def facts(folder: Path) -> dict[str, str]:
    """Return date, machine and DVC's version; `folder` is where files are written."""
    described = machine.describe(folder)
    keep = ("processor", "memory", "kernel", "file system", "Python")
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": "; ".join(f"{key}: {described[key]}" for key in keep),
        "dvc": machine.package("dvc"),
    }


def measured(results: Results) -> dict[str, str]:
    """Return placeholder -> measured figure."""
    return {
        **results.facts,
        "limit": f"{results.limit:.0f}",
        "comfortable": comfortable(results),
        **{f"table_{name}": table(results, name) for name in COMMANDS},
    }


def render(figures: Mapping[str, str], more: int, lists: int) -> str:
    """Return the page: a function of the template, bench/paper.py and the measurements alone."""
    given = {"comfort": f"{COMFORT:.0f}", **paper.lines(more, lists)}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(given, **figures)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, measure, write; after Ctrl-C no process and no file remains."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[25, 250, 2500], metavar="N")
    parser.add_argument("--limit", type=float, default=300, help="seconds a command may take")
    parser.add_argument("--out", type=Path, default=Path("docs/scale.md"), metavar="FILE")
    given = parser.parse_args(argv)
    results = Results(given.limit, facts(Path(tempfile.gettempdir())))
    try:
        with gcs.Bucket() as bucket:
            for number in given.sizes:
                for layout in LAYOUTS:
                    run(layout, number, bucket, results)
                _write(results, given.out)
    except KeyboardInterrupt:
        log("stopped")
        return 130
    except FailedError as error:
        log(f"error: {error}")
        return 1
    return 0


def _write(results: Results, page: Path) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    more, lists = results.pulls[min(results.pulls)]
    page.write_text(render(measured(results), more, lists), encoding="utf-8")
    log(f"wrote {page}")


if __name__ == "__main__":
    sys.exit(main())
