"""The whole way with the real DVC: repro, push, clone, pull, status, import; and misfortunes."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import shutil
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from scripts.download import partial
from tests.download import transfers
from tests.world import Fault, World
from tests.world import clones as making
from tests.world.checkpoints import files, published
from tests.world.clones import TestClone
from tests.world.processes import PATIENCE, started, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.world import Request

SCALE = 10_000
FILES = files(SCALE)
SAM = "models/sam_ckpts/sam_vit_b_01ec64.pth"
MINIMAL = {
    "models/cotracker_ckpts/cotracker_stride_4_wind_8.pth",
    "models/samhq_ckpts/sam_hq_vit_h.pth",
}
SAM_URL = "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth"
META = "https://dl.fbaipublicfiles.com/*"
CLEAN = "Data and pipelines are up to date.\n"


@dataclass(frozen=True)
class Whole:
    """A clone that was filled by `dvc repro models.dvc` and pushed; tests do not change it."""

    clone: TestClone
    shipped: dict[str, bytes]
    requests: list[Request]
    told: str


@pytest.fixture(scope="module")
def whole(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """Run the complete job once."""
    folder = tmp_path_factory.mktemp("whole")
    root = folder / "work" / "clone"
    shutil.copytree(template, root, symlinks=True)
    names = ("dvc.lock", "models.dvc", "models.json")
    shipped = {name: (root / name).read_bytes() for name in names}
    with World(scale=SCALE) as world:
        clone = TestClone(root, making.isolated(folder / "isolated") | world.env)
        told = clone.run("dvc", "repro", "models.dvc", check=True).stdout
        requests = world.requests
        assert world.refused == []
        clone.run("dvc", "push", check=True)
        clone.run("git", "commit", "-qam", "sizes", check=True)
        yield Whole(clone, shipped, requests, told)


@pytest.fixture
def second(whole: Whole, tmp_path: Path) -> Iterator[TestClone]:
    """A git clone beside the first, with nothing pulled."""
    root = whole.clone.root.parent / tmp_path.name
    whole.clone.run("git", "clone", "-q", str(whole.clone.root), str(root), check=True)
    yield TestClone(root, making.isolated(tmp_path / "isolated"))
    shutil.rmtree(root)


def lines_changed(before: bytes, after: bytes) -> list[str]:
    """Return the lines that differ, each with its + or -."""
    old, new = before.decode().splitlines(), after.decode().splitlines()
    return [line for line in difflib.ndiff(old, new) if line[0] in "+-"]


def replaced(clone: TestClone, name: str, old: str, new: str) -> None:
    """Replace a text that must stand in a file of the clone."""
    text = clone.read(name).decode()
    assert old in text
    (clone.root / name).write_text(text.replace(old, new))


def seal_of(clone: TestClone) -> str:
    """Return the hash of the whole tree that models.dvc records."""
    found = re.search(r"md5: (\w+\.dir)", clone.read("models.dvc").decode())
    assert found
    return found[1]


def test_the_whole_tree_comes_from_its_publishers(whole: Whole) -> None:
    """16 files from 12 addresses, checked by `tree`, and sealed."""
    assert whole.clone.tree() == FILES
    assert sorted(whole.clone.objects().values())[-1:] == [max(FILES.values())]
    assert set(FILES.values()) <= set(whole.clone.objects().values())
    assert "Stage 'tree' didn't change, skipping" in whole.told  # so that the hashes are those
    assert whole.clone.read("models.json").count(b'"path"') == 16


def test_a_complete_run_adds_to_the_lock_the_sizes_that_it_lacked(whole: Whole) -> None:
    """Of PIPS++ and of TapNet; models.json is as shipped, and so is every hash."""
    before, after = whole.shipped["dvc.lock"], whole.clone.read("dvc.lock")
    changed = lines_changed(before, after)

    assert whole.clone.read("models.json") == whole.shipped["models.json"]
    assert seal_of(whole.clone).encode() in whole.shipped["models.dvc"]
    assert len(changed) >= 2
    assert all(re.fullmatch(r"\+ +size: \d+", line) for line in changed), changed


def test_fetching_all_by_our_own_command_leaves_git_clean(complete: TestClone) -> None:
    """DVC adds no size to what it need not run, also in a `dvc repro` behind it."""
    status = complete.run("dvc", "status").stdout
    repro = complete.run("dvc", "repro", "models.dvc", check=True).stdout

    assert (status, "Running stage" in repro) == (CLEAN, False)
    assert complete.run("git", "status", "--porcelain").stdout == ""


def test_every_address_is_asked_for_its_file_once(whole: Whole) -> None:
    """Nothing else of anybody's is asked for."""
    served = [request for request in whole.requests if request.status in (200, 206)]

    assert len(published(SCALE)) == 12
    assert len(served) == 13  # Drive shows its page before the file
    assert sum(r.sent for r in served) < 1.05 * sum(map(len, FILES.values()))


def test_a_second_run_does_nothing(whole: Whole) -> None:
    """None of our commands runs, no stage changes, the status is clean."""
    again = whole.clone.run("dvc", "repro", "models.dvc")

    assert again.returncode == 0
    assert "Running stage" not in again.stdout
    assert whole.clone.run("dvc", "status").stdout == CLEAN


def test_a_colleague_pulls_everything_from_the_team(second: TestClone) -> None:
    """After git clone and dvc pull: the same tree, a clean status, no publisher asked."""
    pull = second.run("dvc", "pull")

    assert pull.returncode == 0, pull.stderr
    assert second.tree() == FILES
    assert second.run("dvc", "status").stdout == CLEAN
    assert second.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        (("-d", "fetch_minimal"), MINIMAL),
        (("fetch@sam_vit_b",), {SAM}),
        (("-d", "models.dvc"), set(FILES)),
        (("models.dvc",), set()),
    ],
)
def test_a_part_is_pulled_by_its_stage(
    second: TestClone, words: tuple[str, ...], paths: set[str]
) -> None:
    """As README says, with the trap of the bare models.dvc, which pulls nothing."""
    pull = second.run("dvc", "pull", *words)

    assert pull.returncode == 0, pull.stderr
    assert set(second.tree()) == paths


def test_a_stray_file_is_named_and_nothing_is_sealed(complete: TestClone) -> None:
    """A loader may take the highest step they find: a file too many is an error."""
    stray = "models/pips_ckpts/reference_model/model-000300000.pth"
    (complete.root / stray).write_bytes(b"stray")
    shipped = complete.read("dvc.lock"), complete.read("models.dvc")

    repro = complete.run("dvc", "repro", "models.dvc")
    status = complete.run("dvc", "status", "models.dvc")

    assert repro.returncode == 255
    assert f"stray    {stray}" in repro.stderr
    assert "Traceback" not in repro.stderr
    assert (complete.read("dvc.lock"), complete.read("models.dvc")) == shipped
    assert "models" in status.stdout
    (complete.root / stray).unlink()
    assert complete.run("dvc", "repro", "models.dvc").returncode == 0
    assert (complete.read("dvc.lock"), complete.read("models.dvc")) == shipped


def test_a_flipped_byte_is_reported_and_checkout_of_a_sound_cache_mends_it(
    second: TestClone,
) -> None:
    """`dvc status` names the file; the publisher or the team has the right one."""
    second.run("dvc", "pull", "fetch@sam_vit_b", check=True)
    path = second.root / SAM
    path.unlink()
    path.write_bytes(b"X" + FILES[SAM][1:])

    status = second.run("dvc", "status", "fetch@sam_vit_b")
    second.run("dvc", "checkout", "--force", "fetch@sam_vit_b", check=True)

    assert f"modified:           {SAM}" in status.stdout
    assert second.tree() == {SAM: FILES[SAM]}


def test_another_project_gets_one_file_or_all(whole: Whole, tmp_path: Path) -> None:
    """`dvc get` needs no project of one's own."""
    here = TestClone(tmp_path, whole.clone.env)

    one = here.run("dvc", "get", str(whole.clone.root), SAM, "-o", "sam.pth")
    everything = here.run("dvc", "get", str(whole.clone.root), "models")

    assert (one.returncode, everything.returncode) == (0, 0), one.stderr + everything.stderr
    assert here.read("sam.pth") == FILES[SAM]
    assert here.tree() == FILES


def test_another_project_imports_what_the_seal_names(whole: Whole, tmp_path: Path) -> None:
    """`dvc import` of the folder records the seal's hash, of a file its pin."""
    (tmp_path / "project").mkdir()
    project = TestClone(tmp_path / "project", whole.clone.env)
    for words in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        project.run(*words, check=True)

    whole_tree = project.run("dvc", "import", str(whole.clone.root), "models")
    one = project.run("dvc", "import", str(whole.clone.root), SAM, "-o", "sam.pth")

    assert (whole_tree.returncode, one.returncode) == (0, 0), whole_tree.stderr + one.stderr
    assert seal_of(project) == seal_of(whole.clone)
    assert project.tree() == FILES
    md5 = hashlib.md5(FILES[SAM], usedforsecurity=False).hexdigest()
    assert f"- md5: {md5}\n" in project.read("sam.pth.dvc").decode()
    assert f"md5: {md5}\n" in whole.shipped["dvc.lock"].decode()


def test_the_minimal_variant_is_two_files_and_no_more(clone: TestClone, world: World) -> None:
    """Two publishers are asked for one file each; lock as shipped; a second run does nothing."""
    shipped = clone.read("dvc.lock")

    repro = clone.run("dvc", "repro", "fetch_minimal")

    assert repro.returncode == 0, repro.stderr
    assert clone.tree() == {path: FILES[path] for path in MINIMAL}
    names = {request.path.rpartition("/")[2] for request in world.requests if request.sent > 2000}
    assert "cotracker_stride_4_wind_8.pth" in names
    assert len(names) == 2
    hosts = {"dl.fbaipublicfiles.com", "huggingface.co", "cas-bridge.xethub.hf.co"}
    assert {request.host for request in world.requests} == hosts
    assert clone.read("dvc.lock") == shipped
    assert clone.run("dvc", "status", "fetch_minimal").stdout == CLEAN
    assert "Running stage" not in clone.run("dvc", "repro", "fetch_minimal").stdout


def test_a_lock_without_sizes_gains_them_and_nothing_else(clone: TestClone) -> None:
    """DVC records the size of a file that it has seen."""
    lock = clone.read("dvc.lock").decode()
    lock = re.sub(r"(- path: models/.*\n +hash: md5\n +md5: .*\n) +size: .*\n", r"\1", lock)
    (clone.root / "dvc.lock").write_text(lock)

    clone.run("dvc", "repro", "fetch_minimal", "fetch@sam_vit_b", check=True)

    changed = lines_changed(lock.encode(), clone.read("dvc.lock"))
    assert len(changed) >= 3
    assert all(re.fullmatch(r"\+ +size: \d+", line) for line in changed), changed
    assert clone.run("dvc", "status", "fetch_minimal").stdout == CLEAN


def test_a_new_entry_is_trusted_aloud_and_then_pinned(clone: TestClone, world: World) -> None:
    """First use, by its name: the hashes are printed and recorded; from then on they decide."""
    url = "https://dl.fbaipublicfiles.com/new/model.pth"
    world.publish(url, b"a new model")
    replaced(
        clone, "params.yaml", "  sam_vit_l:\n", "  new:\n    path: models/new.pth\n  sam_vit_l:\n"
    )
    source = clone.read("sources/sam_vit_b.dvc").decode()
    source = source.replace(SAM_URL, url).replace("sam_vit_b", "new")
    (clone.root / "sources/new.dvc").write_text(source)

    refused = clone.run("dvc", "repro", "fetch@new")
    fetch = ("python", "-m", "scripts.fetch", "--trust-first-use", "new")
    first = clone.run(*fetch)
    clone.run("dvc", "commit", "--force", "fetch@new", check=True)
    clone.run("python", "-m", "scripts.seal", check=True)
    recorded = clone.read("dvc.lock")
    (clone.root / "models/new.pth").unlink()
    shutil.rmtree(clone.root / ".dvc/cache")
    world.publish(url, b"other model")
    then = clone.run("dvc", "repro", "fetch@new")

    assert (refused.returncode, "have no pin: models/new.pth" in refused.stderr) == (255, True)
    assert first.returncode == 0, first.stderr
    assert "first use: no pin yet" in first.stdout
    assert hashlib.md5(b"a new model", usedforsecurity=False).hexdigest().encode() in recorded
    assert (then.returncode, "do not match the pin" in then.stderr) == (255, True)
    assert clone.read("dvc.lock") == recorded


def test_a_pin_that_the_lock_lost_is_not_sealed_anew(clone: TestClone, world: World) -> None:
    """DVC alone would fetch what the publisher serves now, and seal it."""
    world.fault(META, Fault.corrupt())
    lock, seal = clone.read("dvc.lock").decode(), clone.read("models.dvc")
    (clone.root / "dvc.lock").write_text(lock.replace(f"path: {SAM}", "path: models/lost"))

    repro = clone.run("dvc", "repro", "models.dvc")

    assert repro.returncode == 255
    assert f"1 of 16 files have no pin: {SAM}\n" in repro.stderr
    assert (clone.tree(), clone.read("models.dvc")) == ({}, seal)


def test_renaming_an_entry_keeps_its_pin(clone: TestClone, world: World) -> None:
    """A pin is found by its path, whatever the stage is called."""
    replaced(clone, "params.yaml", "  sam_vit_b:\n", "  sam_base:\n")
    (clone.root / "sources/sam_vit_b.dvc").rename(clone.root / "sources/sam_base.dvc")
    world.fault(META, Fault.corrupt(), times=1)

    wrong = clone.run("dvc", "repro", "fetch@sam_base")
    right = clone.run("dvc", "repro", "fetch@sam_base")

    assert (wrong.returncode, "do not match the pin" in wrong.stderr) == (255, True)
    assert right.returncode == 0, right.stderr
    assert "first use" not in right.stdout
    assert clone.tree() == {SAM: FILES[SAM]}


def test_wrong_bytes_change_neither_tree_nor_cache_nor_lock(clone: TestClone, world: World) -> None:
    """DVC alone would take them and rewrite the lock, exit code 0."""
    world.fault(META, Fault.body(b"<html>moved</html>"))
    shipped = clone.read("dvc.lock")

    repro = clone.run("dvc", "repro", "fetch@sam_vit_b")

    assert repro.returncode == 255
    assert "error: sam_vit_b: " in repro.stderr
    assert "Traceback" not in repro.stderr
    assert (clone.tree(), clone.objects(), clone.read("dvc.lock")) == ({}, {}, shipped)


def test_two_runs_at_once_do_no_harm(clone: TestClone, world: World) -> None:
    """One may meet DVC's lock; a rerun completes what is missing."""
    world.fault(META, Fault.delay(0.5), times=1)
    shipped = clone.read("dvc.lock")
    with ExitStack() as stack:
        both = [started(clone, "dvc", "repro", "fetch_minimal") for _ in range(2)]
        runs = [stack.enter_context(run) for run in both]
        told = [run.communicate() for run in runs]

    assert 0 in [run.returncode for run in runs], told
    for run, (_, error) in zip(runs, told, strict=True):
        assert "Traceback" not in error
        assert run.returncode == 0 or "lock" in error.lower()
    assert clone.run("dvc", "repro", "fetch_minimal").returncode == 0
    assert clone.tree() == {path: FILES[path] for path in MINIMAL}
    assert clone.read("dvc.lock") == shipped


def test_ctrl_c_stops_without_a_traceback_and_a_rerun_resumes(
    clone: TestClone, world: World
) -> None:
    """SIGINT reaches DVC and our command alike; whole blocks are not fetched again."""
    data = bytes(4 << 20)
    transfers.pin(clone, data, path=SAM)
    part = clone.root / f".dvc/tmp/fetch/{transfers.md5(data)}.part"
    world.publish(SAM_URL, data)
    world.fault(f"GET {SAM_URL}", Fault.none(), Fault.stall(0))

    with started(clone, "dvc", "repro", "fetch@sam_vit_b") as run:
        until(lambda: partial.kept(part) == 1 << 20)
        os.killpg(run.pid, signal.SIGINT)
        _, error = run.communicate(timeout=PATIENCE)

    assert (run.returncode != 0, "Traceback" in error) == (True, False)
    assert clone.tree() == {}
    world.clear()
    assert clone.run("dvc", "repro", "fetch@sam_vit_b").returncode == 0
    assert clone.tree() == {SAM: data}
    assert world.served() == 3 << 20


def test_a_kill_of_everything_is_made_up_for_by_a_rerun(clone: TestClone, world: World) -> None:
    """SIGKILL to DVC and our command while bytes arrive."""
    world.fault(META, Fault.stall(100), times=1)

    with started(clone, "dvc", "repro", "fetch_minimal") as run:
        until(lambda: world.served(META) > 0)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=PATIENCE)

    assert clone.tree().keys() <= MINIMAL
    rerun = clone.run("dvc", "repro", "fetch_minimal")
    assert rerun.returncode == 0, rerun.stderr
    assert clone.tree() == {path: FILES[path] for path in MINIMAL}
