"""python -m scripts.fetch: what it prints, what it exits with, what it leaves behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from scripts import fetch, transfer
from tests.world.checkpoints import files

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
    assert f"{path}  fetched from dl.fbaipublicfiles.com" in capsys.readouterr().out


def test_several_files_are_brought_in_the_order_of_their_names(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each, on stdout."""
    code = fetch.main(["superpoint_v1", "sam_vit_b"])

    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    assert [line.split()[0] for line in told.out.splitlines()] == [
        "models/superglue_ckpts/superpoint_v1.pth",
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
    assert "scripts.unpack" in message
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

    monkeypatch.setattr(transfer, "bring", interrupted)

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
