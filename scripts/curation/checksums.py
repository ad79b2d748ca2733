"""Files of md5sum and sha256sum: the hashes that a publisher states, by the names of its files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.console.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    Sums = dict[str, dict[str, set[str]]]  # path or file name -> md5 or sha256 -> hashes

_KINDS = {32: "md5", 64: "sha256"}  # by the number of hex digits
_HASH = r"(?P<hash>[0-9a-fA-F]{32,128})"
_FORMS = (
    re.compile(rf"{_HASH} [ *]?(?P<name>.+)"),
    re.compile(rf"\w+ ?\((?P<name>.+)\) ?= ?{_HASH}"),
)


def parsed(line: str) -> tuple[str, str] | None:
    """Return name and hash, as GNU or BSD write them; None if it is no such line."""
    for form in _FORMS:
        if found := form.fullmatch(line.strip()):
            return found["name"].strip().removeprefix("./"), found["hash"].lower()
    return None


def read(lines: Iterable[str]) -> Sums:
    """Return the hashes of each path, and of each file name; raise UsageError.

    Two files in different folders may have one name: then it has two hashes.
    """
    sums: Sums = {}
    for line in lines:
        if (found := parsed(line)) is None:
            what = f"not a line of md5sum or sha256sum: {line:.80}"
            raise UsageError(what, "Nothing was changed.")
        name, digest = found
        if kind := _KINDS.get(len(digest)):
            for known in {name, PurePosixPath(name).name}:
                sums.setdefault(known, {}).setdefault(kind, set()).add(digest)
    return sums
