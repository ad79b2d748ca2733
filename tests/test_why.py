"""docs/why.md: commands show every claim, and the real DVC prints the lines under them."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest

from tests import publisher
from tests.pages import pattern, written
from tests.world.clones import REPOSITORY, TestClone, isolated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (REPOSITORY / "docs/why.md").read_text(encoding="utf-8")
HEAD, *SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def run(here: TestClone, block: str) -> None:
    """Run the commands of a block; each must print the lines under it."""
    for command, lines in written(block):
        done = here.run("bash", "-c", command)
        printed = done.stdout + done.stderr
        for line in lines:
            assert re.search(f"^{pattern(line)}$", printed, re.MULTILINE), (
                f"$ {command}\n{printed}\nlacks: {line}"
            )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[TestClone]:
    """Return the project in which a section starts, as the head of the page says."""
    (block,) = CONSOLE.findall(HEAD)
    first, serve, export, last = (command for command, _ in written(block))
    assert serve == "python -m tests.publisher ../why/publisher 8000 &"
    assert export == "export PUBLISHER=http://127.0.0.1:8000"
    (tmp_path / "clone").mkdir()
    with publisher.open_at(tmp_path / "why/publisher") as server:
        env = isolated(tmp_path) | {"PUBLISHER": f"http://127.0.0.1:{server.server_port}"}
        done = TestClone(tmp_path / "clone", env).run("bash", "-c", f"{first} && {last}")
        assert done.returncode == 0, done.stderr
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield TestClone(tmp_path / "why/project", env)
        server.shutdown()
        thread.join()


def test_the_page_has_at_most_150_lines() -> None:
    """It can be read in one sitting, like README."""
    assert len(PAGE.splitlines()) <= 150


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS, ids=lambda text: text.splitlines()[0])
def test_a_section_shows_what_it_claims(project: TestClone, section: str) -> None:
    """Its commands, one after another, print the lines under them."""
    assert CONSOLE.search(section)
    for block in CONSOLE.findall(section):
        run(project, block)
