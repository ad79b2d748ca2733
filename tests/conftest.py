"""Fixtures: the publishers on loopback, and clones pinned to what they serve."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.curation import start
from tests.page import SCREENSHOTS
from tests.world import World
from tests.world import clones as making
from tests.world.bucket import Bucket
from tests.world.clones import TestClone

# What Google's libraries read as they are imported: no gRPC service, no machine of Google's.
os.environ.update(GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT="false", NO_GCE_CHECK="true")
from tests.world.teams import Team

if TYPE_CHECKING:
    from collections.abc import Iterator

# `make test VENV=path` hands these on, and every make or ./checkpoints below would heed them.
for name in ("VENV", "PYTHON", "MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)
# A shell's background job ignores SIGINT, one under nohup SIGHUP, and so would the tests' commands.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
SCALE = 10_000  # the synthetic files are so much smaller than the real ones


def pytest_xdist_auto_num_workers() -> int:
    """Return the workers of `-n auto`: two more than cores, since tests wait for servers."""
    return (os.cpu_count() or 1) + 2


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the pictures of the page are, if this run took some."""
    passed = terminalreporter.getreports("passed")
    if any(each.nodeid.startswith("tests/page/test_looks") for each in passed):
        terminalreporter.write_line(f"pictures of the page: {SCREENSHOTS}")


@pytest.fixture
def world() -> Iterator[World]:
    """Every publisher of the paper, serving the synthetic checkpoints."""
    with World(scale=SCALE) as running:
        yield running


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone pinned to the synthetic checkpoints, with nothing fetched."""
    return making.template(tmp_path_factory.mktemp("template"), SCALE)


@pytest.fixture
def clone(
    template: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TestClone:
    """A fresh clone beside which nothing lies; this very process works in it, too."""
    root = tmp_path / "work" / "clone"
    making.duplicate(template, root)
    env = making.isolated(tmp_path / "isolated") | world.env
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(root)
    return TestClone(root, env)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """The team's bucket, empty."""
    with Bucket() as running:
        yield running


@pytest.fixture
def team(template: Path, tmp_path: Path, world: World, bucket: Bucket) -> Team:
    """People with clones whose remote is the bucket."""
    return Team(template, tmp_path, making.isolated(tmp_path / "isolated") | world.env | bucket.env)


@pytest.fixture
def local(team: Team) -> TestClone:
    """A full clone whose remote is a folder beside it, which holds every file."""
    owner = team.owner(url="")
    shutil.copytree(owner.root / ".dvc/cache/files", owner.remote / "files")
    return owner


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository as `new` makes it, for tests that leave it as it is, or copy it."""
    folder = tmp_path_factory.mktemp("started")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in making.isolated(folder / "isolated").items():
            patch.setenv(name, value)
        start.start(making.REPOSITORY, folder / "work/started", "A new paper: é")
    return folder / "work/started"


@pytest.fixture(scope="session")
def filled(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone that `scripts.fetch complete` has filled, to be copied from."""
    folder = tmp_path_factory.mktemp("filled")
    making.duplicate(template, folder / "clone")
    with World(scale=SCALE) as running:
        whole = TestClone(folder / "clone", making.isolated(folder / "isolated") | running.env)
        whole.run("python", "-m", "scripts.fetch", "complete", check=True)
    return whole.root


@pytest.fixture
def complete(clone: TestClone, filled: Path) -> TestClone:
    """A clone with every file in place, linked to its cache."""
    parts = [str(filled / name) for name in ("models", "models.json", ".dvc")]
    clone.run("cp", "-a", *parts, ".", check=True)  # hard links stay what they are
    return clone


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that ./checkpoints takes for the environment it has made."""
    folder = tmp_path_factory.mktemp("venv")
    for part in Path(sys.prefix).iterdir():
        if not part.name.startswith("installed"):
            (folder / part.name).symlink_to(part)
    for more in ("", "-dev"):
        shutil.copy(making.REPOSITORY / f"requirements{more}.txt", folder / f"installed{more}")
    return folder
