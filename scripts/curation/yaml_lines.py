"""Edit a yaml map by its lines: an entry comes or goes, every other line stays as it was written.

A round trip through ruamel would tie a comment to the entry above it, and lose both together.
Every edit is parsed again, and must say what was meant.
"""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any

import yaml
from ruamel.yaml import YAML

from scripts.catalogue import documents
from scripts.console.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WIDEST = 10_000  # columns; nothing is folded


def add(text: str, section: str, entry: Mapping[str, Any], *, after: str = "") -> str:
    """Return the document with `entry` in its map `section`, behind a sibling or else at the end.

    Raises UsageError if the document is laid out as no lines can be added to.
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
    ending = "\r\n" if "\r\n" in text else "\n"
    block = [" " * column + line + ending for line in _written(entry)]
    lines[at:at] = [ending, *block] if spaced else block
    return _checked(text, section, lines, lambda found: found.update(copy.deepcopy(dict(entry))))


def drop(text: str, section: str, name: str) -> str:
    """Return the document without the entry `name` of its map `section`; raise UsageError as add.

    A comment right above the entry goes with it, unless another entry follows at once: such a
    comment stands above them all.
    """
    (head, siblings), lines = _section(text, section), _lines(text)
    key, value = next(pair for pair in siblings if pair[0].value == name)
    start, stop, margin = _line(key), _last(key, value) + 1, " " * key.start_mark.column
    if not any(_line(other) == stop for other, _ in siblings):
        while lines[start - 1].startswith(f"{margin}#"):
            start -= 1
    if _blank(lines, start - 1) and _blank(lines, stop):
        start -= 1
    del lines[start:stop]
    if len(siblings) == 1:
        line, colon = _line(head), head.end_mark.column
        lines[line] = f"{lines[line][:colon]}: {{}}{lines[line][colon + 1 :]}"
    return _checked(text, section, lines, lambda found: found.pop(name))


def _section(text: str, name: str) -> tuple[yaml.Node, list[tuple[yaml.Node, yaml.Node]]]:
    """Return the key of a map at the top of a document, and the entries of that map."""
    root = documents.nodes(text)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for key, value in pairs:
        if key.value == name and not (value.value and value.flow_style):
            return key, value.value if isinstance(value, yaml.MappingNode) else []
        if key.value == name:
            raise _refusal(name)
    raise UsageError(f"there is no map {name}: to edit", "Nothing was changed.")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line)


def _last(key: yaml.Node, node: yaml.Node) -> int:
    """Return the last line of an entry; the comments behind it belong to what follows."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _last(*(last if isinstance(last, tuple) else (last, last)))
    mark = node.end_mark
    return max(_line(key), mark.line - (mark.column == 0))  # of a block text, it is the next line


def _blank(lines: list[str], at: int) -> bool:
    return not "".join(lines[at : at + 1]).strip()


def _lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    return lines if text.endswith("\n") else [*lines[:-1], lines[-1] + "\n"]


def _written(entry: Mapping[str, Any]) -> list[str]:
    """Return an entry in the form of this repository's files."""
    form, stream = YAML(), io.StringIO()
    form.indent(mapping=2, sequence=4, offset=2)
    form.width = _WIDEST
    form.dump(dict(entry), stream)
    return stream.getvalue().splitlines()


def _checked(
    text: str, section: str, lines: list[str], change: Callable[[dict[str, Any]], object]
) -> str:
    edited, meant = "".join(lines), documents.data(text)
    meant[section] = meant[section] or {}
    change(meant[section])
    try:
        right = documents.data(edited) == meant
    except yaml.YAMLError:
        right = False
    if not right:
        raise _refusal(section)
    return edited


def _refusal(section: str) -> UsageError:
    return UsageError(
        f"{section}: is not laid out as a program can edit it: one key a line, no braces",
        "Nothing was changed.",
        "Next: edit it by hand.",
    )
