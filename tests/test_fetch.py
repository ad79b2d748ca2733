"""python -m scripts.fetch: what it prints, what it exits with, what it leaves behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.download import transfer
from tests.world.checkpoints import FBAI, files
from tests.world.formats import tar_gz_of

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone


def test_a_file_is_fetched_verified_and_linked_from_the_cache(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way of one checkpoint: its publisher, the cache, one inode under models/."""
    path = "models/sam_ckpts/sam_vit_b_01ec64.pth"

    code = fetch.main(["sam_vit_b"])

    assert code == 0
    assert clone.tree() == {path: files(10_000)[path]}
    assert list(clone.objects().values()) == [files(10_000)[path]]
    assert (clone.root / path).stat().st_nlink == 2
    assert {request.host for request in world.requests} == {"dl.fbaipublicfiles.com"}
    assert f"{path}  downloaded from dl.fbaipublicfiles.com" in capsys.readouterr().out


def test_several_files_are_brought_in_the_order_of_their_names(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each, on stdout."""
    code = fetch.main(["sam_mobile_vit_t", "sam_vit_b"])

    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    assert [line.split()[0] for line in told.out.splitlines()] == [
        "models/sam_mobile_ckpts/sam_mobile_vit_t.pth",
        "models/sam_ckpts/sam_vit_b_01ec64.pth",
    ]
    assert len(clone.tree()) == 2


def test_one_unknown_name_stops_all_of_them(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 before the first request."""
    code = fetch.main(["superpoint_v1", "superpoint_v2", "raft"])

    message = capsys.readouterr().err
    assert code == 2
    assert message.startswith("error: unknown names: superpoint_v2, raft")
    assert "scripts.fetch" in message
    assert (world.requests, clone.tree()) == ([], {})


@pytest.mark.parametrize("name", ["fetch", "unpack"])
def test_a_command_without_names_is_a_usage_error(clone: TestClone, name: str) -> None:
    """Argparse's own exit code, 2; --help says what a name is."""
    bare = clone.run(sys.executable, "-m", f"scripts.{name}")
    helped = clone.run(sys.executable, "-m", f"scripts.{name}", "--help")

    assert bare.returncode == 2
    assert bare.stderr.startswith(f"usage: python -m scripts.{name}")
    assert (helped.returncode, "params.yaml" in helped.stdout) == (0, True)


def test_ctrl_c_is_no_traceback(
    clone: TestClone, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 130, what is kept, and what to run next."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "download", interrupted)

    code = fetch.main(["sam_vit_b"])

    assert code == 130
    assert capsys.readouterr().err.startswith("error: stopped\n")
    assert clone.tree() == {}


def test_no_network_at_all_says_what_was_tried_and_that_a_rerun_resumes(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The proxy is gone: the host is named, nothing is changed."""
    world.stop_proxy()

    code = fetch.main(["sam_vit_b"])

    message = capsys.readouterr().err
    assert code == 1
    assert message.startswith("error: sam_vit_b: dl.fbaipublicfiles.com: ")
    assert "it goes on where it stopped" in message
    assert (clone.tree(), clone.objects()) == ({}, {})


def test_a_licence_that_restricts_is_told_once_for_its_family(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the first file of the family, not with the second, and never twice."""
    said: list[str] = []
    for names in (["superpoint_v1"], ["superglue_outdoor"], ["superpoint_v1"]):
        assert fetch.main(names) == 0
        out, err = capsys.readouterr()
        assert err == ""
        said.append(out.partition("licence of superglue: ")[2])

    assert said[0].startswith("LicenseRef-MagicLeap-noncommercial-research, ")
    assert "may not be redistributed" in said[0]
    assert said[1:] == ["", ""]
    assert len(clone.tree()) == 2


@pytest.mark.parametrize("there", [True, False])
def test_a_new_checkpoint_that_would_run_more_than_weights_need_is_not_trusted(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str], *, there: bool
) -> None:
    """Without a pin the pickle is read first: from the publisher, or put there by hand."""
    path, evil = "models/sam_ckpts/sam_vit_b_01ec64.pth", b"cos\nsystem\n(S'true'\ntR."
    world.publish(f"{FBAI}/segment_anything/sam_vit_b_01ec64.pth", evil)
    (clone.root / "dvc.lock").unlink()
    if there:
        (clone.root / path).parent.mkdir(parents=True)
        (clone.root / path).write_bytes(evil)

    assert fetch.main(["sam_vit_b"]) == 1

    told = capsys.readouterr().err
    assert "loading it would run more than weights need" in told
    assert "os.system" in told
    assert clone.objects() == {}
    assert clone.tree() == ({path: evil} if there else {})
    assert not list((clone.root / ".dvc/tmp/fetch").glob("*.part"))


def test_a_new_member_that_would_run_more_than_weights_need_is_not_trusted(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same inside an archive: none of its files is taken."""
    member, evil = "reference_model/model-000200000.pth", b"cos\nsystem\n(S'true'\ntR."
    address = "https://www.dropbox.com/s/glk6jmoa9yeervl/reference_model.tar.gz"
    world.publish(address, tar_gz_of({member: evil}))
    (clone.root / "dvc.lock").unlink()

    assert fetch.main(["pips"]) == 1

    assert "loading it would run more than weights need" in capsys.readouterr().err
    assert (clone.tree(), clone.objects()) == ({}, {})
