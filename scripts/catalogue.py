"""The catalogue: what params.yaml says this repository holds, checked before it is used."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from scripts.documents import compose
from scripts.errors import CatalogueError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TREE = "models"
_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")  # DVC reads a dot in a key as a level of params
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Checkpoint:
    """One file of the tree: its path from the repository's root, and its name in an archive."""

    path: str
    sha256: str | None = None
    member: str | None = None


@dataclass(frozen=True)
class Published:
    """What stands at one address: a checkpoint itself, or an archive of several."""

    name: str
    files: tuple[Checkpoint, ...]
    archive: bool = False
    sha256: str | None = None


@dataclass(frozen=True)
class Network:
    """How bytes are brought: ranges in flight, failures in a row, and seconds."""

    connections: int = 8
    retries: int = 6
    backoff: float = 0.5
    timeout: float = 30.0


@dataclass(frozen=True)
class Catalogue:
    """Everything params.yaml holds, by name."""

    published: dict[str, Published]
    network: Network

    @property
    def files(self) -> dict[str, Checkpoint]:
        """Every file of the tree by its path."""
        return {file.path: file for entry in self.published.values() for file in entry.files}

    def find(self, names: Sequence[str], *, archive: bool) -> list[Published]:
        """Return the entries of these names and kind; raise UsageError naming every unknown one."""
        known = {n: entry for n, entry in self.published.items() if entry.archive == archive}
        unknown = [name for name in names if name not in known]
        if unknown:
            other = [name for name in unknown if name in self.published]
            hint = (
                "fetch it with scripts.fetch" if archive else "it is in an archive: scripts.unpack"
            )
            raise UsageError(
                f"unknown name{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}",
                *(f"{name}: {hint}" for name in other),
                f"params.yaml has: {', '.join(sorted(known))}",
            )
        return [known[name] for name in names]


def read(path: Path) -> Catalogue:
    """Return the catalogue that params.yaml holds, or raise CatalogueError with every fault."""
    reader = _Reader()
    root = reader.mapping(compose(path), "params.yaml")
    published = {
        name: reader.published(name, node, archive=archive)
        for key, archive in (("checkpoints", False), ("archives", True))
        for name, node in reader.mapping(root.get(key), key, optional=archive).items()
    }
    network = reader.network(root.get("network"))
    if reader.faults:
        ordered = sorted(reader.faults, key=lambda fault: fault[0])
        raise CatalogueError(path.name, [f"line {line}: {text}" for line, text in ordered])
    return Catalogue(published, network)


@dataclass
class _Reader:
    """Walk yaml nodes and collect (line, fault) instead of stopping at the first."""

    faults: list[tuple[int, str]] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=dict)
    _paths: dict[str, tuple[int, str]] = field(default_factory=dict)
    _folders: dict[str, str] = field(default_factory=dict)

    def fault(self, node: yaml.Node | None, text: str) -> None:
        self.faults.append((node.start_mark.line + 1 if node else 1, text))

    def mapping(
        self, node: yaml.Node | None, where: str, *, optional: bool = False
    ) -> dict[str, yaml.Node]:
        if node is None and optional:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{where}: not a map of names")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                self.fault(key, f"{where}: {name} stands twice")
            found[name] = value
        return found

    def published(self, name: str, node: yaml.Node, *, archive: bool) -> Published:
        if not _NAME.fullmatch(name):
            self.fault(node, f"{name!r}: a name has lower-case letters, digits and _ only")
        line = self._names.setdefault(name, node.start_mark.line + 1)
        if line != node.start_mark.line + 1:
            self.fault(node, f"{name}: the name is taken in line {line}")
        if not archive:
            return Published(name, (self.checkpoint(name, node),))
        fields = self._fields(node, name, {"members", "sha256"})
        members = fields.get("members")
        if not isinstance(members, yaml.SequenceNode) or not members.value:
            self.fault(node, f"{name}.members: not a list of members")
            return Published(name, (), archive=True)
        files = tuple(self._members(name, members.value))
        return Published(name, files, archive=True, sha256=self._sha256(fields, name))

    def _members(self, name: str, nodes: list[yaml.Node]) -> Iterator[Checkpoint]:
        seen: set[str | None] = set()
        for number, node in enumerate(nodes):
            file = self.checkpoint(f"{name}.members[{number}]", node, archive=True)
            if file.member in seen:
                self.fault(node, f"{name}: the member {file.member} stands twice")
            seen.add(file.member)
            yield file

    def checkpoint(self, where: str, node: yaml.Node, *, archive: bool = False) -> Checkpoint:
        known = {"path", "sha256"} | ({"member"} if archive else set())
        fields = self._fields(node, where, known)
        path = self._text(fields.get("path"), node, f"{where}.path")
        if path:
            self._check_path(fields["path"], f"{where}.path", path)
        member = self._text(fields.get("member"), node, f"{where}.member") if archive else None
        return Checkpoint(path, self._sha256(fields, where), member)

    def _fields(self, node: yaml.Node, where: str, known: set[str]) -> dict[str, yaml.Node]:
        fields = self.mapping(node, where)
        for name in fields.keys() - known:
            self.fault(
                fields[name], f"{where}: unknown key {name} (known: {', '.join(sorted(known))})"
            )
        return fields

    def _text(self, node: yaml.Node | None, parent: yaml.Node, where: str) -> str:
        if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":str") and node.value:
            return str(node.value)
        self.fault(node or parent, f"{where}: {'not a text' if node else 'missing'}")
        return ""

    def _sha256(self, fields: dict[str, yaml.Node], where: str) -> str | None:
        node = fields.get("sha256")
        if node is None:
            return None
        if not node.tag.endswith(":str") or not _SHA256.fullmatch(str(node.value)):
            self.fault(node, f"{where}.sha256: not 64 lower-case hex digits in quotes")
        return str(node.value)

    def _check_path(self, node: yaml.Node, where: str, path: str) -> None:
        parts = path.split("/")
        if path.startswith("/"):
            self.fault(node, f"{where}: {path} is absolute; paths start with {TREE}/")
        elif ".." in parts or parts[0] != TREE or len(parts) == 1:
            self.fault(node, f"{where}: {path} lies outside {TREE}/")
        elif "" in parts or "." in parts or not path.isprintable() or "\\" in path:
            self.fault(node, f"{where}: {path!r} is not a plain path")
        self._check_taken(node, where, path)

    def _check_taken(self, node: yaml.Node, where: str, path: str) -> None:
        # Compared without case: on macOS two such names are one file.
        folded = path.casefold()
        above = [folded[:i] for i, letter in enumerate(folded) if letter == "/"]
        line, spelled = self._paths.setdefault(folded, (node.start_mark.line + 1, path))
        if spelled != path:
            self.fault(node, f"{where}: {path} differs only in case from {spelled} in line {line}")
        elif line != node.start_mark.line + 1:
            self.fault(node, f"{where}: {path} stands already in line {line}")
        for other in filter(None, [self._folders.get(folded), *map(self._spelled, above)]):
            self.fault(node, f"{where}: one of {path} and {other} would have to be a folder")
        self._folders.update(dict.fromkeys(above, path))

    def _spelled(self, folded: str) -> str | None:
        return self._paths.get(folded, (0, None))[1]

    def network(self, node: yaml.Node | None) -> Network:
        limits = {
            "connections": (1, 64),
            "retries": (0, 100),
            "backoff": (0, 60),
            "timeout": (0.1, 600),
        }
        fields = self.mapping(node, "network", optional=True)
        given: dict[str, float] = {}
        for name, value in fields.items():
            if name not in limits:
                self.fault(value, f"network: unknown key {name} (known: {', '.join(limits)})")
                continue
            low, high = limits[name]
            number = self._number(value, whole=name in ("connections", "retries"))
            if number is None or not low <= number <= high:
                self.fault(
                    value, f"network.{name}: {value.value!r} is not a number from {low} to {high}"
                )
            else:
                given[name] = number
        return Network(**given)  # type: ignore[arg-type] # whole numbers were read as int

    def _number(self, node: yaml.Node, *, whole: bool) -> float | None:
        try:
            return int(str(node.value)) if whole else float(str(node.value))
        except ValueError:
            return None
