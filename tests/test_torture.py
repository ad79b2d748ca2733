"""A short run of make torture."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests import torture
from tests.world import disks

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]


def may_mount(folder: Path) -> bool:
    """Tell whether a disk can be made that may be filled."""
    with suppress(disks.NoRightError), disks.small(folder, disks.MIB):
        return True
    return False


@pytest.mark.torture
@pytest.mark.timeout(900)  # a busy machine takes its time
def test_a_short_torture_loses_nothing(capsys: Capture, tmp_path: Path) -> None:
    """Kills, doubles and full disks at moments of one seed; every count is reached."""
    full = ["--disks", "1" if may_mount(tmp_path) else "0"]

    counts = ["--doubles", "1", "--changes", "3", "--drips", "0"]

    assert torture.main(["4", *counts, *full, "--seed", "1"]) == 0

    told = capsys.readouterr().out
    assert told.startswith("seed 1\n")
    assert told.count("full disks") == int(full[1])
    assert "0  faults" in told


def test_a_wrong_byte_under_a_torture_is_seen(capsys: Capture) -> None:
    """The checks can fail: bytes that have a name and are wrong, and a changed lock."""
    with torture.chamber(1) as held, held._fresh() as clone:  # noqa: SLF001
        (clone.root / "models").mkdir()
        (clone.root / "models/stray").write_bytes(b"wrong")
        (clone.root / "dvc.lock").write_text("")
        held._check(clone, ("fetch", "sam_vit_b"))  # noqa: SLF001

        assert len(held.faults) == 2
        assert not torture.run(held, 0, 0, 0)
    assert "wrong bytes in models/stray" in capsys.readouterr().err
