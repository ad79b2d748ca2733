"""A short run of make torture."""

from __future__ import annotations

import pytest

from tests import torture

Capture = pytest.CaptureFixture[str]


@pytest.mark.slow
def test_a_short_torture_loses_nothing(capsys: Capture) -> None:
    """Kills, doubles and full disks at moments of one seed; every count is reached."""
    assert torture.main(["4", "--doubles", "1", "--disks", "1", "--seed", "1"]) == 0

    told = capsys.readouterr().out
    assert told.startswith("seed 1\n")
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
