"""Read and write YAML files that people and DVC write; a fault becomes one line with its place."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import yaml

from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ruamel.yaml import YAML

# libyaml's parser reads the lock ten times faster; a platform without it still works.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONFLICT = re.compile(r"^(?:<{7}|>{7}|\|{7}) ", re.MULTILINE)
_MERGE = (
    "Next: in params.yaml and dvc.yaml, take one side (`git checkout --ours FILE`) and add the",
    "other side's entry to it: git may have mixed the lines of two entries. Then",
    "`git checkout HEAD dvc.lock models.dvc models.json` and `./checkpoints seal`: it takes",
    "the other side's pins from its commit. Then `git add -u` and `git commit`.",
)
_DEPTH = 100  # levels; libyaml's composer recurses in C and would end the process

_BEFORE = " \t-?:"  # what may stand before the first text of a line


class _Strict(_Loader):  # type: ignore[misc, valid-type] # one of two loaders, alike for us
    """Refuses a duplicate key, as DVC does; PyYAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - PyYAML's signature
        """Return the map, or raise MarkedYAMLError."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _marked(f"duplicate key {key.value}", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def load(path: Path, where: str = "", *, ended: bool = False) -> Any:  # noqa: ANN401 - a yaml document is any data; callers check it
    """Return the document as plain data, or raise CatalogueError (naming it `where`).

    With `ended` a document whose last line has no end is a fault: it may have lost more.
    """
    return _read(path, where or path.name, data, ended=ended)


def load_as_dvc(path: Path) -> Any:  # noqa: ANN401
    """Return the document as DVC reads it, in YAML 1.2 (`yes` is a text); raise CatalogueError."""
    return _read(path, path.name, lambda text: _by_ruamel(text, _ruamel("safe")))


def editable(path: Path) -> Any:  # noqa: ANN401 - a document in ruamel's types, which keep its form
    """Return a document of DVC's to be changed and dumped again; raise CatalogueError."""
    load(path)  # for the line number of most faults
    return _read(path, path.name, lambda text: _by_ruamel(text, _ruamel("rt")))


def compose(path: Path, *, ended: bool = False) -> yaml.Node | None:
    """Return the document as nodes, which know their lines, or raise CatalogueError."""
    node: yaml.Node | None = _read(path, path.name, nodes, ended=ended)
    return node


def data(text: str) -> Any:  # noqa: ANN401
    """Return a text's document as plain data; raise what yaml does."""
    return yaml.load(text, Loader=_Strict)  # noqa: S506 - a safe loader


def nodes(text: str) -> yaml.Node | None:
    """Return a text's document as nodes; raise what yaml does."""
    node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    return node


def line_of(node: yaml.Node) -> int:
    """Return the line of a node, from 1."""
    return int(node.start_mark.line) + 1


def is_text(node: yaml.Node) -> bool:
    """Tell whether a node is a text."""
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":str")


def shown(node: yaml.Node) -> str:
    """Return a node as a message shows it."""
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "a list or map"


def dumped(document: Any) -> str:  # noqa: ANN401
    """Return the document as DVC itself would write it."""
    stream = io.StringIO()
    _ruamel("rt").dump(document, stream)
    return stream.getvalue()


def refuse_conflict(text: str, where: str) -> None:
    """Raise CatalogueError if git has left conflict markers in a text."""
    if found := _CONFLICT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        fault = f"line {line}: a conflict marker: a merge is not finished"
        raise CatalogueError(where, [fault], *_MERGE)


def _read(path: Path, where: str, parse: Callable[[str], Any], *, ended: bool = False) -> Any:  # noqa: ANN401
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CatalogueError(where, ["the file is missing"]) from error
    except OSError as error:
        raise CatalogueError(where, [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise CatalogueError(where, [f"not UTF-8 at byte {error.start}"]) from error
    return parsed(text, where, parse, ended=ended)


def parsed(text: str, where: str, parse: Callable[[str], Any] = data, *, ended: bool = True) -> Any:  # noqa: ANN401
    """Return a text's document, or raise CatalogueError (naming it `where`)."""
    try:
        refuse_conflict(text, where)
        if ended and not text.endswith("\n"):
            raise CatalogueError(where, ["its last line has no end: the rest may be lost"])
        _check_depth(text)
        return parse(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise CatalogueError(where, [f"{line}{error.problem or error.context}"]) from error
    except yaml.YAMLError as error:
        raise CatalogueError(where, [" ".join(str(error).split())]) from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        # The parsers' own: for 2026-13-45, !!bool x and !!timestamp x, and for a list as a key.
        raise CatalogueError(where, [f"invalid value: {error}"]) from error


def _check_depth(text: str) -> None:
    if not _may_be_deep(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise _marked(f"nested deeper than {_DEPTH} levels", event.start_mark)


def _may_be_deep(text: str) -> bool:
    """Tell whether a text may be nested too deep, without parsing it.

    Each column in which a line's first text can begin holds two levels at most, a map and a list;
    each bracket is another one.
    """
    columns = max((len(line) - len(line.lstrip(_BEFORE)) for line in text.splitlines()), default=0)
    return 2 * (columns + 1) + text.count("[") + text.count("{") > _DEPTH


def _marked(problem: str, mark: Any) -> yaml.MarkedYAMLError:  # noqa: ANN401 - of either parser
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _ruamel(kind: str) -> YAML:
    # Imported here: most commands need PyYAML alone, which reads faster.
    from ruamel.yaml import YAML  # noqa: PLC0415

    # As DVC sets it up, so that what is written here is what DVC would write.
    form = YAML(typ=kind)
    form.default_flow_style = False
    return form


def _by_ruamel(text: str, form: YAML) -> Any:  # noqa: ANN401
    """Parse a text; raise the errors of PyYAML."""
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        return form.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _marked(error.problem or error.context, mark) from error
    except YAMLError as error:
        raise yaml.YAMLError(str(error)) from error
