"""scripts.checkout.workspace: what a command prints about a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.catalogue.pins import Pin
from scripts.checkout.workspace import Origin, Outcome, report

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PIN = Pin("a" * 32, 12_345, "b" * 64)


def test_a_file_is_reported_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Its path and its origin."""
    report(Outcome("models/a", Origin.IN_PLACE, PIN))

    assert capsys.readouterr() == ("models/a  kept: already in place\n", "")


def test_a_first_use_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """The hashes are printed, so that the user can compare them."""
    report(Outcome("models/a", Origin.DOWNLOADED, PIN, first_use=True))

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  first use: no pin yet, so these bytes are trusted and will be pinned:"
    assert lines[2] == f"  md5 {PIN.md5}  sha256 {PIN.sha256}  12,345 bytes"


def test_the_new_path_of_a_wrong_file_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path is relative to the current folder."""
    monkeypatch.chdir(tmp_path)

    report(Outcome("models/a", Origin.DOWNLOADED, PIN, aside=tmp_path / "quarantine/now/models/a"))

    wrong = "  a wrong file was in its place; it is now quarantine/now/models/a\n"
    assert capsys.readouterr().out.endswith(wrong)
