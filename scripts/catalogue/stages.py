"""The stages that dvc.yaml declares, its templates resolved as DVC resolves them.

Known are `foreach` over a map and ${key}, ${item...} and names of params.yaml. Anything else that
DVC could resolve is refused: a test runs the real DVC against what is read here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.catalogue.documents import load
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TEMPLATE = re.compile(r"\$\{\s*([\w.]+)\s*\}")


@dataclass(frozen=True)
class Stage:
    """One stage: its command; paths of deps and outs, and keys of params.yaml, each sorted."""

    name: str
    cmd: str
    deps: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()


def read(path: Path, params: Mapping[str, Any]) -> list[Stage]:
    """Return the stages of dvc.yaml in its order; raise CatalogueError with every fault.

    `params` is what params.yaml holds, for the templates.
    """
    document = load(path)
    declared = document.get("stages") if isinstance(document, dict) else None
    if not isinstance(declared, dict):
        raise CatalogueError(path.name, ["no map of stages"])
    found, faults = [], []
    for name, body in declared.items():
        try:
            found += [_stage(*each) for each in _expanded(str(name), body, params)]
        except ValueError as error:
            faults.append(f"stages.{name}: {error}")
    if faults:
        raise CatalogueError(path.name, faults)
    return found


def _expanded(name: str, body: Any, params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield each stage that an entry stands for, by name; raise ValueError."""
    if not isinstance(body, dict):
        raise ValueError("not a map")  # noqa: TRY004 - a fault of the file, told with the others
    if "foreach" not in body:
        yield name, _resolved(body, params)
        return
    items = _resolved(body["foreach"], params)
    if not isinstance(items, dict):
        raise ValueError("foreach: not a map")  # noqa: TRY004
    for key, item in items.items():
        yield f"{name}@{key}", _resolved(body.get("do"), {**params, "key": key, "item": item})


def _stage(name: str, body: Any) -> Stage:  # noqa: ANN401
    cmd = body.get("cmd") if isinstance(body, dict) else None
    if not isinstance(cmd, str):
        raise ValueError("cmd is not a text")  # noqa: TRY004
    rows = (_names(body, kind) for kind in ("deps", "params", "outs"))
    return Stage(name, cmd, *rows)


def _names(body: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return paths, or keys of params, whether an entry is a text or a map with options."""
    rows = body.get(kind) or []
    if not isinstance(rows, list):
        raise ValueError(f"{kind} is not a list")  # noqa: TRY004
    names = [next(iter(row)) if isinstance(row, dict) and len(row) == 1 else row for row in rows]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"{kind} is not a list of texts")
    if kind == "params" and not all(isinstance(row, str) for row in rows):
        raise ValueError("params of another file than params.yaml")
    return tuple(sorted(names))


def _resolved(value: Any, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {_resolved(key, names): _resolved(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, names) for item in value]
    if not isinstance(value, str):
        return value
    if whole := _TEMPLATE.fullmatch(value):
        return _named(whole[1], names)
    text = _TEMPLATE.sub(lambda found: str(_named(found[1], names)), value)
    if "${" in text:
        raise ValueError(f"{text}: this template is not known here")
    return text


def _named(name: str, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
    found: Any = names
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            raise ValueError(f"${{{name}}}: there is no such name")
        found = found[part]
    return found
