"""make scale: layouts in which DVC finds nothing to do, growth tables, arithmetic."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING

import pytest
from fsspec.prefetcher import BackgroundPrefetcher
from gcsfs.core import split_range  # type: ignore[import-untyped]

from bench import paper, scale
from bench.growth import Measured, Results, comfortable, table
from bench.layouts import LAYOUTS, entries
from tests.world.checkpoints import MIB
from tests.world.clones import REPOSITORY, TestClone, isolated

if TYPE_CHECKING:
    from pathlib import Path

RESULTS = Results(
    90,
    cells={
        ("a", 25, "status"): Measured(1.0, 0.5, 60_000_000),
        ("a", 250, "status"): Measured(12.0, 11.0, 61_000_000),
        ("a", 2500, "status"): Measured(90, 90, None),
        ("b", 25, "status"): Measured(90, 90, None),
        ("b", 250, "status"): Measured(0, 0, None),
        ("b", 2500, "status"): Measured(0, 0, None),
    },
)

MEASURED = (
    "date",
    "dvc",
    "machine",
    "limit",
    "comfortable",
    "table_status",
    "table_repro",
    "table_push",
    "table_pull",
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dvc_finds_every_layout_done(tmp_path: Path, layout: str) -> None:
    """Two families, checked out from the cache: clean, complete, and no stage has to run."""
    place = TestClone(tmp_path / "project", isolated(tmp_path))
    place.root.mkdir()
    place.run("git", "init", "-q", check=True)
    place.run("dvc", "init", "-q", check=True)

    LAYOUTS[layout](place.root, entries(26))
    place.run("dvc", "checkout", "-q", check=True)

    assert len(place.tree()) == 26
    assert "up to date" in place.run("dvc", "status").stdout
    assert "up to date" in place.run("dvc", "repro", "--all-pipelines").stdout


def test_the_table_shows_growth_and_what_took_too_long() -> None:
    """The growth of a command that was stopped at the limit is unknown."""
    _, _, a, b = table(RESULTS, "status").splitlines()

    assert a == "| a | 1.0 s (0.5), 60 MB | 12.0 s (11.0), 61 MB | more than 90 s | x 22.0, ? |"
    assert b == "| b | more than 90 s | not measured | not measured |  |"


def test_comfort_ends_at_the_largest_size_within_the_limit() -> None:
    """A layout may have no such size."""
    assert comfortable(RESULTS) == "- a: up to 25 entries\n- b: at no size measured"


def test_the_arithmetic_of_a_thousand_nodes_holds() -> None:
    """Bytes, times and prices follow from the assumptions."""
    lines = paper.lines(2, 5, paper.Assumptions(nodes=10, per_million_lists=1e6, region=100))

    reads = int(lines["small"]) + int(lines["blocks"]) + 2
    assert lines["all_reads"] == f"{reads * 10:,}"
    assert lines["price_requests"] == "50.00"
    assert lines["price_warm"] == "10.0000"
    assert int(lines["small"]) + int(lines["large"]) == 25
    assert float(lines["whole"]) == round(float(lines["tree"]) * 10)
    assert float(lines["billed"]) == pytest.approx(float(lines["whole"]) / 1.0737, abs=1)
    assert float(lines["region_s"]) == pytest.approx(float(lines["whole"]) * 8 / 100, abs=0.5)


@pytest.mark.parametrize(
    ("size", "requests"),
    [(1, 1), (100 * MIB, 1), (100 * MIB + 1, 17), (130 * MIB, 19), (2_564_550_879, 163)],
)
def test_a_large_object_is_read_in_ranges(size: int, requests: int) -> None:
    """The number is that of gcsfs: fsspec's own prefetcher is run on the same size and counted."""
    assert paper.ranges(size) == requests
    if requests > 1:
        assert asyncio.run(_asked(size)) == requests


async def _asked(size: int) -> int:
    """Read as gcsfs does (_get_file_concurrent), and return the number of requests."""
    asked: list[int] = []

    async def fetch(_: int, length: int, split_factor: int = 1) -> bytes:
        asked.extend(part for _, part in split_range(length, split_factor, 5 * MIB))
        return bytes(length)

    loop = asyncio.get_running_loop()
    async with BackgroundPrefetcher(fetch, size, 4, 8 * 16 * MIB, loop=loop) as reader:
        for start in range(0, size, 16 * MIB):
            await reader.afetch(start, min(start + 16 * MIB, size))
    return len(asked)


def test_the_page_is_template_and_arithmetic() -> None:
    """All text that was not measured is what the code would write."""
    page = (REPOSITORY / "docs/scale.md").read_text(encoding="utf-8")
    counted = re.search(r"with (\d+) more reads and (\d+) more lists, as counted", page)
    assert counted
    figures = {name: f"<{name}>" for name in MEASURED}

    written = scale.render(figures, int(counted[1]), int(counted[2]))

    pattern = re.sub(r"<(\w+)>", "(?s:.+?)", re.escape(written))
    assert re.fullmatch(pattern, page), "python -m bench.scale writes it again"


def test_the_template_names_known_figures_alone() -> None:
    """Prose and code agree on the placeholders, and the page says what wrote it."""
    text = (REPOSITORY / "bench/scale.md").read_text(encoding="utf-8")

    assert "Written by `make scale`" in text
    for name in paper.lines(1, 1):
        assert f"${name}" in text, name


@pytest.mark.torture
@pytest.mark.skipif(
    not (REPOSITORY / "tests/world/bucket.py").exists(), reason="no bucket to push to"
)
def test_a_tiny_run_writes_the_page(tmp_path: Path) -> None:
    """Three entries in every layout, status to pull, against the bucket."""
    page = tmp_path / "scale.md"
    words = (sys.executable, "-m", "bench.scale", "--sizes", "3", "--out", str(page))

    done = TestClone(REPOSITORY, isolated(tmp_path)).run(*words)

    assert done.returncode == 0, done.stderr
    assert page.read_text().count("\n| one params.yaml | ") == 4
    assert "$" + "{" not in page.read_text()
