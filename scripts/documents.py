"""Read yaml files that people and DVC write; every fault becomes one line with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from scripts.errors import CatalogueError

if TYPE_CHECKING:
    from pathlib import Path

# libyaml's parser reads the lock ten times faster; a platform without it still works.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path: Path) -> Any:  # noqa: ANN401 - a yaml document is any data; callers check it
    """Return the document as plain data, or raise CatalogueError."""
    return _read(path, lambda text: yaml.load(text, Loader=_Loader))  # noqa: S506 - a safe loader


def compose(path: Path) -> yaml.Node | None:
    """Return the document as nodes, which know their lines, or raise CatalogueError."""
    node: yaml.Node | None = _read(path, lambda text: yaml.compose(text, Loader=_Loader))
    return node


def _read(path: Path, parse: Any) -> Any:  # noqa: ANN401
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CatalogueError(path.name, ["the file is missing"]) from error
    except OSError as error:
        raise CatalogueError(path.name, [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise CatalogueError(path.name, [f"not UTF-8 at byte {error.start}"]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise CatalogueError(path.name, [f"{line}{error.problem or error.context}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: 2026-13-45 has the form of a date and is none.
        raise CatalogueError(path.name, [" ".join(str(error).split())]) from error
