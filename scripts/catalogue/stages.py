"""The stages of dvc.yaml, with their templates resolved as DVC resolves them.

Supported is `foreach: ${NAME}` over a map of params.yaml, with ${key} and the texts of its maps,
${item.FIELD}. Whatever else DVC could resolve is refused: no stage is read differently from DVC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from scripts.catalogue.documents import load_as_dvc
from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TEMPLATE = re.compile(r"(?<!\\)\$\{(key|item\.\w+)\}")
_OUTS = ("outs", "metrics", "plots")  # dvc.lock has one list of all three
_KNOWN = {"cmd", "deps", "params", *_OUTS, "always_changed", "desc", "frozen", "meta"}


@dataclass(frozen=True)
class Stage:
    """One stage: its command; paths of deps and outs, and values of params.yaml, each sorted."""

    name: str
    cmd: str
    deps: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)  # by their keys


def read(path: Path, params: Mapping[str, Any]) -> list[Stage]:
    """Return the stages of dvc.yaml in its order; raise CatalogueError with every fault.

    `params` is the content of params.yaml.
    """
    document = load_as_dvc(path)
    declared = document.get("stages") if isinstance(document, dict) else None
    if not isinstance(declared, dict):
        raise CatalogueError(path.name, ["no map of stages"])
    found: list[Stage] = []
    faults = ["vars: not supported here"] if "vars" in document else []
    for name, body in declared.items():
        try:
            found += _expanded(str(name), body, params)
        except ValueError as error:  # noqa: PERF203 - faults are collected
            faults.append(f"stages.{name}: {error}")
    if faults:
        raise CatalogueError(path.name, faults)
    return found


def _expanded(name: str, body: Any, params: Mapping[str, Any]) -> Iterator[Stage]:  # noqa: ANN401
    """Yield each stage that an entry declares; raise ValueError."""
    if not isinstance(body, dict) or "foreach" not in body:
        yield _stage(name, body, {}, params)
        return
    _refuse_unknown(body, {"foreach", "do"})
    over = re.fullmatch(r"\$\{(\w+)\}", str(body["foreach"]))
    items = params.get(over[1]) if over else None
    if not isinstance(items, dict):
        raise ValueError("foreach: not ${NAME} of a map in params.yaml")  # noqa: TRY004 - a fault of the file
    for key, item in items.items():
        fields = item.items() if isinstance(item, dict) else ()
        texts = {f"item.{field}": text for field, text in fields if isinstance(text, str)}
        texts["key"] = _text(key, {}, "key: ")
        yield _stage(f"{name}@{key}", body.get("do"), texts, params)


def _stage(name: str, body: Any, names: Mapping[str, str], params: Mapping[str, Any]) -> Stage:  # noqa: ANN401
    if not isinstance(body, dict):
        raise ValueError("not a map")  # noqa: TRY004 - a fault of the file
    _refuse_unknown(body, _KNOWN)
    keys, deps, *outs = (sorted(_texts(body, kind, names)) for kind in ("params", "deps", *_OUTS))
    values = {key: _value(params, key) for key in keys}
    if missing := [key for key, value in values.items() if value is None]:
        raise ValueError(f"params.yaml has no {', '.join(missing)}")
    cmd = _text(body.get("cmd"), names, "cmd: ")
    return Stage(name, cmd, tuple(deps), tuple(sorted(chain(*outs))), values)


def _value(params: Any, key: str) -> Any:  # noqa: ANN401 - any value a yaml file can hold
    """Return the value of a dotted key, or None: params.yaml holds no null."""
    for name in key.split("."):
        params = params.get(name) if isinstance(params, dict) else None
    return params


def _refuse_unknown(body: dict[str, Any], known: set[str]) -> None:
    if unknown := body.keys() - known:
        raise ValueError(f"{', '.join(sorted(map(str, unknown)))}: not supported here")


def _texts(body: dict[str, Any], kind: str, names: Mapping[str, str]) -> list[str]:
    """Return paths, or keys of params; the entry of an out may be a map with its options."""
    rows = body.get(kind) or []
    if not isinstance(rows, list):
        raise ValueError(f"{kind}: not a list")  # noqa: TRY004 - a fault of the file
    if kind in _OUTS:
        rows = [next(iter(r)) if isinstance(r, dict) and len(r) == 1 else r for r in rows]
    texts = [_text(row, names, f"{kind}: ") for row in rows]
    if len(set(texts)) < len(texts):
        raise ValueError(f"{kind}: duplicate entries")
    return texts


def _text(value: Any, names: Mapping[str, str], where: str) -> str:  # noqa: ANN401
    """Return a text with its templates replaced; raise ValueError for one that is unknown."""
    if not isinstance(value, str):
        raise ValueError(f"{where}{value!r:.40} is not a text")  # noqa: TRY004 - a fault of the file
    text = _TEMPLATE.sub(lambda found: names.get(found[1], found[0]), value)
    if "${" in text:
        raise ValueError(f"{value}: no such name, or this template is not supported here")
    return text
