"""What loading a checkpoint would run, compared with the allow-list of its family.

A tripwire and not a boundary: docs/pickles.md says what it detects and what it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from scripts.catalogue import artifacts
from scripts.catalogue.documents import load
from scripts.console.errors import CatalogueError, PickleError
from scripts.files.disk import disk_errors, is_file
from scripts.pickles import reader, weights_only
from scripts.pickles.unpickler import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALLOWED = "imports.yaml"
_MOST = 10  # faults of a file that are shown
# Modules that can run anything. They only change the verdict: any import off the list is refused.
_RUNS = {
    "__builtin__", "_io", "_pickle", "asyncio", "bdb", "builtins", "cProfile", "code", "codecs",
    "commands", "concurrent", "ctypes", "doctest", "functools", "importlib", "io", "joblib",
    "marshal", "multiprocessing", "nt", "operator", "os", "pdb", "pickle", "pip", "pkgutil",
    "posix", "profile", "pty", "runpy", "shutil", "site", "smtplib", "socket", "ssl",
    "subprocess", "sys", "tempfile", "threading", "timeit", "torch.hub", "torch.jit", "trace",
    "types", "urllib", "venv", "webbrowser",
}  # fmt: skip


@dataclass(frozen=True)
class Screening:
    """The kind of a file, its imports, those beyond the allow-list, and its faults."""

    kind: str
    imports: tuple[str, ...]
    beyond: tuple[str, ...]
    faults: tuple[str, ...]
    weights_only: bool | None

    @property
    def verdict(self) -> str:
        """Return the worst of "fine", "beyond", "malformed" and "dangerous" that applies."""
        if any(map(_is_dangerous, self.beyond)):
            return "dangerous"
        if self.faults:
            return "malformed"
        return "beyond" if self.beyond else "fine"

    @property
    def rows(self) -> list[str]:
        """Return a line for each import beyond the list and each fault, safe for a terminal."""
        rows = [f"imports    {name}" for name in self.beyond]
        rows += [f"malformed  {fault}" for fault in self.faults]
        return [f"{row if row.isprintable() else ascii(row)[1:-1]:.131}" for row in rows]


def screen(path: Path, allowed: frozenset[str]) -> Screening:
    """Read the pickles of a file and load nothing; raise DiskError if it cannot be read."""
    contents = reader.read(path)
    imports = tuple(sorted(contents.imports))
    beyond = tuple(name for name in imports if name not in allowed)
    taken = weights_only.takes(contents)
    return Screening(contents.kind, imports, beyond, tuple(contents.faults[:_MOST]), taken)


def judge(root: Path, file: str, part: Path) -> None:
    """Raise PickleError if `part`, which is to become `file`, imports more than is allowed.

    `file` is a path as params.yaml writes it; the lists are those of the clone at `root`. Raises
    CatalogueError and DiskError, too. Writes nothing.
    """
    found = screen(part, allowed(root, [file])[file])
    if found.verdict == "fine":
        return
    raise PickleError(
        f"{file}: loading it would run more than weights need",
        *found.rows,
        "No pin of this repository has these bytes: they were not accepted.",
        "models/ and the cache are as they were.",
        f"Next: if you know why the file needs it, add the name to {ALLOWED} and run again.",
    )


def allowed(root: Path, files: list[str]) -> dict[str, frozenset[str]]:
    """Return what each of the files may import; raise CatalogueError with every fault."""
    with disk_errors(root):
        states = [(root / name).stat() for name in (ALLOWED, "dvc.yaml") if is_file(root / name)]
    stamp = tuple((at.st_ino, at.st_mtime_ns, at.st_size) for at in states)
    every, families, labels = _lists(root, stamp)
    return {file: every | families.get(labels.get(file, ""), frozenset()) for file in files}


@lru_cache(maxsize=1)
def _lists(
    root: Path, _: object
) -> tuple[frozenset[str], dict[str, frozenset[str]], dict[str, str]]:
    """Return what every file may import, and what each family; and the family of each file.

    Many files are screened one after another: both documents are read anew if they have changed.
    """
    document = load(root / ALLOWED)
    faults = list(_faults(document))
    if faults:
        raise CatalogueError(ALLOWED, faults)
    labels = {path: each.family for path, each in artifacts.read(root / "dvc.yaml").items()}
    families = {name: frozenset(each) for name, each in (document.get("families") or {}).items()}
    return frozenset(document.get("any") or ()), families, labels


def _is_dangerous(name: str) -> bool:
    first, _, rest = name.partition(".")
    return UNKNOWN in name or first in _RUNS or f"{first}.{rest.partition('.')[0]}" in _RUNS


def _faults(document: object) -> Iterator[str]:
    if not isinstance(document, dict) or not set(document) <= {"any", "families"}:
        yield "not a map of `any` and `families`"
    elif not isinstance(families := document.get("families") or {}, dict):
        yield "families: not a map of lists"
    else:
        for where, names in {"any": document.get("any") or [], **families}.items():
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                yield f"{where}: not a list of names"
