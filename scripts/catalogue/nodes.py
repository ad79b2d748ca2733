"""Read maps, lists and texts out of YAML nodes; collect every fault with its line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import yaml


@dataclass
class NodeReader:
    """Collect faults as (line, text) instead of stopping at the first."""

    faults: list[tuple[int, str]] = field(default_factory=list)

    def fault(self, node: yaml.Node | None, text: str) -> None:
        """Add a fault in the line of a node."""
        self.faults.append((line_of(node) if node else 1, text))

    def entries(
        self, node: yaml.Node | None, where: str, *, optional: bool = False
    ) -> list[tuple[yaml.Node, yaml.Node]]:
        """Return keys and values of a map whose keys are texts and stand once."""
        if node is None and optional:
            return []
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{where}: not a map of names")
            return []
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not is_text(key):
                self.fault(key, f"{where}: the key {shown(key)} is not a text")
            elif key.value in found:
                self.fault(key, f"{where}: duplicate key {key.value}")
            else:
                found[key.value] = key, value
        return list(found.values())

    def fields(self, node: yaml.Node | None, where: str, known: set[str]) -> dict[str, yaml.Node]:
        """Return a map by key; keys that are not `known` are faults."""
        fields = {}
        for key, value in self.entries(node, where):
            fields[key.value] = value
            if key.value not in known:
                names = ", ".join(sorted(known))
                self.fault(key, f"{where}: unknown key {key.value} (known: {names})")
        return fields

    def text(self, node: yaml.Node | None, parent: yaml.Node, where: str) -> str:
        """Return a text that is not empty; without one, a fault and an empty text."""
        if node and is_text(node) and node.value:
            return str(node.value)
        self.fault(node or parent, f"{where}: {'not a text' if node else 'missing'}")
        return ""


def line_of(node: yaml.Node) -> int:
    """Return the line of a node, from 1."""
    return int(node.start_mark.line) + 1


def is_text(node: yaml.Node) -> bool:
    """Tell whether a node is a text."""
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":str")


def shown(node: yaml.Node) -> str:
    """Return a node as a message shows it."""
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "a list or map"


def number_in(node: yaml.Node, kind: type[float]) -> float:
    """Return a node as a number; NaN, which is within no limits, if it is none."""
    try:
        return kind(node.value) if isinstance(node, yaml.ScalarNode) else math.nan
    except ValueError:
        return math.nan
