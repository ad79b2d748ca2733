"""Whatever stands in params.yaml or dvc.lock: it is read, or refused with a CheckpointError."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scripts.catalogue import documents, inventory, lock, params, pins, urls
from scripts.console.errors import CheckpointError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
SHA = "0123456789abcdef" * 4
PARAMS = f"""checkpoints:
  sam:
    path: models/sam/b.pth
    sha256: "{SHA}"
archives:
  raft:
    members:
      - {{member: m/a.pth, path: models/raft/a.pth}}
sets: {{least: [sam, 'ra*']}}
configurations: {{all: [least, b.pth]}}
network: {{connections: 8, timeout: 0.5}}
"""
LOCK = f"""schema: '2.0'
stages:
  fetch@sam:
    cmd: python -m scripts.fetch sam
    params:
      params.yaml:
        checkpoints.sam: {{path: models/sam/b.pth}}
    outs:
    - path: models/sam/b.pth
      hash: md5
      md5: {SHA[:32]}
      size: 12
"""
STAGES = """stages:
  fetch:
    foreach: ${checkpoints}
    do:
      cmd: python -m scripts.fetch ${key}
      params:
        - checkpoints.${key}
      outs:
        - ${item.path}:
            persist: true
  minimal:
    cmd: run
    deps: [models/sam/b.pth, models]
    metrics: [{models.json: {cache: false}}]
artifacts:
  sam: {path: models/sam/b.pth, labels: [sam], meta: {license: MIT, source: 'https://h'}}
"""
SEAL = f"deps:\n- path: models\n  md5: {SHA[:32]}.dir\n  nfiles: 1\n  hash: md5\n"
TEXTS = {"params.yaml": PARAMS, "dvc.lock": LOCK, "models.dvc": SEAL, "dvc.yaml": STAGES}
# What yaml makes something else of than a text, and what breaks its structure.
WORDS = [
    "\t", "\n", "\x00", "\x85", "\ufeff", "  ", "- ", "? ", ": ", "{", "}", "[", "]", ",", "#",
    "'", '"', "|", ">", "---\n", "...\n", "%YAML 3.0\n", "&a ", "*a", "<<: ", "!!int ", "!!bool ",
    "!!set ", "!!timestamp ", "!!binary ", "!!python/name:os.system ", "null", "~", "yes", ".inf",
    ".nan", "-1", "1e999", "0x_", "1_0", "2026-13-45", "12:30:45", "=", "../", "/", "\\",
    "\\ud800", "models", ".dir", "<<<<<<< ours\n", "=======\n", "9" * 5000, "[" * 150, "path",
    "md5", "stages", "members", "sha256", "${", "${key}", "${item}", "}", "foreach: ", "cmd",
]  # fmt: skip
PIECES = st.sampled_from(WORDS).map(str.encode) | st.binary(max_size=3)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> bytes:
    """Draw `text` with a few pieces cut out, doubled, or replaced by what a slip may leave."""
    data = text.encode()
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        data = data[:start] + draw(PIECES | st.just(data[start:end] * 2)) + data[end:]
    return data


def structures() -> SearchStrategy[bytes]:
    """Draw yaml of any structure, as far as the words of params.yaml and dvc.lock make one."""
    keys = st.sampled_from(
        ["checkpoints", "archives", "network", "stages", "sam", "path", "outs", "deps", "cmd", "do"]
    )
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | keys | st.text(max_size=5)
    deep = st.recursive(leaf, lambda x: st.lists(x, max_size=3) | st.dictionaries(keys, x))
    return deep.map(lambda value: json.dumps(value).encode())


def survives(name: str, data: bytes) -> None:
    """Read a small repository in which one file is `data`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for other, text in TEXTS.items():
            (root / other).write_bytes(data if other == name else text.encode())
        for use in (
            lambda: str(params.read(root / "params.yaml").files),
            lambda: str(pins.read(root / "dvc.lock")),
            lambda: inventory.render(root),
            lambda: lock.render(root),
        ):
            with suppress(CheckpointError):
                use()


def test_the_small_repository_is_a_good_one(tmp_path: Path) -> None:
    """What is mutated below is read without a fault as it is."""
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)

    made = lock.render(tmp_path)

    assert set(made) == {"dvc.lock", "models.dvc", "models.json"}
    assert list(documents.data(made["dvc.lock"])["stages"]) == ["fetch@sam", "minimal"]


@QUICK
@given(mutated(PARAMS))
@example(b"network: &a {connections: *a}")
@example(b"checkpoints: &a {sam: *a}")
@example(b"? &a {b: *a}\n: c")
def test_no_params_yaml_breaks_a_command(data: bytes) -> None:
    """A slip of any kind is a CheckpointError or none at all."""
    survives("params.yaml", data)


@QUICK
@given(mutated(LOCK))
@example(b"stages: &a {b: *a}")
@example(b"stages: {a: &a {outs: [*a]}}")
def test_no_lock_breaks_a_command(data: bytes) -> None:
    """A slip of any kind is a CheckpointError or none at all."""
    survives("dvc.lock", data)


@QUICK
@given(st.sampled_from(["params.yaml", "dvc.lock", "models.dvc", "dvc.yaml"]), structures())
def test_no_structure_breaks_a_command(name: str, data: bytes) -> None:
    """Lists for maps, numbers for texts, nothing for something."""
    survives(name, data)


@QUICK
@given(mutated(STAGES))
@example(b"stages: &a {b: *a}")
@example(b"stages: {a: &a {foreach: *a, do: *a}}")
def test_no_dvc_yaml_breaks_a_command(data: bytes) -> None:
    """A slip of any kind is a CheckpointError or none at all."""
    survives("dvc.yaml", data)


@QUICK
@given(mutated(SEAL))
def test_no_seal_breaks_a_command(data: bytes) -> None:
    """A slip of any kind is a CheckpointError or none at all."""
    survives("models.dvc", data)


@QUICK
@given(st.text() | st.text(alphabet="htps:/[]@\\.127?#%\t\n"))
def test_any_address_is_safe_or_not(text: str) -> None:
    """A redirect may say anything."""
    assert urls.is_safe(text) in (True, False)


@QUICK
@given(st.text(alphabet="models/.aA\\ \n-é", max_size=12))
def test_a_path_that_is_taken_stays_below_models(path: str) -> None:
    """Whatever is accepted names a place below models/, and no other."""
    with tempfile.TemporaryDirectory() as folder, suppress(CheckpointError):
        written = Path(folder, "params.yaml")
        quoted = json.dumps(f"models/{path}")
        written.write_text(f"checkpoints: {{sam: {{path: {quoted}}}}}")

        (taken,) = params.read(written).files

        assert Path(folder, taken).resolve().is_relative_to(Path(folder, "models").resolve())
        assert Path(taken).as_posix() == taken
