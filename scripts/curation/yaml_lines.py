"""Add or drop entries of a yaml map by their lines: no other line changes.

ruamel attaches a comment to the entry above it, and would drop both together. Every edited text
is parsed and compared with the intended document.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import yaml
from ruamel.yaml import YAML

from scripts.catalogue import documents
from scripts.console.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    _Pair = tuple[yaml.Node, yaml.Node]  # a key and its value


def add(text: str, section: str, entries: Mapping[str, Any], *, after: str = "") -> str:
    """Return the document with `entries` in its map `section`, behind a sibling or at the end.

    Raises UsageError if the layout of the document cannot be edited by lines.
    """
    (head, siblings), lines = _section(text, section), _lines(text)
    if siblings:
        names = [key.value for key, _ in siblings]
        key, value = siblings[names.index(after) if after in names else -1]
        at, column = _last(key, value) + 1, key.start_mark.column
        spaced = _blank(lines, _line(key) - 1)
    else:
        at, column, spaced = _line(head) + 1, head.start_mark.column + 2, False
        lines[at - 1] = lines[at - 1].replace(" {}", "", 1)
    ending = _ending(text)
    for line in _written(entries):
        fresh = [ending] if spaced and not line.startswith(" ") else []
        lines[at:at] = block = [*fresh, " " * column + line + ending]
        at += len(block)
    return _checked(text, section, lines, lambda found: {**found, **entries})


def extend(text: str, section: str, name: str, items: Sequence[str]) -> str:
    """Return the document with more items in the list `name` of `section`; raise UsageError."""
    (_, siblings), lines = _section(text, section), _lines(text)
    node = next(value for key, value in siblings if key.value == name)
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise _refusal(section)
    last = node.value[-1]
    if node.flow_style:
        line, at = last.end_mark.line, last.end_mark.column
        more = "".join(f", {item}" for item in items)
        lines[line] = lines[line][:at] + more + lines[line][at:]
    else:
        at, margin = _last(last, last) + 1, " " * node.start_mark.column
        lines[at:at] = [f"{margin}- {item}{_ending(text)}" for item in items]
    return _checked(text, section, lines, lambda found: {**found, name: [*found[name], *items]})


def drop(text: str, section: str, *names: str) -> str:
    """Return the document without entries of its map `section`; raise UsageError as add.

    A comment directly above an entry is dropped with it, unless another entry follows directly:
    such a comment is about them all.
    """
    (head, siblings), lines = _section(text, section), _lines(text)
    for run in reversed(_runs(siblings, names)):
        (key, _), stop = run[0], _last(*run[-1]) + 1
        start, margin = _line(key), " " * key.start_mark.column
        if not any(_line(other) == stop for other, _ in siblings):
            while lines[start - 1].startswith(f"{margin}#"):
                start -= 1
        if _blank(lines, start - 1) and _blank(lines, stop):
            start -= 1
        del lines[start:stop]
    if {key.value for key, _ in siblings} <= set(names):
        line, colon = _line(head), head.end_mark.column
        lines[line] = f"{lines[line][:colon]}: {{}}{lines[line][colon + 1 :]}"
    return _checked(
        text, section, lines, lambda found: {k: v for k, v in found.items() if k not in names}
    )


def _runs(siblings: Sequence[_Pair], names: Container[str]) -> list[list[_Pair]]:
    """Return the entries of these names; those that follow each other line by line together."""
    runs: list[list[_Pair]] = []
    for pair in siblings:
        if pair[0].value in names:
            follows = runs and _last(*runs[-1][-1]) + 1 == _line(pair[0])
            runs[-1].append(pair) if follows else runs.append([pair])
    return runs


def _section(text: str, name: str) -> tuple[yaml.Node, list[_Pair]]:
    """Return the key of a map at the top level, and the entries of that map."""
    root = documents.nodes(text)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for key, value in pairs:
        if key.value == name:
            if value.value and value.flow_style:
                raise _refusal(name)
            return key, value.value if isinstance(value, yaml.MappingNode) else []
    raise UsageError(f"there is no map named {name}", "Nothing was changed.")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line)


def _last(key: yaml.Node, node: yaml.Node) -> int:
    """Return the last line of an entry; comments behind it belong to the next one."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _last(*(last if isinstance(last, tuple) else (last, last)))
    mark = node.end_mark
    return max(_line(key), mark.line - (mark.column == 0))  # a block text ends on the next line


def _blank(lines: list[str], at: int) -> bool:
    return not "".join(lines[at : at + 1]).strip()


def _lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    return lines if text.endswith("\n") else [*lines[:-1], lines[-1] + "\n"]


def _ending(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _written(entries: Mapping[str, Any]) -> list[str]:
    """Return the lines of entries in the form of this repository's files."""
    form, stream = YAML(), io.StringIO()
    form.indent(mapping=2, sequence=4, offset=2)
    form.width = 10_000  # columns; nothing is folded
    form.dump(dict(entries), stream)
    return stream.getvalue().splitlines()


def _checked(
    text: str, section: str, lines: list[str], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> str:
    edited, intended = "".join(lines), documents.data(text)
    intended[section] = change(intended[section] or {})
    with suppress(yaml.YAMLError):
        if documents.data(edited) == intended:
            return edited
    raise _refusal(section)


def _refusal(section: str) -> UsageError:
    return UsageError(
        f"{section}: a program cannot edit this layout; it needs one key a line, and no braces",
        "Nothing was changed.",
        "Next: edit it by hand.",
    )
