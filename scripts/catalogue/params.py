"""The catalogue: the entries and the network settings of params.yaml, checked before use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from scripts.catalogue.documents import compose
from scripts.catalogue.nodes import NodeReader, is_text, line_of, number_in, shown
from scripts.catalogue.urls import is_safe
from scripts.console.errors import CatalogueError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

TREE = "models"
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")  # DVC reads a dot in a key as a level of params
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 200, 500  # bytes of a part, of a path; file systems allow 255, 1,024 from their root

# Setting -> kind of number, minimum, maximum.
LIMITS: Mapping[str, tuple[type[float], float, float]] = {
    "connections": (int, 1, 64),
    "retries": (int, 0, 100),
    "backoff": (float, 0, 60),
    "timeout": (float, 0.1, 600),
}


@dataclass(frozen=True)
class Network:
    """Ranges in flight, failures in a row, two times in seconds; the mirrors of this site."""

    connections: int = 10
    retries: int = 6
    backoff: float = 0.5
    timeout: float = 30.0
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """One file of the tree: its path from the repository's root, and its name in an archive."""

    path: str
    sha256: str | None = None
    member: str | None = None


@dataclass(frozen=True)
class Published:
    """What one URL serves: a checkpoint itself, or an archive of several."""

    name: str
    files: tuple[Checkpoint, ...]
    archive: bool = False
    sha256: str | None = None

    @property
    def stage(self) -> str:
        """The stage of dvc.yaml that downloads it."""
        return f"unpack_{self.name}" if self.archive else f"fetch@{self.name}"


@dataclass(frozen=True)
class Catalogue:
    """The content of params.yaml; entries by name."""

    published: dict[str, Published]
    network: Network

    @property
    def files(self) -> dict[str, Checkpoint]:
        """Every file of the tree by its path."""
        return {file.path: file for entry in self.published.values() for file in entry.files}

    @property
    def stages(self) -> dict[str, str]:
        """The stage that downloads each file, by the file's path."""
        return {file.path: each.stage for each in self.published.values() for file in each.files}

    def find(self, names: Sequence[str]) -> list[Published]:
        """Return the entries of these names; raise UsageError naming every unknown one."""
        if unknown := [name for name in names if name not in self.published]:
            raise UsageError(
                f"unknown name{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}",
                f"params.yaml has: {', '.join(sorted(self.published))}",
            )
        return [self.published[name] for name in names]


def read(path: Path) -> Catalogue:
    """Return the catalogue that params.yaml holds, or raise CatalogueError with every fault."""
    reader = _Reader()
    root = reader.fields(compose(path), path.name, {"archives", "checkpoints", "network"})
    published = {
        str(name.value): reader.published(name, node, archive=archive)
        for key, archive in (("checkpoints", False), ("archives", True))
        for name, node in reader.entries(root.get(key), key, optional=archive)
    }
    network = reader.network(root.get("network"))
    if reader.faults:
        ordered = [f"line {line}: {text}" for line, text in sorted(reader.faults)]
        raise CatalogueError(path.name, ordered)
    return Catalogue(published, network)


@dataclass
class _Reader(NodeReader):
    """Read params.yaml; its names, and its paths with their folders, are checked for clashes."""

    _names: dict[str, int] = field(default_factory=dict)
    _taken: dict[str, tuple[str, str, int]] = field(default_factory=dict)

    def published(self, key: yaml.Node, node: yaml.Node, *, archive: bool) -> Published:
        name = str(key.value)
        if not _NAME.fullmatch(name):
            self.fault(key, f"{name!r}: a name is 1 to 100 lower-case letters, digits and _")
        if name in self._names:
            self.fault(key, f"{name}: the name is also in line {self._names[name]}")
        self._names[name] = line_of(key)
        if not archive:
            return Published(name, (self.checkpoint(name, node),))
        fields = self.fields(node, name, {"members", "sha256"})
        members, sha256 = fields.get("members"), self._sha256(fields, name)
        if not isinstance(members, yaml.SequenceNode) or not members.value:
            self.fault(members or node, f"{name}.members: not a list of members")
            return Published(name, (), archive=True)
        files = tuple(self._members(name, members.value))
        return Published(name, files, archive=True, sha256=sha256)

    def _members(self, name: str, nodes: list[yaml.Node]) -> Iterator[Checkpoint]:
        seen: set[str] = set()
        for number, node in enumerate(nodes):
            file = self.checkpoint(f"{name}.members[{number}]", node, archive=True)
            if file.member in seen:
                self.fault(node, f"{name}: duplicate member {file.member}")
            if file.member:
                seen.add(file.member)
            yield file

    def checkpoint(self, where: str, node: yaml.Node, *, archive: bool = False) -> Checkpoint:
        known = {"path", "sha256"} | ({"member"} if archive else set())
        fields = self.fields(node, where, known)
        path = self.text(fields.get("path"), node, f"{where}.path")
        if path:
            self._check_path(fields["path"], f"{where}.path", path)
        member = self.text(fields.get("member"), node, f"{where}.member") if archive else None
        return Checkpoint(path, self._sha256(fields, where), member)

    def _sha256(self, fields: dict[str, yaml.Node], where: str) -> str | None:
        node = fields.get("sha256")
        if node is None:
            return None
        if not is_text(node) or not _SHA256.fullmatch(str(node.value)):
            self.fault(node, f"{where}.sha256: not 64 lower-case hex digits in quotes")
        return str(node.value)

    def _check_path(self, node: yaml.Node, where: str, path: str) -> None:
        parts = path.split("/")
        if path.startswith("/"):
            self.fault(node, f"{where}: {path} is absolute; paths start with {TREE}/")
        elif ".." in parts or parts[0] != TREE or len(parts) == 1:
            self.fault(node, f"{where}: {path} is outside {TREE}/")
        elif "" in parts or "." in parts or not path.isprintable() or "\\" in path:
            self.fault(node, f"{where}: {path!r} is not a plain path")
        elif max(len(p.encode()) for p in parts) > _LONGEST[0] or len(path.encode()) > _LONGEST[1]:
            self.fault(node, f"{where}: {path[:40]}... is too long for a file system")
        else:
            self._check_taken(node, where, path)

    def _check_taken(self, node: yaml.Node, where: str, path: str) -> None:
        folders = [path[:i] for i, letter in enumerate(path) if letter == "/"]
        for name, kind in [*((folder, "folder") for folder in folders), (path, "file")]:
            # Compared without case: on macOS two such names are one file.
            if (known := self._taken.get(name.casefold())) is None:
                self._taken[name.casefold()] = name, kind, line_of(node)
                continue
            other, its_kind, line = known
            if other != name:
                self.fault(node, f"{where}: {name} differs only in case from {other}, line {line}")
            elif its_kind != kind:
                self.fault(node, f"{where}: {name} is a {kind} here, a {its_kind} in line {line}")
            elif kind == "file":
                self.fault(node, f"{where}: {name} is also in line {line}")

    def network(self, node: yaml.Node | None) -> Network:
        fields = self.fields(node, "network", {*LIMITS, "mirrors"}) if node else {}
        given: dict[str, float] = {}
        for name in LIMITS.keys() & fields.keys():
            kind, low, high = LIMITS[name]
            value = number_in(fields[name], kind)
            if low <= value <= high:
                given[name] = value
            else:
                expected = f"a {'whole ' if kind is int else ''}number from {low} to {high}"
                self.fault(fields[name], f"network.{name}: {shown(fields[name])} is not {expected}")
        mirrors = tuple(self._mirrors(fields.get("mirrors")))
        return Network(**given, mirrors=mirrors)  # type: ignore[arg-type] # whole numbers were read as int

    def _mirrors(self, node: yaml.Node | None) -> Iterator[str]:
        if node and not isinstance(node, yaml.SequenceNode):
            self.fault(node, "network.mirrors: not a list of URLs and directories")
            return
        for item in node.value if node else []:
            if not is_text(item) or ("://" in item.value and not is_safe(item.value)):
                what = "is neither an https URL nor a directory"
                self.fault(item, f"network.mirrors: {shown(item)} {what}")
            else:
                yield str(item.value)
