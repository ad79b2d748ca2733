"""Run all conditions, or the named ones, and write the results: python -m bench."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from bench import (
    footprint,
    guide,
    idle,
    kills,
    lab,
    machine,
    profile,
    report,
    transfers,
    trees,
    upstream,
)
from bench.command import FailedError, log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.lab import Lab, Plan
    from bench.report import Report, Section

NOTES = Path(__file__).with_name("notes.md")
CONDITIONS: dict[str, Callable[[Lab], Section]] = {
    "single": transfers.single,
    "batch": trees.batch,
    "throttled": transfers.throttled,
    "cut": transfers.cut,
    "killed": kills.killed,
    "adopt": trees.adopt,
    "idle": idle.idle,
    "upstream": upstream.upstream,
    "memory": footprint.memory,
    "disk": footprint.disk,
    "tls": transfers.over_tls,
    "throttled_tls": transfers.throttled_tls,
    "distant": transfers.distant,
    "one_core": transfers.one_core,
    "batch_tls": trees.batch_tls,
    "guide": guide.guide,
    "profile": profile.profile,
}


def measure(plan: Plan, names: Sequence[str], *, reduced: bool) -> Report:
    """Measure the named conditions and return a report."""
    with lab.opened(plan) as opened:
        facts = machine.describe(opened.base)
        sections = [_condition(opened, name) for name in names]
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    return report.Report(date, facts, sections, plan.rounds, reduced)


def _condition(opened: Lab, name: str) -> Section:
    log(f"{name}:")
    began = time.monotonic()
    try:
        return CONDITIONS[name](opened)
    except FailedError as error:
        return report.Section(name, name, remark=f"Not measured: {error}.")
    finally:
        log(f"{name}: {time.monotonic() - began:.0f} s")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--only", nargs="+", metavar="CONDITION", choices=CONDITIONS, default=())
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds (5; quick: 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help=_OUT)
    return parser.parse_args(argv)


_OUT = "where performance.md and .json go (docs; with --quick or --only: stdout, no JSON)"


def _terminated(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, measure, write; after Ctrl-C or SIGTERM no server and no file remains."""
    given = _arguments(argv)
    for number in (signal.SIGINT, signal.SIGTERM):  # background jobs of a shell ignore SIGINT
        signal.signal(number, _terminated)
    plan = lab.QUICK if given.quick else lab.Plan()
    plan = replace(plan, rounds=max(1, given.repeat or plan.rounds))
    partly = given.quick or bool(given.only)
    try:
        made = measure(plan, given.only or list(CONDITIONS), reduced=given.quick)
    except KeyboardInterrupt:
        log("stopped; nothing was written")
        return 130
    except FailedError as error:
        log(f"error: {error}")
        return 1
    _write(made, given.out or (None if partly else Path("docs")))
    return 0


def _write(made: Report, folder: Path | None) -> None:
    text = report.markdown(made, report.read_notes(NOTES))
    if folder is None:
        sys.stdout.write(text)
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "performance.md").write_text(text, encoding="utf-8")
    (folder / "performance.json").write_text(report.as_json(made), encoding="utf-8")
    log(f"wrote {folder}/performance.md and {folder}/performance.json")


if __name__ == "__main__":
    sys.exit(main())
