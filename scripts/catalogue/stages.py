"""The stages of dvc.yaml, with their templates resolved as DVC resolves them.

Supported are `foreach` over a map, and ${key}, ${item...} and names of params.yaml as templates.
Whatever else DVC could resolve is refused, so that no stage is read differently from DVC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.catalogue.documents import load_as_dvc
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TEMPLATE = re.compile(r"(?<!\\)\$\{([\w.-]+)\}")
_OUTS = ("outs", "metrics", "plots")  # dvc.lock has one list of all three
_RESOLVED = {"cmd", "deps", "params", *_OUTS}
_NOT_LOCKED = {"always_changed", "desc", "frozen", "meta"}


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

    `params` is the content of params.yaml, for the templates.
    """
    document = load_as_dvc(path)
    declared = document.get("stages") if isinstance(document, dict) else None
    if not isinstance(declared, dict):
        raise CatalogueError(path.name, ["no map of stages"])
    found, faults = [], ["vars: not supported here"] if "vars" in document else []
    for name, body in declared.items():
        try:
            found += [_stage(*each) for each in _expanded(str(name), body, params)]
        except ValueError as error:  # noqa: PERF203 - faults are collected
            faults.append(f"stages.{name}: {error}")
        except RecursionError:
            faults.append(f"stages.{name}: an alias refers to itself")
    if faults:
        raise CatalogueError(path.name, faults)
    return found


def _expanded(
    name: str,
    body: Any,  # noqa: ANN401
    params: Mapping[str, Any],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each stage that an entry declares, with its name; raise ValueError."""
    if not isinstance(body, dict) or "foreach" not in body:
        yield name, _body(body, params)
        return
    items = _resolved(body["foreach"], params)
    if not isinstance(items, dict):
        raise ValueError("foreach: not a map")  # noqa: TRY004 - a fault of the file
    if unknown := body.keys() - {"foreach", "do"}:
        raise ValueError(f"{', '.join(sorted(unknown))}: not supported here")
    for key, item in items.items():
        yield f"{name}@{_text(key)}", _body(body.get("do"), {**params, "key": key, "item": item})


def _body(body: Any, names: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(body, dict):
        raise ValueError("not a map")  # noqa: TRY004 - a fault of the file
    if unknown := body.keys() - _RESOLVED - _NOT_LOCKED:
        raise ValueError(f"{', '.join(sorted(map(str, unknown)))}: not supported here")
    return {kind: _resolved(body[kind], names) for kind in _RESOLVED & body.keys()}


def _stage(name: str, body: Mapping[str, Any]) -> Stage:
    if not isinstance(cmd := body.get("cmd"), str):
        raise ValueError("cmd: not a text")  # noqa: TRY004 - a fault of the file
    if not all(isinstance(row, str) for row in body.get("params") or []):
        raise ValueError("params: not a list of keys of params.yaml")
    outs = [path for kind in _OUTS for path in _names(body, kind)]
    deps, params = _names(body, "deps"), _names(body, "params")
    return Stage(name, cmd, *(tuple(sorted(rows)) for rows in (deps, params, outs)))


def _names(body: Mapping[str, Any], kind: str) -> list[str]:
    """Return paths, or keys of params, whether an entry is a text or a map with options."""
    rows = body.get(kind) or []
    if not isinstance(rows, list):
        raise ValueError(f"{kind}: not a list")  # noqa: TRY004 - a fault of the file
    names = [next(iter(row)) if isinstance(row, dict) and len(row) == 1 else row for row in rows]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"{kind}: not a list of texts")
    if len(set(names)) < len(names):
        raise ValueError(f"{kind}: duplicate entries")
    return names


def _resolved(value: Any, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return a value with its templates replaced; raise ValueError for one that is unknown."""
    if isinstance(value, dict):
        return {_resolved(key, names): _resolved(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, names) for item in value]
    if not isinstance(value, str):
        return value
    if "${" in _TEMPLATE.sub("", value):
        raise ValueError(f"{value}: this template is not supported here")
    if whole := _TEMPLATE.fullmatch(value):
        return _named(whole[1], names)
    return _TEMPLATE.sub(lambda found: _text(_named(found[1], names)), value)


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, dict | list):
        raise ValueError("a map or list inside a text")  # noqa: TRY004 - a fault of the file
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(name: str, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
    found: Any = names
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            raise ValueError(f"${{{name}}}: no such name")
        found = found[part]
    return found
