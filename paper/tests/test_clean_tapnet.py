"""python -m paper.clean_tapnet: params and state bit for bit, as NumPy 1 writes them."""

from __future__ import annotations

import base64
import io
import os
import pickle
import random
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from paper import clean_tapnet
from paper.tapnet import cleaning as tapnet
from paper.tapnet import ndarrays
from scripts.console import dispatch
from scripts.console.errors import PickleError
from tests.console.test_command import python
from tests.curation import changing
from tests.download import transfers
from tests.pickles import numpy1
from tests.pickles.numpy1 import F4, HEADER, OBJECT, Dtype, Ndarray, checkpoint, save
from tests.pickles.test_fuzz_pickle import BOMBS, FILES, LARGEST, mutated
from tests.world import Fault
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

SOURCE = "models/tapnet_ckpts/open_source_ckpt/checkpoint.npy"
PATH = "models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy"
# {"params": {"a/b": {"w": arange(6, dtype="f4").reshape(2, 3), "b": zeros(3, "f4")}},
#  "state": {"c": {"counter": array(3, "i4")}}} as numpy 2.4.6 pickled it, with numpy.core for
# numpy._core: what NumPy 1 writes, by NumPy itself.
GOLDEN = HEADER + base64.b64decode("""
gANjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxAGNudW1weQpuZGFycmF5CnEBSwCFcQJDAWJxA4dxBFJx
BShLASljbnVtcHkKZHR5cGUKcQZYAgAAAE84cQeJiIdxCFJxCShLA1gBAAAAfHEKTk5OSv////9K/////0s/dHELYoldcQx9
cQ0oWAYAAABwYXJhbXNxDn1xD1gDAAAAYS9icRB9cREoWAEAAAB3cRJoAGgBSwCFcRNoA4dxFFJxFShLAUsCSwOGcRZoBlgC
AAAAZjRxF4mIh3EYUnEZKEsDWAEAAAA8cRpOTk5K/////0r/////SwB0cRtiiUMYAAAAAAAAgD8AAABAAABAQAAAgEAAAKBA
cRx0cR1iWAEAAABicR5oAGgBSwCFcR9oA4dxIFJxIShLAUsDhXEiaBmJQwwAAAAAAAAAAAAAAABxI3RxJGJ1c1gFAAAAc3Rh
dGVxJX1xJlgBAAAAY3EnfXEoWAcAAABjb3VudGVycSloAGgBSwCFcSpoA4dxK1JxLChLASloBlgCAAAAaTRxLYmIh3EuUnEv
KEsDaBpOTk5K/////0r/////SwB0cTBiiUMEAwAAAHExdHEyYnNzdWF0cTNiLg==
""")
# Refuses the packages that the command must not need, and runs it.
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"haiku", "jax", "numpy", "optax", "tapnet", "tensorflow"}:
            raise ModuleNotFoundError(f"no {name} here")
sys.meta_path.insert(0, Absent())
from paper.clean_tapnet import main
sys.exit(main(sys.argv[1:]))
"""


def kept(content: dict[str, Any]) -> bytes:
    """Return the expected file for a checkpoint."""
    return save({"params": content["params"], "state": content["state"]})


def put(clone: TestClone, data: bytes, path: str = SOURCE) -> Path:
    """Write a file of the tree."""
    target = clone.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def pin(clone: TestClone, data: bytes) -> None:
    """Pin the expected result."""
    transfers.pin(clone, data, path=PATH)


def test_what_numpy_wrote_is_written_again_byte_for_byte() -> None:
    """The form is that of NumPy itself, references and all."""
    assert tapnet.clean(GOLDEN) == GOLDEN


def test_params_and_state_stay_and_the_rest_goes() -> None:
    """The optimizer's state shares dtypes with them, and its classes are nowhere."""
    content = checkpoint()
    data = save(content)

    made = tapnet.clean(data)

    assert made == kept(content)
    assert b"optax" in data
    assert b"tapnet.optimizers" in data
    assert b"optax" not in made
    assert b"optimizers" not in made


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_protocol_of_the_original_does_not_matter(protocol: int) -> None:
    """NumPy 2 writes protocol 4, where names come from the stack; 2 has no bytes of its own."""
    content = checkpoint(opt_state=None)
    data = save(content, protocol)

    if protocol == 2:
        with pytest.raises(PickleError, match="is not supported"):
            tapnet.clean(data)
    else:
        assert tapnet.clean(data) == kept(content)


def test_the_result_loads_with_numpy_alone() -> None:
    """Types, shapes, order in memory and bytes are those of the original."""
    numpy: Any = pytest.importorskip("numpy")
    content = checkpoint()

    made = tapnet.clean(save(content))

    loaded = numpy.load(io.BytesIO(made), allow_pickle=True).item()
    assert list(loaded) == ["params", "state"]
    for kind, group in loaded.items():
        for module, arrays in group.items():
            for name, array in arrays.items():
                _, shape, dtype, fortran, data = content[kind][module][name].state
                assert (array.shape, array.dtype.str) == (shape, f"<{dtype.code}")
                assert array.tobytes("A") == data
                assert array.flags.f_contiguous or not fortran


def test_numpy_writes_the_very_same_file() -> None:
    """Loaded and saved by NumPy itself, with NumPy 2's new module name put back."""
    numpy: Any = pytest.importorskip("numpy")
    made = tapnet.clean(save(checkpoint(opt_state=(1, [2.5]))))

    again = numpy.load(io.BytesIO(made), allow_pickle=True)

    theirs = pickle.dumps(again, protocol=3).replace(b"numpy._core.m", b"numpy.core.m")
    assert made == HEADER + theirs


def test_numpy_scalars_and_plain_values_are_kept() -> None:
    """Whatever numpy.load gives back without a class of another package."""
    scalar = (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(X\x02\0\0\0f4I00\nI01\ntR"
        b"(I3\nX\x01\0\0\0<NNNI-1\nI-1\nI0\ntbB\x04\0\0\0\0\0\x80?tR"
    )
    plain = {"list": [1, -1, 2.5, None, True], "tuple": ("é", b"x" * 300, 1 << 70), 3: {}}
    data = save({"params": plain, "state": "SCALAR"})

    made = tapnet.clean(data.replace(b"X\x06\0\0\0SCALAR", scalar))

    read = _values(made)
    assert read["params"] == plain
    assert (read["state"].data, read["state"].shape) == (b"\0\0\x80?", None)
    assert tapnet.clean(made) == made


def _values(data: bytes) -> dict[str, Any]:
    held, reader = ndarrays.load(data), ndarrays.Reader()
    return {str(key): reader.value(node, str(key)) for key, node in held.items()}


def loop() -> bytes:
    """Return a file whose params hold themselves."""
    params: dict[str, Any] = {}
    params["again"] = params
    return save(checkpoint(params=params))


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "no npy": (lambda: b"<html>", "not an npy file of version 1"),
    "nothing": (lambda: b"", "not an npy file of version 1"),
    "no pickle": (lambda: HEADER + b"\xff", "its pickle is broken: byte 128: no opcode is 0xff"),
    "cut short": (lambda: save(checkpoint())[:-9], "its pickle is broken: "),
    "no array": (lambda: HEADER + pickle.dumps({}, 3), "not a dict in an array of no dimensions"),
    "no dict": (lambda: save([1]), "the array: not a dict whose keys are texts or numbers"),
    "no state": (lambda: save({"params": {}}), "it has no state"),
    "neither": (lambda: save({}), "it has no params and no state"),
    "a class": (
        lambda: save(checkpoint(params={"a": {"b": numpy1.Decay()}})),
        "params/a/b: tapnet.optimizers.AddWeightDecayState is not supported",
    ),
    "a set": (lambda: save(checkpoint(params={"a": {1}}), 4), "params/a: set is not supported"),
    "odd keys": (lambda: save(checkpoint(params={None: 1})), "params: not a dict whose keys"),
    "a loop": (loop, "nested deeper than 50 levels"),
    "objects": (
        lambda: save(checkpoint(params={"a": Ndarray(OBJECT, (1,), b"12345678")})),
        "params/a: an array of anything but numbers",
    ),
    "no type": (
        lambda: save(checkpoint(params={"a": Ndarray([], (1,), b"1234")})),
        "params/a: an array of anything but numbers",
    ),
    "an unknown order": (
        lambda: save(checkpoint(params={"a": Ndarray(Dtype("f4", "="), (1,), b"1234")})),
        "params/a: an array of anything but numbers",
    ),
    "bytes missing": (
        lambda: save(checkpoint(params={"a": Ndarray(F4, (2,), b"1234")})),
        "params/a: an array with inconsistent type, shape and bytes",
    ),
    "a negative size": (
        lambda: save(checkpoint(params={"a": Ndarray(F4, (-1, -1), b"1234")})),
        "params/a: an array with inconsistent type, shape and bytes",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_not_known_is_refused(
    case: str, clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message with the place in the tree; no file is changed."""
    build, words = BROKEN[case]
    data = build()
    put(clone, data)

    code = clean_tapnet.main([])

    err = capsys.readouterr().err
    assert code == 1
    assert err.startswith(f"error: {clone.root / SOURCE}: ")
    assert words in err
    assert "None of its code was run, and nothing was written." in err
    assert clone.tree() == {SOURCE: data}
    assert not (clone.root / "quarantine").exists()


def test_a_huge_input_is_not_read(
    clone: TestClone, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 2.5 GB checkpoint would fill the memory."""
    monkeypatch.setattr(tapnet, "_LARGEST", 99)
    put(clone, save(checkpoint()))

    assert clean_tapnet.main([]) == 1
    assert "larger than 99 bytes" in capsys.readouterr().err


def test_nothing_of_the_pickle_is_run(clone: TestClone) -> None:
    """A call of os.system in the optimizer state is not made."""

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {clone.root}/run",)

    content = checkpoint(opt_state=Hostile())

    made = tapnet.clean(save(content))

    assert made == kept(content)
    assert not (clone.root / "run").exists()


def test_the_pinned_file_takes_its_place(clone: TestClone) -> None:
    """Like fetch: in the cache, linked, known to DVC; and without the six packages."""
    content = checkpoint()
    put(clone, save(content))
    pin(clone, kept(content))

    done = clone.run(sys.executable, "-c", WITHOUT)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{PATH}  rebuilt\n"
    assert clone.read(PATH) == kept(content)
    assert clone.objects() == {transfers.md5(kept(content)): kept(content)}


def test_what_was_begun_of_the_file_goes(clone: TestClone) -> None:
    """Its publisher's quota was used up half-way, and a rebuilding was killed."""
    content = checkpoint()
    put(clone, save(content))
    pin(clone, kept(content))
    folder = clone.root / ".dvc/tmp/fetch"
    folder.mkdir(parents=True)
    key = transfers.md5(kept(content))
    for name in (f"{key}.driveABCD1234.part", f"{key}.rebuilt", f"{key}.part"):
        (folder / name).write_bytes(b"half")

    assert clean_tapnet.main([]) == 0

    assert clone.read(PATH) == kept(content)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("before", ["made", "put there by hand"])
def test_what_is_in_place_already_is_kept(
    before: str,
    clone: TestClone,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A second run changes nothing; a file put there by hand is adopted."""
    content = checkpoint()
    put(clone, save(content))
    pin(clone, kept(content))
    if before == "made":
        assert clean_tapnet.main([]) == 0
    else:
        put(clone, kept(content), PATH)
    capsys.readouterr()

    code = clean_tapnet.main([])

    assert (code, capsys.readouterr().out) == (0, f"{PATH}  kept: already in place\n")
    assert not (clone.root / "quarantine").exists()


def test_a_wrong_file_in_the_way_goes_to_quarantine(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is never overwritten."""
    content = checkpoint()
    put(clone, save(content))
    pin(clone, kept(content))
    put(clone, b"wrong", PATH)

    assert clean_tapnet.main([]) == 0

    assert "a wrong file was in its place" in capsys.readouterr().out
    assert clone.read(PATH) == kept(content)


def unlike(clone: TestClone, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run the command for a result that is not pinned, and check what always holds."""
    before = clone.tree(), clone.objects(), clone.read("dvc.lock")
    code = clean_tapnet.main([])
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.startswith("error: tapnet_checkpoint_wo_optstate: the rebuilt file is not the")
    assert "./checkpoints repin tapnet_checkpoint_wo_optstate" in err
    (aside,) = (clone.root / "quarantine").rglob("*.npy")
    assert f"The rebuilt file is {aside.relative_to(clone.root)}; models/" in err
    assert (clone.tree(), clone.objects(), clone.read("dvc.lock")) == before
    for word in words:
        assert word in err, err
    return err


def test_another_hash_is_put_aside(clone: TestClone, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the pinned file there is no comparison; the user decides."""
    put(clone, save(checkpoint()))
    pin(clone, b"the published file")

    unlike(
        clone,
        capsys,
        f"pinned   md5 {transfers.md5(b'the published file')}   (dvc.lock)",
        f"rebuilt  md5 {transfers.md5(kept(checkpoint()))}",
        "The pinned file is not on this disk, so the two were not compared.",
    )


def test_without_a_pin_nothing_is_trusted(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rebuilt file has no first use."""
    put(clone, save(checkpoint()))
    transfers.unpin(clone)
    (clone.root / "dvc.lock").write_text("stages: {}\n")

    unlike(clone, capsys, "pinned   md5 None", "were not compared")


def test_the_same_arrays_in_another_pickle_are_reported(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """The published file may have been pickled by another version: then only its hash differs."""
    put(clone, save(checkpoint()))
    published = save({"state": checkpoint()["state"], "params": checkpoint()["params"]}, 4)
    pin(clone, published)
    put(clone, published, PATH)

    unlike(clone, capsys, "Both have the same arrays, bit for bit")


def test_every_array_that_differs_is_named(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Compared with the object in the cache, where the workspace has none."""
    put(clone, save(checkpoint()))
    state = {"norm": {"average": numpy1.floats(1, 3), "other": [1]}}
    published = save({"params": checkpoint()["params"], "state": state})
    pin(clone, published)
    md5 = transfers.md5(published)
    put(clone, published, f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")

    unlike(
        clone,
        capsys,
        "3 leaves differ:",
        "different in value        /state/norm/average",
        "only in the pinned file   /state/norm/other/0",
        "only in the rebuilt file  /state/norm/counter",
    )


@pytest.mark.parametrize("leaf", [[], [None]])
def test_lists_that_share_items_end_after_a_limit(leaf: list[object]) -> None:
    """Forty lists of some hundred bytes have a million million leaves."""
    for _ in range(40):
        leaf = [leaf, leaf]
    data = tapnet.clean(save(checkpoint(params={"a": leaf})))

    with pytest.raises(PickleError, match="more than 100,000 leaves"):
        tapnet.differences(data, data)


def test_what_is_empty_is_compared() -> None:
    """A dict is no list, also where neither holds anything."""
    one, other = (kept(checkpoint(params={"a": kind()})) for kind in (dict, list))

    assert tapnet.differences(one, other) == ["different in value        /params/a"]


def test_more_differences_than_a_screen_are_counted(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another training gives other arrays everywhere."""
    put(clone, save(checkpoint(params={str(n): n for n in range(30)}, state=[])))
    published = save({"params": {str(n): -n for n in range(30)}, "state": []})
    pin(clone, published)
    put(clone, published, PATH)

    unlike(clone, capsys, "29 leaves differ:", "and 9 more")


def test_a_pinned_file_that_is_not_known_cannot_be_compared(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as one that holds a class after all."""
    put(clone, save(checkpoint()))
    pin(clone, b"no npy file")
    put(clone, b"no npy file", PATH)

    unlike(clone, capsys, "could not be compared: not an npy file of version 1")


@pytest.mark.parametrize("expected", ["the pinned file", "not the pinned file"])
def test_an_output_of_ones_own_is_written(
    expected: str,
    clone: TestClone,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A line states whether it is the pinned file; an existing file is not replaced."""
    content, output = checkpoint(), tmp_path / "clean.npy"
    if expected == "the pinned file":
        pin(clone, kept(content))
    given = [str(put(clone, save(content), "mine.npy")), str(output)]

    first, out = clean_tapnet.main(given), capsys.readouterr().out
    second, error = clean_tapnet.main(given), capsys.readouterr().err

    assert (first, second) == (0, 1)
    assert out.startswith(f"{output}  {expected}: md5 ")
    assert f"{output} exists already" in error
    assert output.read_bytes() == kept(content)


def test_a_fifo_is_no_input(clone: TestClone, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, and nothing waits for its writer."""
    os.mkfifo(clone.root / "pipe")

    assert clean_tapnet.main(["pipe"]) == 1
    assert capsys.readouterr().err == "error: pipe is a FIFO\n  Next: move it away.\n"


@pytest.mark.parametrize("words", [[], ["x" * 5000]])
def test_a_missing_input_is_an_error(
    words: list[str], clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that fetches it."""
    code = clean_tapnet.main(words)

    assert code == 1
    assert (
        "is missing\n  Next: ./checkpoints dvc repro fetch@tapnet_checkpoint"
        in capsys.readouterr().err
    )
    assert clone.tree() == {}


def test_fetch_shows_this_way_if_google_drive_fails(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its quota may be used up."""
    world.fault("https://drive.*", Fault.quota())

    run = transfers.attempt(clone, capsys, "tapnet_checkpoint_wo_optstate")

    assert run.code == 1
    assert "daily download quota of the file is exceeded" in run.err
    assert (
        "\n  Without Google Drive: `dvc repro fetch@tapnet_checkpoint`, "
        "then `./checkpoints clean-tapnet`.\n"
    ) in run.err


def test_no_mutated_file_breaks_it() -> None:
    """It is cleaned or refused, whatever was cut, doubled or put in."""
    chance = random.Random(1)  # noqa: S311

    for _ in range(2000):
        with suppress(PickleError):
            tapnet.clean(mutated(chance, FILES))


BOUND = f"""
import resource, sys
from contextlib import suppress
from pathlib import Path
from paper.tapnet import cleaning
from scripts.console.errors import PickleError
there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (there + {LARGEST}, there + {LARGEST}))
for path in map(Path, sys.argv[1:]):
    with suppress(PickleError):
        cleaning.clean(path.read_bytes())
"""


def test_no_bomb_goes_off(tmp_path: Path) -> None:
    """In the place of `params`: no more memory can be had than is allowed."""
    held = save(checkpoint(params="BOMB"))
    for name, bomb in BOMBS.items():
        (tmp_path / name).write_bytes(held.replace(b"X\x04\0\0\0BOMB", bomb[:-1]))

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", BOUND, *tmp_path.iterdir()],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_a_command_that_runs_as_a_module(tmp_path: Path) -> None:
    """`./checkpoints clean-tapnet` finds it, and `python -m paper.clean_tapnet` runs it."""
    assert "clean-tapnet" in dispatch.names()

    done = python(tmp_path, "-m", "paper.clean_tapnet")
    shown = python(tmp_path, "-m", "paper.clean_tapnet", "--help").stdout

    assert (done.returncode, done.stderr[:7]) == (2, "error: ")
    assert shown.startswith("usage: python -m paper.clean_tapnet ")


def test_a_full_disk_leaves_no_partial_file(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in its place nor beside it."""
    put(clone, save(checkpoint()), "checkpoint.npy")
    before = changing.files(clone)

    with changing.quota(100):
        code = clean_tapnet.main(["checkpoint.npy", "new.npy"])

    assert (code, changing.files(clone)) == (1, before)
    assert capsys.readouterr().err.startswith("error: no room to write ")
