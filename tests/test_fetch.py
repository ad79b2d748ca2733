"""python -m scripts.fetch: what it prints, its exit code, and what it leaves on the disk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.console import progress
from scripts.download import transfer
from tests.conftest import SCALE
from tests.world import clones
from tests.world.checkpoints import ARCHIVES, FBAI, files, members
from tests.world.formats import tar_gz_of
from tests.world.processes import dvc_without_hashing

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

FILES = files(SCALE)
PATH = "models/sam_ckpts/sam_vit_b_01ec64.pth"
RAFT = {path: FILES[path] for path in members()["raft"].values()}
MINIMAL = {
    "models/cotracker_ckpts/cotracker_stride_4_wind_8.pth",
    "models/samhq_ckpts/sam_hq_vit_h.pth",
}


def test_a_file_is_downloaded_verified_and_linked_from_the_cache(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """One checkpoint: from its publisher to the cache, and the same inode under models/."""
    assert fetch.main(["sam_vit_b"]) == 0

    assert clone.tree() == {PATH: FILES[PATH]}
    assert list(clone.objects().values()) == [FILES[PATH]]
    assert (clone.root / PATH).stat().st_nlink == 2
    assert {request.host for request in world.requests} == {"dl.fbaipublicfiles.com"}
    out, err = capsys.readouterr()
    assert out.startswith(f"{PATH}  downloaded from dl.fbaipublicfiles.com: ")
    assert (err, len(out.splitlines())) == ("", 1)


def test_an_archive_gives_its_five_files(clone: TestClone, capsys: Capture) -> None:
    """RAFT: five members, five objects, five lines and their sum; the zip itself is not kept."""
    assert fetch.main(["raft"]) == 0

    assert clone.tree() == RAFT
    assert sorted(clone.objects().values()) == sorted(RAFT.values())
    assert list((clone.root / ".dvc/tmp/fetch").iterdir()) == []
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(RAFT)
    assert last.startswith("5 files, ")


def test_everything_is_fetched_and_dvc_has_nothing_left_to_do(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line with the source of each file; then DVC runs no stage and hashes nothing."""
    monkeypatch.setattr(progress, "_EVERY", 600)  # a busy machine takes longer than ten seconds
    assert fetch.main(["complete"]) == 0

    out, err = capsys.readouterr()
    assert clone.tree() == FILES
    assert len([line for line in out.splitlines() if "  downloaded from " in line]) == len(FILES)
    size = r"[\d.]+ [kM]B"
    last = rf"16 files, {size} in place: 16 downloaded \({size} in [\d.]+ s, {size}/s\)"
    assert re.fullmatch(last, out.splitlines()[-1])
    assert re.findall("^licence of (.*?):", out, re.MULTILINE) == ["cotracker", "superglue"]
    assert err == ""
    world.clear()
    done = dvc_without_hashing(clone, "repro", "models.dvc")
    assert done.returncode == 0, done.stderr
    assert (world.requests, "Running stage 'fetch" in done.stdout) == ([], False)
    assert clone.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize("words", [[], ["sam_hq_vit_h", "minimal"]])
def test_the_default_is_the_minimal_variant(clone: TestClone, words: list[str]) -> None:
    """It is what its stage depends on; a name that it contains is fetched once."""
    assert fetch.main(words) == 0

    assert clone.tree() == {path: FILES[path] for path in MINIMAL}
    assert "up to date" in clone.run("dvc", "status", "fetch_minimal").stdout


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["raft-small.pth"], [*RAFT]),
        (["samhq"], ["models/samhq_ckpts/sam_hq_vit_h.pth"]),
        (["*_indoor", "superpoint*"], []),
        (["--for", "vis_eval_root"], [*MINIMAL, "models/sam_ckpts/sam_vit_l_0b3195.pth"]),
        (["--for", "raft", "--for", "demo"], [*RAFT, *MINIMAL]),
    ],
)
def test_files_are_selected_by_what_a_user_knows(
    clone: TestClone, capsys: Capture, words: list[str], files: list[str]
) -> None:
    """A file name, a family, what a configuration loads; if one word is wrong, nothing."""
    code = fetch.main(words)

    assert clone.tree() == {path: FILES[path] for path in files}
    assert code == (0 if files else 2)
    assert ("unknown name: *_indoor" in capsys.readouterr().err) == (not files)


@pytest.mark.parametrize("names", [["superpoint_v1"], ["superpoint_v1", "sam_vit_b"]])
def test_quiet_is_quiet(clone: TestClone, capsys: Capture, names: list[str]) -> None:
    """But for a licence that a user must see."""
    assert fetch.main([*names, "--quiet"]) == 0

    out, err = capsys.readouterr()
    assert (out, len(clone.tree())) == ("", len(names))
    assert err.startswith("licence of superglue: ")
    assert err.count("\n") == 1
    assert fetch.main(["sam_vit_z", "--quiet"]) == 2
    assert capsys.readouterr().err.startswith("error: unknown name")


def test_the_result_is_json_for_programs(clone: TestClone, capsys: Capture) -> None:
    """A row for each file, in place or not, and nothing else on stdout."""
    (clone.root / PATH).parent.mkdir(parents=True)
    (clone.root / PATH).write_bytes(b"wrong")

    assert fetch.main(["sam_vit_b", "superpoint_v1", "--json"]) == 0

    first, second = sorted(json.loads(capsys.readouterr().out), key=lambda row: str(row["path"]))
    assert (first["path"], first["origin"], first["size"]) == (PATH, "downloaded", len(FILES[PATH]))
    assert Path(first["quarantined"]).read_bytes() == b"wrong"
    assert (second["quarantined"], first["how"][:15]) == (None, "downloaded from")


def test_an_existing_tree_is_checked_and_kept(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Files downloaded by hand are adopted; they keep their inodes, lock and seal their content."""
    for path, data in FILES.items():
        (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / path).write_bytes(data)
    inodes = {path: (clone.root / path).stat().st_ino for path in FILES}

    assert fetch.main(["complete"]) == 0

    assert (world.requests, len(clone.objects())) == ([], len(FILES))
    out = capsys.readouterr().out
    assert "kept" not in out
    assert re.search(
        rf"^16 files, [\d.]+ [kM]B in place: {len(FILES)} were there$", out, re.MULTILINE
    )
    assert {path: (clone.root / path).stat().st_ino for path in FILES} == inodes
    clone.run("dvc", "repro", "models.dvc", check=True)
    assert clone.run("git", "status", "--porcelain").stdout == ""


def test_an_unknown_name_is_a_usage_error(clone: TestClone, world: World, capsys: Capture) -> None:
    """Exit code 2 before the first request; the message lists names like it."""
    assert fetch.main(["minimal", "sam_vit", "demo"]) == 2

    said = capsys.readouterr().err
    assert said.startswith("error: unknown names: sam_vit, demo\n")
    assert "sam_vit: did you mean sam_vit_b, sam_vit_l, " in said
    assert "demo: a configuration: `--for demo`\n" in said
    assert (clone.tree(), world.requests) == ({}, [])


def test_ctrl_c_is_one_message(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 130; one line says what is kept, and what to run next."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "download", interrupted)

    assert fetch.main(["sam_vit_b"]) == 130
    said = "stopped; partial downloads are kept: run the same command again, it resumes"
    assert capsys.readouterr().err == f"error: {said}\n"
    assert clone.tree() == {}


def test_without_a_network_the_error_names_the_host(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The proxy does not answer: nothing is changed, and there is nothing to resume."""
    world.stop_proxy()

    assert fetch.main(["sam_vit_b"]) == 1

    said = capsys.readouterr().err
    assert said.startswith("error: sam_vit_b: dl.fbaipublicfiles.com: ")
    assert "Next: run the same command again; or" in said
    assert (clone.tree(), clone.objects()) == ({}, {})


def test_a_restricted_licence_is_shown_once_for_its_family(
    clone: TestClone, capsys: Capture
) -> None:
    """With the first file of the family, not with the second, and never again."""
    said: list[str] = []
    for names in (["superpoint_v1"], ["superglue_outdoor"], ["superpoint_v1"]):
        assert fetch.main(names) == 0
        said.append(capsys.readouterr().out.partition("licence of superglue: ")[2])

    assert said[0].startswith("LicenseRef-MagicLeap-noncommercial-research, ")
    assert "may not be redistributed" in said[0]
    assert said[1:] == ["", ""]
    assert len(clone.tree()) == 2


def test_the_stage_of_an_archive_shows_a_restricted_licence(clone: TestClone) -> None:
    """`dvc repro unpack_raft` prints what `fetch raft` prints."""
    before, path, after = (
        clone.read("dvc.yaml").decode().partition(f"    path: {next(iter(RAFT))}\n")
    )
    after = re.sub("license_note: .*", "license_note: non-commercial use", after, count=1)
    (clone.root / "dvc.yaml").write_text(before + path + after)

    done = clone.run("dvc", "repro", "unpack_raft")

    assert done.returncode == 0, done.stderr
    assert re.search("^licence of raft: .*, non-commercial use", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("there", [True, False])
def test_a_new_checkpoint_that_would_run_code_is_refused(
    clone: TestClone, world: World, capsys: Capture, *, there: bool
) -> None:
    """Without a pin the pickle is screened, from the publisher or put in place by hand."""
    evil = b"cos\nsystem\n(S'true'\ntR."
    world.publish(f"{FBAI}/segment_anything/sam_vit_b_01ec64.pth", evil)
    clones.unpin(clone.root, "fetch@sam_vit_b")
    if there:
        (clone.root / PATH).parent.mkdir(parents=True)
        (clone.root / PATH).write_bytes(evil)

    assert fetch.main(["--trust-first-use", "sam_vit_b"]) == 1

    said = capsys.readouterr().err
    assert "loading it would run more than weights need" in said
    assert "os.system" in said
    assert clone.objects() == {}
    assert clone.tree() == ({PATH: evil} if there else {})
    assert not list((clone.root / ".dvc/tmp/fetch").glob("*.part"))


def test_a_new_member_that_would_run_code_is_refused(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The same for an archive: none of its files is installed."""
    member, evil = "reference_model/model-000200000.pth", b"cos\nsystem\n(S'true'\ntR."
    world.publish(ARCHIVES["pips"], tar_gz_of({member: evil}))
    clones.unpin(clone.root, "unpack_pips")

    assert fetch.main(["--trust-first-use", "pips"]) == 1

    assert "loading it would run more than weights need" in capsys.readouterr().err
    assert (clone.tree(), clone.objects()) == ({}, {})
    assert list((clone.root / ".dvc/tmp/fetch").iterdir()) == []
