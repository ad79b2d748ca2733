"""The configuration that is read without DVC is the one that DVC reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from dvc.config import Config

from scripts.storage import settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.clones import TestClone

SIMPLE = [
    "",
    "[core]\n    remote = team\n    analytics = false\n    check_update = false\n",
    '[cache]\n    type = "reflink,hardlink,symlink,copy"\n',
    "[cache]\n    type = copy\n    dir = ../../beside\n",
    '[cache]\n    dir = "/data/a folder"\n',
    "[cache]\n    dir = ~/cache\n",
    "[core]\n    site_cache_dir = site\n",
    "['remote \"team\"']\n    url = ../../team\n    verify = true\n['remote \"b_2\"']\n    url = s3://bucket/x\n",
]  # fmt: skip
UNUSUAL = [
    "[core]\n    remote = Team\n",
    "[cache]\n    type = reflink, copy\n",
    "[cache]\n    shared = group\n",
    "[cache]\n    type = copy\n    dir = %(type)s\n",
    "# a comment\n[core]\n    remote = team\n",
    "[core]\n    no_scm = true\n",
    "['remote \"team\"']\n    url = https://host/path\n    password = secret\n",
    "['remote \"team\"']\n    url = 'quoted'\n",
    "[Core]\n    remote = team\n",
]


def used(config: dict[str, Any]) -> object:
    """Return what our code asks of a configuration, as DVC's own classes give it."""
    core, cache = config["core"], config["cache"]
    remotes = {name: (part["url"], "password" in part) for name, part in config["remote"].items()}
    places = [str(cache.get("dir")), str(core.get("site_cache_dir"))]
    return core.get("remote"), cache.get("type"), cache.get("shared"), places, remotes


@pytest.fixture
def by_dvc(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The clones whose configuration is read by DVC."""
    asked: list[Path] = []
    real = settings._by_dvc  # noqa: SLF001

    def call(root: Path) -> settings.Settings:
        asked.append(root)
        return real(root)

    monkeypatch.setattr(settings, "_by_dvc", call)
    return asked


@pytest.mark.parametrize("text", [*SIMPLE, *UNUSUAL])
@pytest.mark.parametrize("name", ["config", "config.local"])
def test_a_configuration_means_what_dvc_says(
    text: str, name: str, clone: TestClone, by_dvc: list[Path]
) -> None:
    """In either file of the clone; an unusual line is left to DVC itself."""
    (clone.root / ".dvc" / name).write_text(text)

    found = settings.read(clone.root)

    assert used(found) == used(Config(str(clone.root / ".dvc")))
    assert by_dvc == ([clone.root] if text in UNUSUAL else [])


@pytest.mark.parametrize("level", ["DVC_SYSTEM_CONFIG_DIR", "DVC_GLOBAL_CONFIG_DIR"])
def test_machine_and_user_have_files_too(
    level: str, clone: TestClone, by_dvc: list[Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Those of the clone shadow them, key by key."""
    monkeypatch.setenv(level, str(tmp_path))
    (tmp_path / "config").write_text("[cache]\n    dir = shared\n    type = copy\n")
    (clone.root / ".dvc/config.local").write_text("[cache]\n    type = symlink\n")

    found = settings.read(clone.root)

    assert used(found) == used(Config(str(clone.root / ".dvc")))
    assert found["cache"] == {"dir": str(tmp_path / "shared"), "type": ["symlink"]}
    assert by_dvc == []


@pytest.mark.parametrize("name", ["XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"])
def test_the_files_are_where_dvc_looks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a variable of DVC's own, too."""
    for level in ("DVC_SYSTEM_CONFIG_DIR", "DVC_GLOBAL_CONFIG_DIR"):
        monkeypatch.delenv(level, raising=False)
    monkeypatch.setenv(name, f"{tmp_path}{os.pathsep}/else")

    ours = [str(path) for path in settings._files(tmp_path)]  # noqa: SLF001

    assert ours == list(Config(str(tmp_path / ".dvc")).files.values())
