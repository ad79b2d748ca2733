"""scripts.catalogue.stages: dvc.yaml is read as the real DVC reads it, or refused."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from scripts.catalogue import documents, stages
from scripts.catalogue.stages import Stage
from scripts.console.errors import CatalogueError
from tests.world.checkpoints import PAPER
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

PARAMS = """a: {path: models/a, size: 7}
items: {one: {path: p/1, off: no, deep: {er: x}}, two: {path: p/2, off: "1", deep: {er: y}}}
rest: {three: 3, four: {path: 4}}
list: [a]
odd: {5: {path: p}}
"""


def ours(root: Path) -> list[Stage]:
    """Read the stages of a folder."""
    return stages.read(root / "dvc.yaml", documents.load_as_dvc(root / "params.yaml"))


def theirs(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """Let the real DVC read them."""
    if not (root / ".dvc").exists():
        Repo.init(str(root), no_scm=True).close()
    monkeypatch.chdir(root)
    with Repo(str(root)) as repo:
        return [_stage(stage) for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"]


def _stage(stage: Any) -> Stage:  # noqa: ANN401 - DVC has no types
    params = [dep.read_params() for dep in stage.deps if isinstance(dep, ParamsDependency)]
    deps = sorted(d.def_path for d in stage.deps if not isinstance(d, ParamsDependency))
    outs = sorted(out.def_path for out in stage.outs)
    values = {key: value for read in params for key, value in read.items()}
    return Stage(stage.name, stage.cmd, tuple(deps), tuple(outs), values)


def write(root: Path, text: str) -> None:
    """Make dvc.yaml of some stages, beside params.yaml."""
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.yaml").write_text(f"stages:\n{text}")


@pytest.mark.parametrize(("folder", "least"), [(PAPER, 10), (REPOSITORY, 1)])
def test_the_stages_of_a_catalogue_are_read_as_dvc_reads_them(
    folder: Path, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command, path and key, in the same order: of the tests' own, and of this one."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(folder / name, tmp_path)

    assert ours(tmp_path) == theirs(tmp_path, monkeypatch)
    assert len(ours(tmp_path)) >= least


@pytest.mark.parametrize(
    "text",
    [
        "  s: {cmd: echo, deps: [b, a], outs: [d, {c: {cache: false}}], params: [a.size, a.path]}",
        "  s: {cmd: echo, outs: [b], metrics: [a], plots: [c, {e: {x: y}}], frozen: true, desc: d}",
        "  s: {cmd: echo $HOME, always_changed: true}\n  g: {cmd: x, meta: {any: 1}}",
        '  f: {foreach: "${items}", do: {cmd: "run ${key}", outs: ["${item.path}"]}}',
        '  f: {foreach: "${items}", do: {cmd: "${item.off}", params: ["items.${key}"]}}',
        '  f: {foreach: "${items}", do: {cmd: e, deps: ["${item.path}/x", "${item.path}/y"]}}',
        '  f: {foreach: "${items}", do: {cmd: e, outs: [{"${item.path}.out": {push: false}}]}}',
        '  f: {foreach: "${rest}", do: {cmd: "e ${key}"}}',
    ],
)
def test_small_stages_are_read_as_dvc_reads_them(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options, metrics and plots, foreach over maps of params.yaml."""
    write(tmp_path, text)

    assert ours(tmp_path) == theirs(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("  s: 1", "stages.s: not a map"),
        ("  s: {deps: [a]}", "stages.s: cmd: None is not a text"),
        ("  s: {cmd: [a, b]}", "stages.s: cmd: ['a', 'b'] is not a text"),
        ('  s: {cmd: "${a.path}"}', "stages.s: ${a.path}: no such name"),
        ("  s: {cmd: a, deps: b}", "stages.s: deps: not a list"),
        ("  s: {cmd: a, deps: [1]}", "stages.s: deps: 1 is not a text"),
        ("  s: {cmd: a, deps: [{a: {}}]}", "stages.s: deps: {'a': {}} is not a text"),
        ("  s: {cmd: a, outs: [{a: {}, b: {}}]}", "stages.s: outs: {'a': {}, 'b': {}} is not a te"),
        ("  s: {cmd: a, outs: [a, a]}", "stages.s: outs: duplicate entries"),
        ("  s: {cmd: a, params: [{o.yaml: [x]}]}", "stages.s: params: {'o.yaml': ['x']} is not a"),
        ("  s: {cmd: a, wdir: b}", "stages.s: wdir: not supported here"),
        ("  s: {cmd: a, vars: [b], matrix: {}}", "stages.s: matrix, vars: not supported here"),
        ('  s: {cmd: "${b}"}', "stages.s: ${b}: no such name"),
        ('  s: {cmd: "${key}"}', "stages.s: ${key}: no such name, or this template is not supp"),
        (
            "  f: {foreach: [a], do: {cmd: b}}",
            "stages.f: foreach: not ${NAME} of a map in params.y",
        ),
        ("  f: {foreach: {a: 1}, do: {cmd: b}}", "stages.f: foreach: not ${NAME} of a map in par"),
        ("  f: {foreach: items, do: {cmd: b}}", "stages.f: foreach: not ${NAME} of a map in para"),
        ('  f: {foreach: "${list}", do: {cmd: b}}', "stages.f: foreach: not ${NAME} of a map in "),
        ('  f: {foreach: "${items}"}', "stages.f: not a map"),
        ('  f: {foreach: "${items}", do: {cmd: b}, x: 1}', "stages.f: x: not supported here"),
        ('  f: {foreach: "${odd}", do: {cmd: b}}', "stages.f: key: 5 is not a text"),
        *(
            (
                f"  f: {{foreach: '${{items}}', do: {{cmd: '{cmd}'}}}}",
                f"stages.f: {cmd}: no such na",
            )
            for cmd in ("${item.deep}", "${item.deep.er}", "${item}", "${item[off]}", r"\${key}")
        ),
        ('  f: {foreach: "${rest}", do: {cmd: "${item.path}"}}', "stages.f: ${item.path}: no such"),
    ],
)
def test_what_is_not_supported_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    """Rather than read in another way than DVC does."""
    write(tmp_path, text)

    with pytest.raises(CatalogueError) as caught:
        ours(tmp_path)

    assert [each.startswith(fault) for each in caught.value.faults] == [True], caught.value.faults


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    """Of several stages, and of the file itself."""
    write(tmp_path, "  s: 1\n  t: {cmd: 1}\nvars: [a]\n")

    with pytest.raises(CatalogueError, match=r"dvc\.yaml: 3 faults"):
        ours(tmp_path)
