"""scripts.scan: every import is found, however it is written, and nothing is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING

import pytest

from scripts import scan
from scripts.console.errors import CatalogueError, PickleError
from scripts.pickles import screening, weights_only
from scripts.pickles.weights_only import TORCH
from tests.pickles import numpy1, pickling
from tests.pickles.pickling import RUN, TRICKS, npy, state_dict, stream, tar, torch
from tests.world.checkpoints import PAPER, files
from tests.world.clones import REPOSITORY
from tests.world.formats import noise, zip_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.pickles.screening import Screening
    from tests.world.clones import TestClone

SAM = "models/sam_ckpts/sam_vit_b_01ec64.pth"
TAPNET = "models/tapnet_ckpts/open_source_ckpt/checkpoint.npy"
PIPS = "models/pips_ckpts/reference_model/model-000200000.pth"
HOLDERS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "zip": torch,
    "zip, another case": lambda data: zip_of({"a/DATA.PKL": data}),
    "zip, another name": lambda data: zip_of({"a/data.pkl": b"N.", "a/extra.pkl": data}),
    "npy": npy,
    "npy 2": lambda data: npy(data, version=2),
    "npy, escaped": lambda data: npy(data, rb"{'descr': '|\x4f', 'shape': ()}"),
    "npz": lambda data: zip_of({"a.npy": npy(data)}),
    "stream": stream,
    "stream, the keys": lambda data: stream(b"N.", data),
    "tar": lambda data: tar(pickle=data),
    "tar, tensors": lambda data: tar(tensors=b"K\x01." + data),
    "tar, storages": lambda data: tar(storages=b"K\x01." + data),
}
READS_ON = {"as it is", "stream"}  # holders of several pickles in a row
FRAMES = [name for name in TRICKS if name.startswith("frame ") and name != "frame too long"]
MILD = {"attribute of a class", "dotted name", "getattr by instance", "module below another",
        "truncated in a name"}  # fmt: skip


def screened(path: Path, data: bytes, file: str = SAM) -> Screening:
    """Screen these bytes as if they were a file of the tree."""
    path.write_bytes(data)
    found = screening.screen(path, screening.allowed(PAPER, [file])[file])
    assert path.read_bytes() == data
    return found


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_hides_a_call(trick: str, tmp_path: Path) -> None:
    """Each of them has fooled a scanner, or could."""
    found = screened(tmp_path / "file", TRICKS[trick])

    assert found.verdict != "fine" if trick in MILD else found.verdict == "dangerous", found


@pytest.mark.parametrize("holder", HOLDERS)
def test_no_holder_hides_a_call(holder: str, tmp_path: Path) -> None:
    """Every pickle of every format is read by the same function."""
    found = screened(tmp_path / "file", HOLDERS[holder](TRICKS["memo games"]))

    assert found.verdict == "dangerous"
    assert "os.system" in found.imports


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_second_pickle_is_read_where_a_loader_reads_it(holder: str, tmp_path: Path) -> None:
    """In a file of several pickles in a row; elsewhere the bytes after a STOP are data."""
    found = screened(tmp_path / "file", HOLDERS[holder](TRICKS["second pickle"]))

    assert ("os.system" in found.imports) == (holder in READS_ON)


def asked_by(file: IO[bytes]) -> list[str]:
    """Return the imports that loading the next pickle of a file asks for."""
    asked: list[str] = []

    class Asked(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            asked.append(f"{module}.{name}")
            return str

    with suppress(pickle.UnpicklingError, EOFError):
        Asked(file).load()
    return asked


@pytest.mark.parametrize("trick", ["protocol 0", "instance", "object", "text by put and get"])
def test_the_tricks_are_real(trick: str) -> None:
    """C's unpickler imports os.system."""
    assert asked_by(io.BytesIO(TRICKS[trick])) == ["os.system"]


@pytest.mark.parametrize("trick", FRAMES)
def test_the_tricks_with_frames_are_real(trick: str, tmp_path: Path) -> None:
    """C reads a large frame at once; the next pickle begins after it."""
    (tmp_path / "file").write_bytes(TRICKS[trick])

    with (tmp_path / "file").open("rb") as file:
        asked = [*asked_by(file), *asked_by(file)]

    assert asked == ["os.system"]


def test_a_payload_is_never_run(tmp_path: Path) -> None:
    """In no holder."""
    payload = RUN.replace(b"X\x04\0\0\0true", pickling.text(f"touch {tmp_path}/run"))

    for holder in HOLDERS.values():
        screened(tmp_path / "file", holder(payload))

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("path", sorted(files(10_000)))
def test_every_synthetic_checkpoint_is_fine(path: str, tmp_path: Path) -> None:
    """They have the formats of the real ones; weights_only allows those of torch."""
    found = screened(tmp_path / "file", files(10_000)[path], path)

    assert (found.verdict, found.beyond, found.faults) == ("fine", (), ())
    assert found.weights_only == (True if path.endswith(".pth") else None)


GOOD: dict[str, tuple[Callable[[], bytes], str, bool | None]] = {
    "zip": (lambda: torch(state_dict()), "torch zip", True),
    "stream": (lambda: stream(state_dict()), "torch stream", True),
    "tar": (tar, "torch tar", False),
    "npy": (lambda: numpy1.save({"w": numpy1.floats(1)}), "npy", None),
    "floats": (lambda: npy(noise("a", 80), b"{'descr': '<f4', 'shape': (20,)}"), "npy", None),
    "fields": (
        lambda: npy(noise("a", 80), b"{'descr': [('a', '<f4'), ('b', '|S4', (3,))], 'shape': ()}"),
        "npy",
        None,
    ),
    "noise": (lambda: noise("a", 9999), "no pickle", None),
    "nothing": (lambda: b"", "no pickle", None),
    "a page": (lambda: b"<html>Too many users</html>", "no pickle", None),
    "an empty zip": (lambda: zip_of({}), "zip", None),
    "another zip": (lambda: zip_of({"a.txt": b"a"}), "zip", None),
    "a pickle": (lambda: pickle.dumps({"a": [1, "b", 2.5, {3}]}), "pickle", None),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_runs_nothing_is_fine(case: str, tmp_path: Path) -> None:
    """The kind of the file is shown, and whether weights_only allows it."""
    build, kind, taken = GOOD[case]

    found = screened(tmp_path / "file", build())

    assert (found.verdict, found.kind, found.weights_only) == ("fine", kind, taken), found


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "pickle cut short": (lambda: pickle.dumps({"a": [1]})[:-2], "pickle 0: it ends without a STOP"),
    "pickle of nonsense": (lambda: b"\x80\x02\xff\xff", "pickle 0: byte 2: no opcode is 0xff"),
    "second pickle cut short": (
        lambda: b"N." + pickle.dumps([1], 2)[:-1], "pickle 1: it ends without a STOP"),
    "stream cut within its first pickle": (lambda: stream(b"N.")[:12], "pickle 0: byte 2: "),
    "zip cut short": (lambda: torch(state_dict())[:-30], "a broken zip: "),
    "zip with a wrong sum": (
        lambda: torch(state_dict()).replace(b"weight", b"height", 1), "bad crc-32"),
    "zip with a name twice": (
        lambda: torch(b"N.", {"archive/data.pkX": b"N."}).replace(b"pkX", b"pkl"), "the same name"),
    "zip with a name twice but for its case": (
        lambda: torch(b"N.", {"archive/DATA.pkl": b"N."}), "the same name"),
    "zip with half a pickle": (lambda: torch(state_dict()[:-1]), "it ends without a STOP"),
    "npz with half a pickle": (lambda: zip_of({"a.npy": npy(b"N")}), "a.npy: array: it ends"),
    "stream cut short": (lambda: stream(b"N.", b"")[:-24], "it ends after 4 of 5 pickles"),
    "stream with a broken pickle": (lambda: stream(b"\xff"), "no opcode is 0xff"),
    "npy without a header": (lambda: npy(b"N.", b""), "a broken header"),
    "npy with half a header": (lambda: npy(b"")[:30], "a broken header"),
    "npy with a list for a header": (lambda: npy(b"N.", b"[]"), "a broken header"),
    "npy with code for a header": (lambda: npy(b"N.", b"__import__('os')"), "a broken header"),
    "npy with a deep header": (lambda: npy(b"N.", b"[" * 60_000), "a broken header"),
    "npy with half a pickle": (lambda: npy(b"N"), "array: it ends without a STOP"),
    "tar without a pickle": (lambda: tar(pickle=b""), "pickle 0: "),
    "tar without a count": (lambda: tar(tensors=b"N."), "tensors: it does not begin with a count"),
    "tar with a count too large": (lambda: tar(storages=b"K\x02.\xff"), "storages 1: "),
    "tar with a negative count": (lambda: tar(storages=b"J\xff\xff\xff\xff."), "with a count"),
    "tar with an odd storage": (lambda: tar(storages=b"K\x01.N."), "an unknown type of storage"),
    "tar with another storage": (
        lambda: tar(storages=b"K\x01.(NNcnumpy\nndarray\nt."), "an unknown type of storage"),
    "tar with a long storage": (
        lambda: tar(storages=b"K\x01.(NNctorch\nByteStorage\nt." + struct.pack("<q", 9999)),
        "its numbers exceed the member"),
    "tar with a storage below nothing": (
        lambda: tar(storages=b"K\x01.(NNctorch\nByteStorage\nt." + struct.pack("<q", -9)),
        "its numbers exceed the member"),
    "tar with a tensor of many dimensions": (
        lambda: tar(tensors=b"K\x01.N." + b"\xff\xff\xff\x7f"), "its numbers exceed the member"),
    "tar with a tensor of no dimensions": (
        lambda: tar(tensors=b"K\x01.N." + b"\xff\xff\xff\xff"), "its numbers exceed the member"),
    "tar cut short": (lambda: tar()[:2600], "is broken: "),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_checkpoint_is_malformed(case: str, tmp_path: Path) -> None:
    """The fault is named, and weights_only refuses the file."""
    build, words = BROKEN[case]

    found = screened(tmp_path / "file", build())

    assert found.verdict == "malformed", found
    assert words in "; ".join(found.faults)
    assert not found.weights_only


def test_only_the_first_ten_faults_are_shown(tmp_path: Path) -> None:
    """A small zip can have ten thousand members with a fault each."""
    found = screened(tmp_path / "file", zip_of({f"{n:03}.pkl": b"\xff" for n in range(99)}))

    assert found.verdict == "malformed"
    assert [fault[:7] for fault in found.faults] == [f"{n:03}.pkl" for n in range(10)]


def test_a_tar_without_a_member_is_malformed(tmp_path: Path) -> None:
    """torch.load unpickles the storages before it notices."""
    found = screened(tmp_path / "file", tar(tensors=None))

    assert found.verdict == "malformed"
    assert "'tensors' not found" in found.faults[0]


def test_any_other_tar_is_no_checkpoint(tmp_path: Path) -> None:
    """torch.load stops at the first member that is missing."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("readme"))

    assert screened(tmp_path / "file", buffer.getvalue()).verdict == "fine"


def test_torchscript_is_code(tmp_path: Path) -> None:
    """torch.load passes such a zip to torch.jit.load."""
    found = screened(tmp_path / "file", torch(state_dict(), {"archive/constants.pkl": b"N."}))

    assert (found.verdict, found.beyond) == ("dangerous", ("torch.jit.load",))
    assert found.weights_only is False


def test_a_file_that_two_loaders_read_differently_is_read_as_both(tmp_path: Path) -> None:
    """The name in the tar's header is a pickle: torch reads a tar, pickle.load the pickle."""
    data = bytearray(tar(pickle=RUN))
    data[:100] = (b"N." + b"\0" * 98)[:100]
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])

    found = screened(tmp_path / "file", bytes(data))

    assert "os.system" in found.imports


def test_what_is_known_but_not_allowed_is_beyond(tmp_path: Path) -> None:
    """An optimizer's class is harmless, and a segmenter does not need it."""
    data = numpy1.save(numpy1.checkpoint())
    optax = "optax._src.wrappers.ApplyIfFiniteState"

    of_tapnet, of_sam = (screened(tmp_path / "file", data, file) for file in (TAPNET, SAM))

    assert (of_tapnet.verdict, of_sam.verdict) == ("fine", "beyond")
    assert of_sam.beyond == (optax, "tapnet.optimizers.AddWeightDecayState")
    assert optax in of_tapnet.imports


def test_the_method_of_a_schedule_is_one_import(tmp_path: Path) -> None:
    """Older torch pickled a method with getattr; the list allows this one method."""
    method = (
        b"\x80\x02c__builtin__\ngetattr\nq\x00ctorch.optim.lr_scheduler\nOneCycleLR\n"
        b"X\x11\0\0\0_annealing_linear\x86R."
    )

    found = screened(tmp_path / "file", torch(method), PIPS)

    assert (found.verdict, found.weights_only) == ("fine", False)
    assert found.imports == (
        "torch.optim.lr_scheduler.OneCycleLR",
        "torch.optim.lr_scheduler.OneCycleLR._annealing_linear",
    )


def test_weights_only_refuses_what_torch_does_not_know(tmp_path: Path) -> None:
    """Opcodes of protocol 4, and names that are not on torch's list."""
    four = b"\x80\x04" + pickling.by_stack("collections", "OrderedDict") + b")R."

    opcode = screened(tmp_path / "file", torch(four))
    name = screened(tmp_path / "file", torch(b"\x80\x02cnumpy\nndarray\n."))
    old = screened(tmp_path / "file", torch(b"\x80\x02c__builtin__\nset\n]\x85R."))

    assert (opcode.verdict, opcode.weights_only) == ("fine", False)
    assert (name.verdict, name.weights_only) == ("fine", False)
    assert (old.verdict, old.weights_only) == ("dangerous", True)


def test_the_list_for_every_file_has_only_what_weights_only_allows() -> None:
    """Apart from NumPy's own names."""
    lists = screening.allowed(PAPER, [SAM, TAPNET])
    others = {name for name in lists[SAM] if not name.startswith("numpy")}

    assert others <= weights_only.GLOBALS
    assert len(weights_only.GLOBALS) == 144  # as many as in this release of torch
    assert lists[SAM] < lists[TAPNET]


def put(clone: TestClone, data: bytes, path: str = SAM) -> None:
    """Write a file of the tree."""
    (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
    (clone.root / path).write_bytes(data)


def test_a_fine_file_is_one_line(clone: TestClone, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, or by path; docs/pickles.md shows it."""
    put(clone, torch(state_dict()))

    codes = scan.main(["sam_vit_b"]), scan.main([SAM])

    out, err = capsys.readouterr()
    line = f"{SAM}  fine: torch zip, 3 imports, allowed by weights_only of torch {TORCH}\n"
    assert (codes, out, err) == ((0, 0), line * 2, "")
    assert f"./checkpoints scan sam_vit_b\n{line}" in (REPOSITORY / "docs/pickles.md").read_text()


def test_every_present_file_is_scanned(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the workspace or in the cache; what is missing is counted."""
    assert clone.run("python", "-m", "scripts.fetch", "sam_vit_b", "sam_vit_l").returncode == 0
    (clone.root / SAM).unlink()

    code = scan.main([])

    out, err = capsys.readouterr()
    assert (code, out.count("  fine: torch zip")) == (0, 2)
    assert err == "14 of 16 files are missing and were not scanned\n"


def test_a_hostile_file_fails(clone: TestClone, capsys: pytest.CaptureFixture[str]) -> None:
    """Its imports are shown without control characters."""
    put(clone, torch(b"c\x1b[2Jos\nsystem\n\xff"))

    code = scan.main(["sam_vit_b"])

    out, err = capsys.readouterr()
    assert code == 1
    assert out == (
        f"{SAM}  malformed: torch zip, 1 imports, refused by weights_only of torch {TORCH}\n"
        "  imports    \\x1b[2Jos.system\n"
        "  malformed  archive/data.pkl: byte 15: no opcode is 0xff\n"
    )
    assert "error: 1 of 1 files would import more than imports.yaml allows" in err


def test_a_program_reads_json(clone: TestClone, capsys: pytest.CaptureFixture[str]) -> None:
    """One document on stdout, whatever the verdict."""
    put(clone, torch(TRICKS["surrogates"]))

    code = scan.main(["--json", "sam_vit_b"])

    (row,) = json.loads(capsys.readouterr().out)
    assert code == 1
    assert (row["path"], row["verdict"], row["kind"]) == (SAM, "dangerous", "torch zip")
    assert row["imports"] == row["beyond"]
    assert (row["faults"], row["weights_only"], row["torch"]) == ([], False, TORCH)


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["sam_vit_b", "sam_vit_l"], 1, "2 of 2 files are missing\n  missing  models/sam_ckpts"),
        ([], 1, "16 of 16 files are missing"),
        (["sam", "b"], 2, "unknown names: sam, b\n  sam: did you mean sam_vit_b, "),
        (["sam"], 2, "unknown name: sam\n"),
        (["x" * 5000], 2, "unknown name: xxx"),
    ],
)
def test_a_missing_or_unknown_file_is_an_error(
    words: list[str],
    code: int,
    error: str,
    clone: TestClone,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is scanned, and nothing counts as scanned."""
    assert not (clone.root / "models").exists()

    assert scan.main(words) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {error}")


@pytest.mark.parametrize("named", ["sam_vit_b", SAM, "pipe", "scripts"])
def test_what_is_no_file_is_not_scanned(
    named: str, clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """A FIFO would block, a folder has no bytes: one line says which it is."""
    (clone.root / SAM).parent.mkdir(parents=True)
    os.mkfifo(clone.root / SAM)
    os.mkfifo(clone.root / "pipe")
    what = "a folder" if named == "scripts" else "a FIFO"

    assert scan.main([named]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {clone.root}/")
    assert f": {what}, not a file\n  Next: check that path" in err


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- a", "not a map of `any` and `families`"),
        ("others: []", "not a map of `any` and `families`"),
        ("families: [a]", "families: not a map of lists"),
        ("families: {sam: a}", "sam: not a list of names"),
        ("any: [1]", "any: not a list of names"),
    ],
)
def test_a_malformed_list_is_an_error(
    text: str, fault: str, clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """It allows nothing until it is corrected."""
    put(clone, torch(state_dict()))
    (clone.root / "imports.yaml").write_text(text)

    code = scan.main([])

    assert code == 2
    assert f"error: imports.yaml: 1 fault\n  {fault}\n" in capsys.readouterr().err


def test_an_empty_list_allows_nothing(clone: TestClone) -> None:
    """Both keys are optional."""
    (clone.root / "imports.yaml").write_text("{}")

    assert screening.allowed(clone.root, [SAM, "new"]) == {SAM: frozenset(), "new": frozenset()}


def test_the_judge_lets_weights_pass(tmp_path: Path) -> None:
    """Also for a path of no known family, and for a file without pickles."""
    for data in (torch(state_dict()), noise("a", 999)):
        (tmp_path / "part").write_bytes(data)
        screening.judge(PAPER, "models/new/file.pth", tmp_path / "part")


def test_the_judge_refuses_other_imports(tmp_path: Path) -> None:
    """Before a file enters the cache on trust."""
    (tmp_path / "part").write_bytes(torch(RUN[:-1]))

    with pytest.raises(PickleError) as caught:
        screening.judge(PAPER, "models/new/file.pth", tmp_path / "part")

    assert caught.value.what == "models/new/file.pth: loading it would run more than weights need"
    assert "imports    os.system" in caught.value.details
    assert any(line.startswith("malformed  archive/data.pkl: ") for line in caught.value.details)
    assert (tmp_path / "part").exists()


def test_the_judge_needs_a_list(tmp_path: Path) -> None:
    """Without it nothing can be allowed."""
    with pytest.raises(CatalogueError, match=r"imports.yaml: 1 fault"):
        screening.judge(tmp_path, SAM, REPOSITORY / "README.md")
