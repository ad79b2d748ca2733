"""The catalogue: entries, sets and network settings of params.yaml, checked before use."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import yaml

from scripts.catalogue import names
from scripts.catalogue.documents import compose, is_text, line_of, shown
from scripts.catalogue.urls import is_safe
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.catalogue.names import Names

TREE = "models"
COMPLETE = "complete"  # the set that is always there
MINIMAL = "minimal"  # the set to start with, if there is one
EMPTY = "the catalogue is empty. Next: ./checkpoints import-url URL models/PATH, or --from LIST"
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")  # DVC reads a dot in a key as a level of params
_SECTIONS = {"archives", "checkpoints", "configurations", "network", "sets"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 200, 500  # bytes of a part, of a path; file systems allow 255, 1,024 from their root

# Setting -> kind of number, minimum, maximum.
LIMITS: Mapping[str, tuple[type[float], float, float]] = {
    "connections": (int, 1, 64),
    "retries": (int, 0, 100),
    "backoff": (float, 0, 60),
    "timeout": (float, 0.1, 600),
    "least_rate": (float, 0, 1_000_000),
    "window": (float, 0.1, 600),
}


@dataclass(frozen=True)
class Network:
    """Ranges in flight, failures in a row, two times in seconds; the mirrors of this site.

    A file for which fewer than `least_rate` bytes/s arrive over `window` seconds has stalled.
    """

    connections: int = 10
    retries: int = 6
    backoff: float = 0.5
    timeout: float = 30.0
    least_rate: float = 1000.0
    window: float = 30.0
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
    """The content of params.yaml; entries by name.

    A set, and what a configuration of the paper's code loads, are paths of files by a name.
    """

    published: dict[str, Published]
    network: Network
    sets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    configurations: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def files(self) -> dict[str, Checkpoint]:
        """Every file of the tree by its path."""
        return {file.path: file for entry in self.published.values() for file in entry.files}

    @property
    def start(self) -> str:
        """The set to start with."""
        return MINIMAL if MINIMAL in self.sets else COMPLETE

    @cached_property
    def names(self) -> Names:
        """What each file is called."""
        return _names(self.published.values())

    @property
    def stages(self) -> dict[str, str]:
        """The stage that downloads each file, by the file's path."""
        return {file.path: each.stage for each in self.published.values() for file in each.files}

    def find(self, words: Sequence[str]) -> list[Published]:
        """Return the entries of these names; raise UsageError naming every unknown one."""
        if unknown := [word for word in words if word not in self.published]:
            raise names.unknown(unknown, self.published)
        return [self.published[word] for word in words]


def _names(published: Iterable[Published]) -> Names:
    return names.Names({file.path: entry.name for entry in published for file in entry.files})


def read(path: Path) -> Catalogue:
    """Return the catalogue that params.yaml holds, or raise CatalogueError with every fault."""
    reader = _Reader()
    root = reader.fields(compose(path, ended=True), path.name, _SECTIONS)
    published = [
        reader.published(key, node, archive=archive)
        for section, archive in (("checkpoints", False), ("archives", True))
        if section in root or not archive
        for key, node in reader.entries(root.get(section), section)
    ]
    named = _names(published)
    sets = reader.choices("sets", root, named, {COMPLETE: ()})
    loaded = reader.choices("configurations", root, named, sets)
    network = reader.network(root.get("network"))
    if reader.faults:
        ordered = [f"line {line}: {text}" for line, text in sorted(reader.faults)]
        raise CatalogueError(path.name, ordered)
    return Catalogue({entry.name: entry for entry in published}, network, sets, loaded)


@dataclass
class _Reader:
    """Read the nodes of params.yaml; collect every fault as (line, text)."""

    faults: list[tuple[int, str]] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=dict)
    _taken: dict[str, tuple[str, str, int]] = field(default_factory=dict)  # paths and folders

    def fault(self, node: yaml.Node | None, text: str) -> None:
        """Add a fault in the line of a node."""
        self.faults.append((line_of(node) if node else 1, text))

    def entries(self, node: yaml.Node | None, where: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Yield keys and values of a map whose keys are texts and stand once."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{where}: not a map of names")
            return
        seen: set[str] = set()
        for key, value in node.value:
            if not is_text(key):
                self.fault(key, f"{where}: the key {shown(key)} is not a text")
            elif key.value in seen:
                self.fault(key, f"{where}: duplicate key {key.value}")
            else:
                seen.add(key.value)
                yield key, value

    def fields(self, node: yaml.Node | None, where: str, known: set[str]) -> dict[str, yaml.Node]:
        """Return a map by key; keys that are not `known` are faults."""
        fields = {}
        for key, value in self.entries(node, where):
            fields[key.value] = value
            if key.value not in known:
                names = ", ".join(sorted(known))
                self.fault(key, f"{where}: unknown key {key.value} (known: {names})")
        return fields

    def text(self, fields: dict[str, yaml.Node], key: str, parent: yaml.Node, where: str) -> str:
        """Return a text that is not empty; without one, a fault and an empty text."""
        node = fields.get(key)
        if node and is_text(node) and node.value:
            return str(node.value)
        self.fault(node or parent, f"{where}.{key}: {'not a text' if node else 'missing'}")
        return ""

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
        seen: set[str | None] = set()
        for number, node in enumerate(nodes):
            file = self.checkpoint(f"{name}.members[{number}]", node, archive=True)
            if file.member and file.member in seen:
                self.fault(node, f"{name}: duplicate member {file.member}")
            seen.add(file.member)
            yield file

    def checkpoint(self, where: str, node: yaml.Node, *, archive: bool = False) -> Checkpoint:
        fields = self.fields(node, where, {"path", "sha256", *(["member"] if archive else [])})
        path = self.text(fields, "path", node, where)
        if path:
            self._check_path(fields["path"], f"{where}.path", path)
        member = self.text(fields, "member", node, where) if archive else None
        return Checkpoint(path, self._sha256(fields, where), member)

    def _sha256(self, fields: dict[str, yaml.Node], where: str) -> str | None:
        node = fields.get("sha256")
        if node and not (is_text(node) and _SHA256.fullmatch(node.value)):
            self.fault(node, f"{where}.sha256: not 64 lower-case hex digits in quotes")
        return str(node.value) if node else None

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

    def choices(
        self,
        section: str,
        root: dict[str, yaml.Node],
        named: Names,
        sets: Mapping[str, tuple[str, ...]],
    ) -> dict[str, tuple[str, ...]]:
        """Return the paths that each list of a section names; it may name one of the `sets`."""
        found = {}
        for key, node in self.entries(root[section], section) if section in root else ():
            where = f"{section}.{key.value}"
            if not _NAME.fullmatch(key.value) or (key.value in sets and section == "sets"):
                self.fault(key, f"{where}: not a name that a set can have")
            items = node.value if isinstance(node, yaml.SequenceNode) else []
            if not items:
                self.fault(node, f"{where}: not a list of names")
            chosen = (self._chosen(item, where, named, sets) for item in items)
            found[str(key.value)] = tuple(dict.fromkeys(chain(*chosen)))
        return found

    def _chosen(
        self,
        node: yaml.Node,
        where: str,
        named: Names,
        sets: Mapping[str, tuple[str, ...]],
    ) -> tuple[str, ...]:
        word = str(node.value) if is_text(node) else ""
        paths = sets.get(word) or named.matching(word)
        if not paths:
            self.fault(node, f"{where}: no file has the name {shown(node)}")
        return paths

    def network(self, node: yaml.Node | None) -> Network:
        fields = self.fields(node, "network", {*LIMITS, "mirrors"}) if node else {}
        given: dict[str, float] = {}
        for name in LIMITS.keys() & fields.keys():
            node, (kind, low, high) = fields[name], LIMITS[name]
            with suppress(ValueError, TypeError):  # TypeError: a list or map
                if low <= (value := kind(node.value)) <= high:
                    given[name] = value
            if name not in given:
                expected = f"a {'whole ' if kind is int else ''}number from {low} to {high}"
                self.fault(node, f"network.{name}: {shown(node)} is not {expected}")
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
