"""scripts/curation/machinery.txt: what is the same in every repository of this kind."""

from __future__ import annotations

import pytest

from scripts.catalogue import history
from scripts.curation.machinery import blocks, is_machinery, patterns
from scripts.curation.start import TEMPLATE
from tests.world.checkpoints import PAPER
from tests.world.clones import REPOSITORY


def tracked() -> list[str]:
    """Return what git tracks, or would track."""
    listed = history.git(REPOSITORY, "ls-files", "-coz", "--exclude-standard").decode()
    return [name for name in listed.split("\0") if (REPOSITORY / name).is_file()]


def test_every_pattern_is_that_of_a_file() -> None:
    """One that is outdated would be read as a promise."""
    for pattern in patterns():
        assert any(is_machinery(name, [pattern]) for name in tracked()), pattern


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("scripts/fetch.py", True),
        ("scripts/catalogue/params.py", True),
        ("tests/world/paper/dvc.yaml", True),
        ("sources/.dvc/config", True),
        ("requirements-dev.txt", True),
        ("sources/sam.dvc", False),
        ("paper/tests/test_it.py", False),
        (".dvc/config", False),
        ("params.yaml", False),
        ("README.md", False),
        ("my/scripts/fetch.py", False),
    ],
)
def test_a_path_tells_whose_a_file_is(name: str, *, is_one: bool) -> None:
    """By its folder, or by its name at the root."""
    assert is_machinery(name, patterns()) == is_one


def test_the_tests_own_catalogue_has_the_stages_of_the_template() -> None:
    """Word for word, as every catalogue, so that a later machinery can bring another form."""
    stages = blocks((TEMPLATE / "dvc.yaml").read_text(encoding="utf-8"))

    assert {*stages} == {"fetch", "tree"}
    assert stages.items() <= blocks((PAPER / "dvc.yaml").read_text(encoding="utf-8")).items()
