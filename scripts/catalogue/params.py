"""The catalogue: what params.yaml says this repository holds, checked before it is used."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from scripts.catalogue.documents import compose
from scripts.catalogue.urls import is_safe
from scripts.console.errors import CatalogueError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

TREE = "models"
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")  # DVC reads a dot in a key as a level of params
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 200, 500  # bytes of a part, and of a path: disks take 255, and 1,024 from their root


# What params.yaml may say: the kind of number, the least and the most.
LIMITS: Mapping[str, tuple[type[float], float, float]] = {
    "connections": (int, 1, 64),
    "retries": (int, 0, 100),
    "backoff": (float, 0, 60),
    "timeout": (float, 0.1, 600),
}


@dataclass(frozen=True)
class Network:
    """Ranges in flight, failures in a row, seconds; and the mirrors of this site."""

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
    """What stands at one address: a checkpoint itself, or an archive of several."""

    name: str
    files: tuple[Checkpoint, ...]
    archive: bool = False
    sha256: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """Everything params.yaml holds, by name."""

    published: dict[str, Published]
    network: Network

    @property
    def files(self) -> dict[str, Checkpoint]:
        """Every file of the tree by its path."""
        return {file.path: file for entry in self.published.values() for file in entry.files}

    def find(self, names: Sequence[str], *, archive: bool | None = None) -> list[Published]:
        """Return the entries of these names and kind; raise UsageError naming every unknown one."""
        kinds = (False, True) if archive is None else (archive,)
        known = {n: entry for n, entry in self.published.items() if entry.archive in kinds}
        unknown = [name for name in names if name not in known]
        if unknown:
            other = [name for name in unknown if name in self.published]
            verb, kind = ("fetch", "a published file") if archive else ("unpack", "an archive")
            raise UsageError(
                f"unknown name{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}",
                *(f"{name} is {kind}: python -m scripts.{verb} {name}" for name in other),
                f"params.yaml has: {', '.join(sorted(known))}",
            )
        return [known[name] for name in names]


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
class _Reader:
    """Walk yaml nodes and collect (line, fault) instead of stopping at the first."""

    faults: list[tuple[int, str]] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=dict)
    _taken: dict[str, tuple[str, str, int]] = field(default_factory=dict)

    def fault(self, node: yaml.Node | None, text: str) -> None:
        self.faults.append((_line(node) if node else 1, text))

    def entries(
        self, node: yaml.Node | None, where: str, *, optional: bool = False
    ) -> list[tuple[yaml.Node, yaml.Node]]:
        """Return the keys of a map, each a text that stands once, with their values."""
        if node is None and optional:
            return []
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{where}: not a map of names")
            return []
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not _is_text(key):
                self.fault(key, f"{where}: the key {_shown(key)} is not a text")
            elif key.value in found:
                self.fault(key, f"{where}: {key.value} stands twice")
            else:
                found[key.value] = key, value
        return list(found.values())

    def fields(self, node: yaml.Node | None, where: str, known: set[str]) -> dict[str, yaml.Node]:
        fields = {}
        for key, value in self.entries(node, where):
            fields[key.value] = value
            if key.value not in known:
                names = ", ".join(sorted(known))
                self.fault(key, f"{where}: unknown key {key.value} (known: {names})")
        return fields

    def published(self, key: yaml.Node, node: yaml.Node, *, archive: bool) -> Published:
        name = str(key.value)
        if not _NAME.fullmatch(name):
            self.fault(key, f"{name!r}: a name is 1 to 100 lower-case letters, digits and _")
        if name in self._names:
            self.fault(key, f"{name}: the name is taken in line {self._names[name]}")
        self._names[name] = _line(key)
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
                self.fault(node, f"{name}: the member {file.member} stands twice")
            if file.member:
                seen.add(file.member)
            yield file

    def checkpoint(self, where: str, node: yaml.Node, *, archive: bool = False) -> Checkpoint:
        known = {"path", "sha256"} | ({"member"} if archive else set())
        fields = self.fields(node, where, known)
        path = self._text(fields.get("path"), node, f"{where}.path")
        if path:
            self._check_path(fields["path"], f"{where}.path", path)
        member = self._text(fields.get("member"), node, f"{where}.member") if archive else None
        return Checkpoint(path, self._sha256(fields, where), member)

    def _text(self, node: yaml.Node | None, parent: yaml.Node, where: str) -> str:
        if node and _is_text(node) and node.value:
            return str(node.value)
        self.fault(node or parent, f"{where}: {'not a text' if node else 'missing'}")
        return ""

    def _sha256(self, fields: dict[str, yaml.Node], where: str) -> str | None:
        node = fields.get("sha256")
        if node is None:
            return None
        if not _is_text(node) or not _SHA256.fullmatch(str(node.value)):
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
        elif max(len(p.encode()) for p in parts) > _LONGEST[0] or len(path.encode()) > _LONGEST[1]:
            self.fault(node, f"{where}: {path[:40]}... is too long for a disk")
        else:
            self._check_taken(node, where, path)

    def _check_taken(self, node: yaml.Node, where: str, path: str) -> None:
        folders = [path[:i] for i, letter in enumerate(path) if letter == "/"]
        for name, kind in [*((folder, "folder") for folder in folders), (path, "file")]:
            # Compared without case: on macOS two such names are one file.
            if (known := self._taken.get(name.casefold())) is None:
                self._taken[name.casefold()] = name, kind, _line(node)
                continue
            other, its_kind, line = known
            if other != name:
                self.fault(node, f"{where}: {name} differs only in case from {other}, line {line}")
            elif its_kind != kind:
                self.fault(node, f"{where}: {name} is a {kind} here, a {its_kind} in line {line}")
            elif kind == "file":
                self.fault(node, f"{where}: {name} stands already in line {line}")

    def network(self, node: yaml.Node | None) -> Network:
        fields = self.fields(node, "network", {*LIMITS, "mirrors"}) if node else {}
        given: dict[str, float] = {}
        for name in LIMITS.keys() & fields.keys():
            kind, low, high = LIMITS[name]
            number = _number(fields[name], kind)
            if low <= number <= high:
                given[name] = number
            else:
                wanted = f"a {'whole ' if kind is int else ''}number from {low} to {high}"
                self.fault(fields[name], f"network.{name}: {_shown(fields[name])} is not {wanted}")
        mirrors = tuple(self._mirrors(fields.get("mirrors")))
        return Network(**given, mirrors=mirrors)  # type: ignore[arg-type] # whole numbers were read as int

    def _mirrors(self, node: yaml.Node | None) -> Iterator[str]:
        if node and not isinstance(node, yaml.SequenceNode):
            self.fault(node, "network.mirrors: not a list of addresses and directories")
            return
        for item in node.value if node else []:
            if not _is_text(item) or ("://" in item.value and not is_safe(item.value)):
                what = "is neither an https address nor a directory"
                self.fault(item, f"network.mirrors: {_shown(item)} {what}")
            else:
                yield str(item.value)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _is_text(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":str")


def _shown(node: yaml.Node) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "a list or map"


def _number(node: yaml.Node, kind: type[float]) -> float:
    try:
        return kind(node.value) if isinstance(node, yaml.ScalarNode) else math.nan
    except ValueError:
        return math.nan  # within no limits
