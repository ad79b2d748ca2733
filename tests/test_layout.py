"""The packages below scripts/ import one way only, and nothing imports a command."""

from __future__ import annotations

import ast
import re
from pathlib import Path

LEVELS = {"curation": 5, "views": 5, "checkout": 4, "download": 3, "storage": 3, "pickles": 3}
LEVELS |= {"catalogue": 2, "files": 1, "console": 0}
ROOT = Path(__file__).resolve().parents[1]


def imports(path: Path) -> set[str]:
    """Return the packages (or commands) of scripts/ that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("scripts.")}


def test_packages_import_only_from_below() -> None:
    """A package imports itself and lower levels; a command imports packages."""
    assert {path.parent.name for path in ROOT.glob("scripts/*/__init__.py")} == LEVELS.keys()
    for path in ROOT.glob("scripts/**/*.py"):
        own, *below = path.relative_to(ROOT / "scripts").parts
        allowed = {p for p in LEVELS if not below or LEVELS[p] < LEVELS[own] or p == own}
        assert imports(path) <= allowed, path


def test_the_machinery_imports_nothing_of_the_paper() -> None:
    """It is the same in repositories that have no such module."""
    for path in (p for name in ("bench", "scripts", "tests") for p in (ROOT / name).rglob("*.py")):
        assert not re.search(r"^\s*(from|import) paper\b", path.read_text(), re.MULTILINE), path
