"""Which files a user means: by name, file name, family, glob, set, or configuration."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.console.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scripts.catalogue.params import Catalogue, Published

COMPLETE = "complete"  # the set that is always there
_GLOB = frozenset("*?[")
_NEAR = 5  # names to suggest at most


@dataclass(frozen=True)
class Selection:
    """The paths that a user has asked for, and the entries to fetch: an archive comes whole."""

    entries: tuple[Published, ...]
    paths: tuple[str, ...]


def select(
    catalogue: Catalogue, words: Sequence[str], configurations: Sequence[str] = ()
) -> Selection:
    """Return what words and configurations select, each once, in their order; raise UsageError."""
    sets = {**catalogue.sets, COMPLETE: tuple(catalogue.files)}
    chosen = {word: sets.get(word) or matching(catalogue.published, word) for word in words}
    if unknown := [word for word, paths in chosen.items() if not paths]:
        raise _unknown_words(catalogue, unknown, sets)
    if unknown := [name for name in configurations if name not in catalogue.configurations]:
        raise unknown_names(unknown, catalogue.configurations, "configuration")
    loaded = (catalogue.configurations[name] for name in configurations)
    paths = tuple(dict.fromkeys(chain(*chosen.values(), *loaded)))
    entries = {file.path: each for each in catalogue.published.values() for file in each.files}
    found = {entries[path].name: entries[path] for path in paths}
    return Selection(tuple(found.values()), paths)


def matching(published: Mapping[str, Published], word: str) -> tuple[str, ...]:
    """Return the paths of all files that have a name like this one, or match this glob."""
    is_glob = not _GLOB.isdisjoint(word)
    return tuple(
        file.path
        for entry in published.values()
        for file in entry.files
        if any(
            fnmatchcase(name, word) if is_glob else name == word
            for name in (entry.name, *_names(file.path))
        )
    )


def family(path: str) -> str:
    """Return the family of a file: the folder below models/ names it."""
    return "".join(path.split("/")[1:2]).removesuffix("_ckpts")


def unknown_names(
    words: Iterable[str],
    known: Iterable[str],
    what: str = "name",
    *,
    hints: Mapping[str, str] | None = None,
) -> UsageError:
    """Return the error that lists near matches of words that are not among the `known` ones.

    `hints` says of some words what else they are.
    """
    names, asked = list(dict.fromkeys(known)), [f"{word:.60}" for word in words]
    lines = (f"{word}: {(hints or {}).get(word) or _hint(word, names)}" for word in asked)
    return UsageError(
        f"unknown {what}{'s' * (len(asked) > 1)}: {', '.join(asked)}",
        *lines,
        "Nothing was fetched or changed.",
        f"Next: use the right {what}; params.yaml lists them all.",
    )


def _unknown_words(catalogue: Catalogue, words: list[str], sets: Iterable[str]) -> UsageError:
    families, files = map(family, catalogue.files), (p.rpartition("/")[2] for p in catalogue.files)
    hints = {name: f"a configuration: `--for {name}`" for name in catalogue.configurations}
    return unknown_names(words, [*sets, *catalogue.published, *families, *files], hints=hints)


def _names(path: str) -> Iterator[str]:
    """Yield the names of a file beside that of its entry; the family comes first."""
    file = PurePosixPath(path)
    yield from (family(path), file.name, file.stem, path)


def _hint(word: str, names: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415 - only after a slip

    typed = word.lower()
    longer = [name for name in names if typed in name.lower()]
    near = difflib.get_close_matches(typed, names, n=_NEAR)
    shorter = [name for name in names if name.lower() in typed]
    found = list(dict.fromkeys([*longer, *near, *shorter]))[:_NEAR]
    return f"did you mean {', '.join(found)}?" if found else "no name here is like it"
