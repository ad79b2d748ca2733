"""scripts.curation.transaction: all files or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.curation import transaction

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("reason", [OSError("full"), KeyboardInterrupt()])
def test_files_are_restored_whatever_happens(reason: BaseException, tmp_path: Path) -> None:
    """A changed one, a removed one, a new one; never through a link to another file."""
    other, names = tmp_path / "other", ("changed", "removed", "linked", "new")
    for name in (*names[:3], "other"):
        (tmp_path / name).write_text(name)

    def change() -> None:
        transaction.write(tmp_path, {"changed": "x", "new": "x"})
        (tmp_path / "removed").unlink()
        (tmp_path / "linked").unlink()
        (tmp_path / "linked").symlink_to(other)
        raise reason

    with pytest.raises(type(reason)), transaction.restored(tmp_path, *names):
        change()

    left = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert left == {name: name for name in ("changed", "removed", "linked", "other")}
    assert not (tmp_path / "linked").is_symlink()


def test_files_stay_changed_if_nothing_happens(tmp_path: Path) -> None:
    """In one step each, with the line ends they were read with."""
    (tmp_path / "a").write_bytes(b"1\r\n\xff")

    with transaction.restored(tmp_path, "a"):
        text = transaction.read(tmp_path, "a")
        transaction.write(tmp_path, {"a": f"0\r\n{text}"})

    assert (tmp_path / "a").read_bytes() == b"0\r\n1\r\n\xff"


def test_empty_folders_are_pruned(tmp_path: Path) -> None:
    """Up to models/, and none that holds something."""
    (tmp_path / "models/a/b/c").mkdir(parents=True)
    (tmp_path / "models/d").mkdir()
    (tmp_path / "models/d/file").touch()

    transaction.prune(tmp_path, "models/a/b/c/x.pth")
    transaction.prune(tmp_path, "models/d/x.pth")

    assert [path.name for path in (tmp_path / "models").iterdir()] == ["d"]
