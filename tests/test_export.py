"""scripts.export: what other tools read, given to these tools."""

from __future__ import annotations

import csv
import shutil
import subprocess
from typing import TYPE_CHECKING

import pooch
import pytest

from scripts import export
from scripts.catalogue import params, sources
from scripts.checkout.clone import Clone
from scripts.views import exports
from tests.curation.changing import run
from tests.world import Fault
from tests.world.checkpoints import PAPER, files, published
from tests.world.teams import SAM, SCALE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

FILES = files(SCALE)
MOBILE = "models/sam_mobile_ckpts/sam_mobile_vit_t.pth"
THINGS = "models/raft_ckpts/raft-things.pth"
CHECKPOINT = "models/tapnet_ckpts/open_source_ckpt/checkpoint.npy"
SOME = ("sam_vit_b", "sam_mobile_vit_t", "tapnet", "raft")  # of four hosts, one archive, one page
DRIVE = "models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy"
HOSTILE = "models/a b/=#%41 'q\" $(x) *é;&~.pth"
needs_aria2 = pytest.mark.skipif(not shutil.which("aria2c"), reason="aria2 is not installed")


def source(name: str) -> sources.Source:
    """Return where the tests' paper has an entry from."""
    return sources.read(PAPER / "sources", name)


def exported(capsys: Capture, *words: str) -> str:
    """Return what the command prints."""
    done = run(export.main, capsys, *words)
    assert done.code == 0, done.err
    return done.out


def left_out(capsys: Capture, *words: str) -> dict[str, str]:
    """Return the files that the command leaves out, each with the reason; the next step is last."""
    *lines, step = run(export.main, capsys, *words).err.splitlines()
    assert step.startswith("Next: ./checkpoints ")
    rows = [line.removesuffix(")").partition("  (") for line in lines]
    return {row[0].removeprefix("left out  "): row[2] for row in rows} | {"": step}


def tool(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a tool in a folder."""
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603


def tree(folder: Path) -> dict[str, bytes]:
    """Return path -> bytes of every file below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def put(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files below a folder."""
    for path, data in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of somebody who has no clone."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("program", ["md5sum", "sha256sum"])
def test_sums_are_checked_by_coreutils(program: str, elsewhere: Path, capsys: Capture) -> None:
    """The right files pass, a changed one fails by its name."""
    put(elsewhere, dict(FILES))
    (elsewhere / "sums").write_text(exported(capsys, f"{program}s"))

    right = tool(elsewhere, program, "--check", "--strict", "sums")
    (elsewhere / SAM).write_bytes(b"X")
    wrong = tool(elsewhere, program, "--check", "--quiet", "sums")

    assert right.returncode == 0, right.stderr
    assert right.stdout.count(": OK\n") == len((elsewhere / "sums").read_text().splitlines())
    assert (wrong.returncode, wrong.stdout) == (1, f"{SAM}: FAILED\n")


@pytest.mark.usefixtures("clone")
def test_files_without_a_sha256_are_named(capsys: Capture) -> None:
    """Every file has an md5; those of which no sha256 is known are named, with their next step."""
    holds = params.read(PAPER / "params.yaml")
    unknown = [path for path, file in holds.files.items() if not file.sha256]

    done = run(export.main, capsys, "md5sums")
    left = left_out(capsys, "sha256sums")

    assert (done.out.count("\n"), done.err) == (len(FILES), "")
    assert left.pop("").startswith("Next: ./checkpoints export md5sums cotracker_stride_4_wind_8 ")
    assert left == dict.fromkeys(unknown, "no sha256 is known")


@needs_aria2
def test_aria2_downloads_the_list(
    clone: TestClone, world: World, elsewhere: Path, capsys: Capture
) -> None:
    """A mirror takes the place of a dead publisher; a second run repeats a wrong file alone."""
    world.publish(source("raft").mirrors[1].url, FILES[THINGS])
    world.remove(source("sam_mobile_vit_t").url)
    world.publish(source("sam_mobile_vit_t").mirrors[0].url, FILES[MOBILE])
    (elsewhere / "list").write_text(exported(capsys, "aria2", *SOME))
    aria2 = ("aria2c", "--no-conf", f"--ca-certificate={clone.env['SSL_CERT_FILE']}", "-ilist")

    first = tool(elsewhere, *aria2)
    (elsewhere / SAM).write_bytes(b"X" + FILES[SAM][1:])
    second = tool(elsewhere, *aria2)

    assert (first.returncode, second.returncode) == (0, 0), first.stdout + second.stdout
    assert tree(elsewhere / "models") == {
        path.removeprefix("models/"): FILES[path] for path in (SAM, MOBILE, CHECKPOINT, THINGS)
    }


@needs_aria2
def test_aria2_does_not_mix_a_publisher_and_a_mirror(
    clone: TestClone, world: World, elsewhere: Path, capsys: Capture
) -> None:
    """A mirror is unproven: its bytes may be others, and half a file of each is none."""
    found = source("sam_hq_vit_h")
    data = FILES["models/samhq_ckpts/sam_hq_vit_h.pth"] * 12  # three pieces of one megabyte
    world.publish(found.url, data)
    world.publish(found.mirrors[0].url, bytes(len(data)))
    world.fault("*", Fault.slow(4 << 20))
    text = exported(capsys, "aria2", "sam_hq_vit_h").splitlines(keepends=True)
    (elsewhere / "list").write_text("".join(line for line in text if "checksum" not in line))

    words = ("--no-conf", "-k1M", "-x8", f"--ca-certificate={clone.env['SSL_CERT_FILE']}")
    done = tool(elsewhere, "aria2c", *words, "-ilist")

    assert done.returncode == 0, done.stdout
    assert tree(elsewhere)["models/samhq_ckpts/sam_hq_vit_h.pth"] == data


def test_pooch_fetches_from_the_registry(
    clone: TestClone, world: World, elsewhere: Path, capsys: Capture
) -> None:
    """Each file comes by its path, from a mirror if the publisher has it in an archive."""
    world.publish(source("raft").mirrors[1].url, FILES[THINGS])
    (clone.root / "registry.txt").write_text(exported(capsys, "pooch", *SOME))

    dog = pooch.create(path=elsewhere, base_url="")
    dog.load_registry(clone.root / "registry.txt")
    for path in dog.registry:
        dog.fetch(path)

    assert tree(elsewhere) == {path: FILES[path] for path in (SAM, MOBILE, CHECKPOINT, THINGS)}


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("form", ["aria2", "pooch"])
def test_what_a_tool_cannot_download_is_named(form: str, capsys: Capture) -> None:
    """Files in archives and on Google Drive, each with the command that downloads them."""
    left = left_out(capsys, form)

    step = "Next: ./checkpoints fetch tapnet_checkpoint_wo_optstate pips pips_plus_plus raft"
    assert left.pop("") == step
    assert left.pop(DRIVE) == "a page of Google Drive"
    assert set(left.values()) == {"in an archive"}
    assert left.keys() == {path for path in FILES if "/pips" in path or "/raft" in path} - {THINGS}


@pytest.mark.usefixtures("clone")
def test_the_table_has_what_is_known(capsys: Capture) -> None:
    """One row of a file has all words; a cell with a comma in it stays one cell."""
    rows = list(csv.DictReader(exported(capsys, "csv").splitlines()))

    found = {row["path"]: row for row in rows if row["name"]}
    assert tuple(rows[0]) == exports.COLUMNS
    assert found.keys() == FILES.keys()
    assert {row["url"] for row in found.values()} == published(SCALE).keys()
    assert found[SAM]["desc"] == "SAM, ViT-B"
    assert [row["name"] for row in rows if row["set"] == "minimal"] == [
        "sam_hq_vit_h",
        "cotracker_stride_4_wind_8",
    ]


@pytest.mark.usefixtures("clone")
def test_the_table_has_a_row_for_each_mirror(capsys: Capture) -> None:
    """A copy of the archive has the member in it, a copy of the file itself has none."""
    rows = list(csv.DictReader(exported(capsys, "csv", "raft-things.pth").splitlines()))

    archive, *direct = source("raft").mirrors
    member = "models/raft-things.pth"
    assert [(row["url"], row["member"]) for row in rows] == [
        (source("raft").url, member),
        (archive.url, member),
        *((each.url, "") for each in direct),
    ]
    assert {row["path"] for row in rows} == {THINGS}


@pytest.mark.usefixtures("clone")
def test_files_are_selected_by_all_their_names(capsys: Capture) -> None:
    """An archive may give one file of several; an unknown name is an error."""
    lines = exported(capsys, "md5sums", "raft-things.pth", "minimal").splitlines()

    assert [line.split("  ")[1] for line in lines] == [
        "models/samhq_ckpts/sam_hq_vit_h.pth",
        "models/cotracker_ckpts/cotracker_stride_4_wind_8.pth",
        THINGS,
    ]
    assert run(export.main, capsys, "md5sums", "nothing").code == 2


def renamed(clone: TestClone, path: str) -> Clone:
    """Return the clone, in which SAM's file is at another path."""
    quoted = "'" + path.replace("'", "''") + "'"
    for name in ("params.yaml", "dvc.lock"):
        text = clone.read(name).decode().replace(f"path: {SAM}\n", f"path: {quoted}\n")
        (clone.root / name).write_text(text)
    return Clone.at(clone.root)


def test_a_hostile_name_is_that_of_the_file(
    clone: TestClone, world: World, elsewhere: Path
) -> None:
    """Spaces, quotes, wildcards and what shells and lists read as more than a letter."""
    here = renamed(clone, HOSTILE)
    texts = {form: exports.render(here, [HOSTILE], form).text for form in exports.FORMATS}
    for form, text in texts.items():
        (elsewhere / form).write_text(f"{text}\n")

    dog = pooch.create(path=elsewhere, base_url="")
    dog.load_registry(elsewhere / "pooch")
    dog.fetch(HOSTILE)
    done = [tool(elsewhere, f"{name}sum", "-c", f"{name}sums") for name in ("md5", "sha256")]

    assert (elsewhere / HOSTILE).read_bytes() == FILES[SAM]
    assert [each.returncode for each in done] == [0, 0], done
    assert [row["path"] for row in csv.DictReader(texts["csv"].splitlines())] == [HOSTILE]
    if shutil.which("aria2c"):
        (elsewhere / HOSTILE).unlink()
        words = ("--no-conf", f"--ca-certificate={clone.env['SSL_CERT_FILE']}", "-iaria2")
        assert tool(elsewhere, "aria2c", *words).returncode == 0
        assert (elsewhere / HOSTILE).read_bytes() == FILES[SAM]
    assert world.refused == []


def test_a_name_that_a_list_would_change_is_left_out(clone: TestClone) -> None:
    """aria2c strips the end of a line."""
    path = "models/x/ends with .pth "

    here = renamed(clone, path)

    assert exports.render(here, [path], "aria2").left_out == {path: "its name ends with a space"}
    assert exports.render(here, [path], "pooch").left_out == {}


@pytest.mark.parametrize("tail", ["\\n out=../../x", "\\thttps://evil.example/x", " x", "é"])
def test_an_address_adds_nothing_to_a_list(tail: str, clone: TestClone) -> None:
    """A line of its own would be an option of aria2c."""
    path = clone.root / "sources/sam_vit_b.dvc"
    text = path.read_text()
    url = source("sam_vit_b").url
    path.write_text(text.replace(f"path: {url}", f'path: "{url}{tail}"'))

    made = exports.render(Clone.at(clone.root), [SAM], "aria2")

    assert (made.text, made.left_out) == ("", {SAM: "no address"})


@pytest.mark.usefixtures("clone")
def test_other_formats_are_refused(capsys: Capture) -> None:
    """The message lists those that there are."""
    with pytest.raises(SystemExit) as ended:
        export.main(["huggingface-cli"])

    assert ended.value.code == 2
    assert "md5sums" in capsys.readouterr().err
