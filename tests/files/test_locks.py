"""scripts.files.locks: one holder at a time, and no file is left behind."""

from __future__ import annotations

import fcntl
import threading
import time
from typing import TYPE_CHECKING

import pytest

from scripts.files import locks

if TYPE_CHECKING:
    from pathlib import Path


def test_a_lock_file_goes_with_its_holder(tmp_path: Path) -> None:
    """Whether it ends well or with an error."""
    path = tmp_path / "folder/key.lock"

    with locks.held(path, "key", wait=True) as mine:
        assert (mine, path.exists()) == (True, True)
    with pytest.raises(RuntimeError), locks.held(path, "key", wait=True):
        raise RuntimeError

    assert list(path.parent.iterdir()) == []


def test_without_waiting_a_held_lock_is_not_taken(tmp_path: Path) -> None:
    """It stays its holder's."""
    path = tmp_path / "key.lock"

    with locks.held(path, "key", wait=True):
        with locks.held(path, "key", wait=False) as mine:
            assert mine is False
        assert path.exists()


def test_who_waited_for_a_file_that_went_takes_the_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its lock on the old file would exclude nobody."""
    path, inside = tmp_path / "key.lock", 0
    most: list[int] = []

    def work() -> None:
        nonlocal inside
        for _ in range(20):
            with locks.held(path, "key: another process is at work on it", wait=True):
                inside += 1
                most.append(inside)
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(most), max(most)) == (80, 1)
    assert list(tmp_path.iterdir()) == []
    assert "key: another process is at work on it; waiting" in capsys.readouterr().err


def test_the_lock_of_another_is_not_removed(tmp_path: Path) -> None:
    """Somebody cleared the folder, and another process made the file again."""
    path = tmp_path / "key.lock"

    with locks.held(path, "key", wait=True):
        path.unlink()
        path.write_text("")

    assert path.exists()


def test_a_lock_that_moves_while_it_is_taken_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the opening and the lock its holder may remove the file."""
    path, real = tmp_path / "key.lock", fcntl.flock
    taken: list[int] = []

    def late(fd: int, flags: int) -> None:
        if not taken:
            path.unlink()
        taken.append(fd)
        real(fd, flags)

    monkeypatch.setattr(fcntl, "flock", late)
    with locks.held(path, "key", wait=True):
        assert len(taken) == 2
        assert path.exists()


def test_a_lock_is_looked_at_without_a_trace(tmp_path: Path) -> None:
    """Held, left behind by a kill, or not there."""
    path = tmp_path / "key.lock"
    assert not locks.is_held(path)

    with locks.held(path, "key", wait=True):
        assert locks.is_held(path)
    path.touch()

    assert not locks.is_held(path)
    assert list(tmp_path.iterdir()) == [path]
