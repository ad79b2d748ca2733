"""Commands that end at the nth write, as SIGKILL would end them: nothing is undone."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.checkout.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class KilledError(BaseException):
    """Stands for the end of the process."""


@contextmanager
def cut(number: int) -> Iterator[None]:
    """End what runs in the block as it renames or unlinks a file the `number`th time, from 0."""
    calls: list[object] = []

    def fatal(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *words: Any, **more: Any) -> Any:  # noqa: ANN401 - as the real one
            if len(calls) == number:
                raise KilledError
            calls.append(path)
            return real(path, *words, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "undo", lambda *_: None)
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, fatal(getattr(Path, name)))
        yield


def ends(run: Callable[[], object], number: int) -> bool:
    """Run something that ends at its `number`th write; tell whether it was complete before."""
    try:
        with cut(number):
            run()
    except KilledError:
        return False
    return True
