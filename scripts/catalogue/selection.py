"""Which files a user means: by name, file name, family, glob, set, or configuration."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from scripts.catalogue import names
from scripts.catalogue.params import COMPLETE
from scripts.console.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts.catalogue.params import Catalogue, Published


@dataclass(frozen=True)
class Selection:
    """The paths that a user has asked for, and the entries to fetch: an archive comes whole."""

    entries: tuple[Published, ...]
    paths: tuple[str, ...]


def select(
    catalogue: Catalogue, words: Sequence[str], configurations: Sequence[str] = ()
) -> Selection:
    """Return what words and configurations select, each once, in their order; raise UsageError."""
    sets, named = {**catalogue.sets, COMPLETE: tuple(catalogue.files)}, catalogue.names
    chosen = {word: sets[word] if word in sets else named.matching(word) for word in words}
    if unknown := [word for word in words if word not in sets and not chosen[word]]:
        raise _unknown_words(catalogue, unknown, sets)
    if unknown := [name for name in configurations if name not in catalogue.configurations]:
        raise names.unknown(unknown, catalogue.configurations, "configuration")
    loaded = (catalogue.configurations[name] for name in configurations)
    paths = tuple(dict.fromkeys(chain(*chosen.values(), *loaded)))
    entries = {file.path: each for each in catalogue.published.values() for file in each.files}
    found = {entries[path].name: entries[path] for path in paths}
    return Selection(tuple(found.values()), paths)


def whole(catalogue: Catalogue, words: Sequence[str]) -> list[Published]:
    """Return the entries that words mean, in the catalogue's order; raise UsageError.

    The name of an entry means that entry alone, even if it is a family's, too. A word must not
    mean a part of an archive.
    """
    named = [catalogue.published[word] for word in words if word in catalogue.published]
    others = select(catalogue, [word for word in words if word not in catalogue.published])
    paths = {*others.paths, *(file.path for entry in named for file in entry.files)}
    chosen = {entry.name for entry in (*named, *others.entries)}
    found = [entry for entry in catalogue.published.values() if entry.name in chosen]
    for entry in found:
        part = [file.path for file in entry.files if file.path in paths]
        if len(part) < len(entry.files):
            what = f"{entry.name} is an archive of {len(entry.files)} files"
            raise UsageError(
                f"{what}, and these are a part of it: {', '.join(part)}",
                "Nothing was changed.",
                f"Next: give the name {entry.name}, which means all of them.",
            )
    return found


def _unknown_words(catalogue: Catalogue, words: list[str], sets: Iterable[str]) -> UsageError:
    files = chain.from_iterable(names.of(path) for path in catalogue.files)
    hints = {name: f"a configuration: `--for {name}`" for name in catalogue.configurations}
    return names.unknown(words, [*sets, *catalogue.published, *files], hints=hints)
