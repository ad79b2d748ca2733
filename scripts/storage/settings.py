"""DVC's configuration. DVC's own class reads it, unless each line is one of a few simple kinds.

That class imports DVC's file systems, which would cost every stage 0.1 s.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from scripts.catalogue.urls import masked
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator

    Settings = dict[str, dict[str, Any]]  # core, cache and remote, as DVC's Config has them

_SECTION = re.compile(r"""\[(core|cache)\]|\['remote "([a-z0-9_-]+)"'\]""")
_VALUE = re.compile(r"""\s*([a-z_]+) = (?:"([^"'$%#;\\]+)"|([^\s"'$%#;,\\=]+))""")
_KINDS = r"(?:reflink|hardlink|symlink|copy)"
_BOOL = "true|false"
_SIMPLE = {
    ("core", "remote"): r"[a-z0-9_-]+",
    ("core", "analytics"): _BOOL,
    ("core", "autostage"): _BOOL,
    ("core", "check_update"): _BOOL,
    ("core", "site_cache_dir"): ".+",
    ("cache", "dir"): ".+",
    ("cache", "type"): rf"{_KINDS}(?:,{_KINDS})*",
    ("remote", "url"): ".+",
    ("remote", "verify"): _BOOL,
}


def read(root: Path) -> Settings:
    """Return the configuration of the clone at `root`; raise CatalogueError if it is invalid."""
    found: Settings = {"core": {}, "cache": {}, "remote": {}}
    for path in _files(root):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return _by_dvc(root)
        if not _add(found, lines, path.parent):
            return _by_dvc(root)
    return found


def _files(root: Path) -> Iterator[Path]:
    """Yield the files of the machine, the user and the clone, each of which shadows the last."""
    app = "dvc", "iterative"
    machine = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or platformdirs.site_config_dir(*app)
    user = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or platformdirs.user_config_dir(*app)
    yield from (Path(folder, "config") for folder in (machine, user))
    yield from (root / ".dvc" / name for name in ("config", "config.local"))


def _add(found: Settings, lines: list[str], folder: Path) -> bool:
    """Add what the lines of a file say; tell whether all of them are simple."""
    section, target, seen = "", dict[str, Any](), set[tuple[str, str]]()
    for line in filter(str.strip, lines):
        if header := _SECTION.fullmatch(line):
            section = header[1] or "remote"
            target = found["remote"].setdefault(header[2], {}) if header[2] else found[section]
            place = header[0], ""
        else:
            row = _VALUE.fullmatch(line)
            value = (row[2] or row[3]) if row else ""
            if not row or not re.fullmatch(_SIMPLE.get((section, row[1]), "(?!)"), value):
                return False
            target[row[1]] = _meant(row[1], value, folder)
            place = str(id(target)), row[1]
        if place in seen:  # DVC refuses it
            return False
        seen.add(place)
    return True


def _meant(key: str, value: str, folder: Path) -> str | list[str]:
    """Return a value as DVC takes it: a path is relative to the folder of its file."""
    if key == "type":
        return value.split(",")
    if key not in ("dir", "url") or re.match(r"\w+://", value):
        return value
    return os.path.abspath(folder / os.path.expanduser(value))  # noqa: PTH100, PTH111 - as DVC


def _by_dvc(root: Path) -> Settings:
    from configobj import ConfigObjError  # noqa: PLC0415 - see the top
    from dvc.config import Config, ConfigError  # noqa: PLC0415

    try:
        return Config(str(root / ".dvc"))  # type: ignore[no-any-return] # it is a dict
    except (ConfigError, ConfigObjError, OSError) as error:
        raise CatalogueError(_at_fault(root / ".dvc"), [masked(str(error))]) from error


def _at_fault(folder: Path) -> str:
    """Return the configuration file that DVC cannot read."""
    from configobj import ConfigObjError  # noqa: PLC0415
    from dvc.config import Config, ConfigError  # noqa: PLC0415
    from dvc.fs import localfs  # noqa: PLC0415

    with suppress(ConfigError, ConfigObjError, OSError):
        # With a file system given, DVC reads no local configuration.
        Config(str(folder), fs=localfs)
        return ".dvc/config.local"
    with suppress(ConfigError, ConfigObjError, OSError):
        Config()
        return ".dvc/config"
    shown = "`./checkpoints dvc config --list --show-origin`"
    return f"the configuration of this user or machine ({shown})"
