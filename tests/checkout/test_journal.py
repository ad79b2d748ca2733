"""scripts.checkout.journal: what a change has written is taken back, and nothing else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from scripts import bom, seal, tree, verify
from scripts.checkout import journal
from scripts.checkout.clone import Clone
from scripts.checkout.journal import JOURNAL, Journal, locked, recover
from scripts.console.errors import DiskError, UsageError
from scripts.files import disk
from tests.curation.changing import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

UNDONE = "import_url x was cut short; its change is undone, the catalogue is as it was before\n"


def begun(root: Path, **texts: str | None) -> Journal:
    """Leave a change that has written some files and was killed."""
    kept = Journal("import_url x", {})
    kept.save(root)
    kept.write(root, texts)
    return kept


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with four files, one of them a link."""
    for name in ("changed", "removed", "other"):
        (tmp_path / name).write_bytes(f"{name}\r\n".encode() + b"\xff")
    (tmp_path / "linked").symlink_to("other")
    return tmp_path


def everything(root: Path) -> dict[str, bytes]:
    """Return the bytes of every file."""
    return {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}


def test_every_file_is_restored(root: Path, capsys: Capture) -> None:
    """A changed one, a removed one, a new one, a half-written one; never through a link."""
    before = everything(root)
    kept = begun(root, changed="x", removed=None, linked="x", new="x")
    disk.unfinished(root / "changed", kept.pid).touch()
    assert everything(root) != before

    recover(root)

    assert everything(root) == before
    assert not (root / JOURNAL).exists()
    assert capsys.readouterr().err == UNDONE


def test_a_file_that_was_edited_since_is_left_alone(root: Path, capsys: Capture) -> None:
    """The user may have restored everything with git, and gone on."""
    begun(root, changed="x", removed=None)
    (root / "changed").write_text("mine")

    recover(root)

    assert everything(root)["changed"] == b"mine"
    assert "removed" in everything(root)
    said = "changed was edited since, and is left as it is; see `git diff`\n"
    assert capsys.readouterr().err == said + UNDONE


def test_a_complete_change_is_kept_and_said(root: Path, capsys: Capture) -> None:
    """It was killed before it could show its diff."""
    begun(root, changed="x", removed=None).done(root)

    recover(root)

    assert everything(root)["changed"] == b"x"
    said = "import_url x was stopped after its change was complete: see `git diff`\n"
    assert capsys.readouterr().err == said
    assert not (root / JOURNAL).exists()


def test_what_cannot_be_restored_is_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk; the other files are restored at once."""
    before = everything(root)
    begun(root, changed="x", removed=None)

    def full(path: Path, data: bytes) -> None:
        if path.name == "changed":
            raise DiskError("no room to write changed", "Next: make room, and run again.")
        path.write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "replace", full)
        with pytest.raises(DiskError, match="x was cut short, and its change cannot be undone: no"):
            recover(root)
    assert everything(root) == {**before, "changed": b"x"}

    recover(root)
    assert everything(root) == before


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}'])
def test_a_journal_that_cannot_be_read_is_named(root: Path, text: str) -> None:
    """Nobody but this module writes it."""
    (root / JOURNAL).parent.mkdir(parents=True)
    (root / JOURNAL).write_text(text)

    with pytest.raises(UsageError, match="json cannot be read"):
        recover(root)


def test_a_living_change_is_waited_for(root: Path, capsys: Capture) -> None:
    """Once it writes the catalogue; while it downloads, nobody need wait."""
    kept = begun(root)
    with locked(root):
        recover(root)  # returns, as nothing is written yet
        kept.write(root, {"changed": "x"})
        waiting = threading.Thread(target=recover, args=(root,))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        assert everything(root)["changed"] == b"x"
        kept.undo(root)
    waiting.join()

    assert capsys.readouterr().err == "another command is changing the catalogue; waiting\n"


COMMANDS = [seal.main, tree.main, bom.main, verify.main]


@pytest.mark.parametrize("main", COMMANDS)
def test_the_next_command_of_any_kind_undoes_half_a_change(
    main: Callable[[list[str]], int], clone: TestClone, capsys: Capture
) -> None:
    """It does so before it reads the catalogue."""
    before = clone.read("params.yaml")
    begun(clone.root, **{"params.yaml": "half"})

    ran = run(main, capsys)

    assert ran.err.startswith(UNDONE)
    assert clone.read("params.yaml") == before


def test_a_file_of_the_users_own_is_not_removed(clone: TestClone) -> None:
    """What stands at the path of an import since may be anything."""
    path = clone.root / "models/new.pth"
    Journal("import_url x", {"models/new.pth": None}).save(clone.root)
    path.parent.mkdir()
    path.write_bytes(b"mine")

    Clone.at(clone.root)

    assert path.read_bytes() == b"mine"
    assert not (clone.root / JOURNAL).exists()


@pytest.mark.parametrize("md5", ["", "0" * 32])
def test_what_was_there_and_is_nowhere_else_is_no_circle(md5: str, clone: TestClone) -> None:
    """Such as a link whose object the cache has lost: it is left as it is."""
    path = clone.root / "models/old.pth"
    Journal("remove x", {"models/old.pth": md5}).save(clone.root)
    path.parent.mkdir()
    path.symlink_to("nowhere")

    Clone.at(clone.root)

    assert path.is_symlink()
    assert not (clone.root / JOURNAL).exists()


def test_a_change_whose_end_cannot_be_recorded_can_be_undone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may be full by then."""
    before = everything(root)
    kept = begun(root, changed="x", removed=None)

    def full(*_: object) -> None:
        raise DiskError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "replace", full)
        with pytest.raises(DiskError):
            kept.done(root)
    kept.undo(root)

    assert everything(root) == before


def test_empty_folders_are_pruned(tmp_path: Path) -> None:
    """Up to models/, and none that holds something."""
    (tmp_path / "models/a/b/c").mkdir(parents=True)
    (tmp_path / "models/d").mkdir()
    (tmp_path / "models/d/file").touch()

    journal.prune(tmp_path, "models/a/b/c/x.pth")
    journal.prune(tmp_path, "models/d/x.pth")

    assert [path.name for path in (tmp_path / "models").iterdir()] == ["d"]
