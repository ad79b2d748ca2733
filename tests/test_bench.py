"""The benchmark: how it reports figures, how it counts, and tiny real runs."""

from __future__ import annotations

import json
import shutil
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench import __main__ as main
from bench import footprint, lab, race, report, servers
from bench.command import FailedError
from bench.files import MIB
from bench.race import Contender, Row
from bench.report import Report, Section, Target
from bench.rivals import OURS, WGET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TINY = replace(lab.QUICK, large=2 * MIB)
ROWS = [Row("ours", "md5", [2.0, 3.0, 10.0]), Row("wget", "md5", [6.0]), Row("aria2", "", [], "x")]
SECTION = Section(
    "single",
    "1 GiB",
    ROWS,
    [Target("ours / wget", 0.5, 0.8), Target("wget / ours", 2.0, 7, at_least=True)],
    {"ours": "ours"},
)
REPORT = Report("2026-01-02", {"cores": "2"}, [SECTION], 3)

needs_nginx = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")


def test_a_row_shows_median_minimum_and_ratio() -> None:
    """An outlier of 10 s moves neither; a row with fewer rounds says so."""
    text = report.markdown(REPORT, {})

    assert "| ours | 3.000 s | 2.000 s | 1.00 | md5 |" in text
    assert "| wget (1 round) | 6.000 s | 6.000 s | 2.00 | md5 |" in text


def test_a_failed_contender_has_a_row_without_figures() -> None:
    """A tool that is not installed, or fails, keeps its row with the reason."""
    assert "| aria2 | x |  |  |  |" in report.markdown(REPORT, {})


def test_a_met_target_is_reported_as_met() -> None:
    """A value equal to the limit meets it."""
    assert "| ours / wget | at most 0.800 | 0.500 | yes |" in report.markdown(REPORT, {})
    assert Target("", 1.6, 1.6).met


def test_a_missed_target_is_reported_with_the_difference() -> None:
    """It is in its table and in the summary."""
    text = report.markdown(REPORT, {})

    assert "| wget / ours | at least 7.000 | 2.000 | **no**, by 5.000 |" in text
    assert "1 of 2 targets are met. Missed: 1 GiB." in text


def test_a_target_without_a_number_is_neither_met_nor_missed() -> None:
    """A rival that is not installed must not make a target look met."""
    target = Target("ours / pooch", None, 0.5, "s")

    assert target.met is None
    assert target.cells() == ["ours / pooch", "at most 0.500 s", "not measured", "not measured"]


def test_a_note_follows_its_table_in_every_report(tmp_path: Path) -> None:
    """notes.md explains missed targets, with a heading for each condition."""
    notes = tmp_path / "notes.md"
    notes.write_text("Not shown.\n\n## single\nWhy it is missed.\n\n## other\nNo.\n", "utf-8")

    text = report.markdown(REPORT, report.read_notes(notes))

    assert text.endswith("by 5.000 |\n\nWhy it is missed.\n")


def test_the_json_holds_every_run() -> None:
    """Medians can be computed from it again."""
    section = json.loads(report.as_json(REPORT))["sections"][0]

    assert section["rows"][0]["values"] == [2.0, 3.0, 10.0]
    assert [target["met"] for target in section["targets"]] == [True, False]


def test_contenders_take_turns_and_a_failed_one_is_dropped() -> None:
    """Rounds are interleaved, and each starts with a different contender."""
    order: list[str] = []

    def step(name: str) -> Sequence[float]:
        order.append(name)
        if name == "c":
            raise FailedError("broken")
        return [1.0]

    made = [Contender(name, lambda name=name: step(name), "") for name in "abc"]  # type: ignore[misc]
    standings = race.race(made, 2)

    assert order == ["a", "b", "c", "b", "a"]
    assert standings[2].row().failure == "failed: broken"


def test_links_count_once_on_disk(tmp_path: Path) -> None:
    """A file and its hard link use the space of one file."""
    (tmp_path / "one").write_bytes(bytes(MIB))
    (tmp_path / "two").hardlink_to(tmp_path / "one")

    assert MIB <= footprint.used(tmp_path) < 1.1 * MIB


@needs_nginx
def test_every_condition_stops_its_servers() -> None:
    """After the benchmark no port listens and its folder is gone."""
    with lab.opened(TINY) as opened:
        base = opened.base
        with servers.before(opened.nginx.http, base) as proxy:
            ports = [opened.nginx.http, opened.nginx.https, proxy.port]
            assert all(map(_listens, ports))

    assert not any(map(_listens, ports))
    assert not base.exists()


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return not asking.connect_ex(("127.0.0.1", port))


@needs_nginx
def test_a_tiny_run_measures_ours_beside_wget() -> None:
    """The real `dvc repro` downloads from nginx, and the report shows it."""
    made = main.measure(TINY, ["single"], reduced=True)

    rows = {row.name: row for row in made.sections[0].rows}
    assert rows[OURS].failure is None
    assert rows[OURS].checked.startswith("md5")
    assert len(rows[OURS].values) == 1
    assert rows[WGET].failure in (None, "wget is not installed")
    assert "A reduced run" in report.markdown(made, {})


@needs_nginx
def test_a_tiny_run_asks_every_publisher() -> None:
    """The real command finds the state of all sources, whose answers are delayed."""
    made = main.measure(TINY, ["upstream"], reduced=True)

    (section,) = made.sections
    assert [(row.name, row.failure) for row in section.rows] == [
        ("python -m scripts.upstream", None)
    ]
    assert section.targets[0].limit == 3
