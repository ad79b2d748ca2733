"""scripts.checkout.workspace: what a command prints about a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.catalogue.pins import Pin
from scripts.checkout.workspace import Origin, Outcome, closing, report
from scripts.console.progress import duration

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


def test_the_last_line_is_about_all_files(tmp_path: Path) -> None:
    """Sizes are those on the disk: the lock may have none."""
    for name in "abcd":
        (tmp_path / name).write_bytes(bytes(1_000_000))
    pin = Pin("0" * 32)
    made = [Outcome(name, Origin.DOWNLOADED, pin) for name in "ab"]

    assert closing(tmp_path, [*made, Outcome("c", Origin.IN_PLACE, pin)], 192) == (
        "3 files, 3.0 MB in place: 2 downloaded (2.0 MB in 3 min 12 s, 10.4 kB/s), 1 was there"
    )
    there = [Outcome("d", Origin.CACHE, pin), *(Outcome(n, Origin.IN_PLACE, pin) for n in "ab")]
    assert closing(tmp_path, there, 0) == (
        "3 files, 3.0 MB in place: 1 linked from the cache, 2 were there"
    )
    assert closing(tmp_path, made[:1], 0.25).endswith("1 downloaded (1.0 MB in 0.2 s, 4.0 MB/s)")
    assert duration(2 * 3600 + 65) == "2 h 1 min"
