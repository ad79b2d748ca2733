"""What files are called: by entry, file name, path and family; and which names are like another."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.console.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_GLOB = frozenset("*?[")
_NEAR = 5  # names to suggest at most


class Names:
    """All names of all files, to look them up by."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        """Take the entry of each file by its path, in the catalogue's order."""
        self._paths = tuple(entries)
        self._known: dict[str, dict[str, None]] = {}
        for path, entry in entries.items():
            for name in (entry, *of(path)):
                self._known.setdefault(name, {})[path] = None

    def matching(self, word: str) -> tuple[str, ...]:
        """Return the paths of all files that have a name like this one, or match this glob."""
        if _GLOB.isdisjoint(word):
            return tuple(self._known.get(word, ()))
        chosen = {
            path for name, paths in self._known.items() if fnmatchcase(name, word) for path in paths
        }
        return tuple(path for path in self._paths if path in chosen)


def of(path: str) -> Iterator[str]:
    """Yield the names of a file beside that of its entry; the family comes first."""
    file = PurePosixPath(path)
    yield from (family(path), file.name, file.stem, path)


def family(path: str) -> str:
    """Return the family of a file: the folder below models/ names it."""
    return "".join(path.split("/")[1:2]).removesuffix("_ckpts")


def unknown(
    words: Iterable[str],
    known: Iterable[str],
    what: str = "name",
    *,
    hints: Mapping[str, str] | None = None,
) -> UsageError:
    """Return the error that lists near matches of words that are not among the `known` ones.

    `hints` says of some words what else they are.
    """
    listed, asked = list(dict.fromkeys(known)), [f"{word:.60}" for word in words]
    lines = (f"{word}: {(hints or {}).get(word) or _hint(word, listed)}" for word in asked)
    return UsageError(
        f"unknown {what}{'s' * (len(asked) > 1)}: {', '.join(asked)}",
        *lines,
        "Nothing was fetched or changed.",
        f"Next: use the right {what}; `./checkpoints list` shows them all.",
    )


def _hint(word: str, names: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415 - only after a slip

    typed = word.lower()
    longer = [name for name in names if typed in name.lower()]
    near = difflib.get_close_matches(typed, names, n=_NEAR)
    shorter = [name for name in names if name.lower() in typed]
    found = list(dict.fromkeys([*longer, *near, *shorter]))[:_NEAR]
    return f"did you mean {', '.join(found)}?" if found else "no name here is like it"
