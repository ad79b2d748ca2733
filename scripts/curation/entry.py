"""New entries of the catalogue, as the user's words describe them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.catalogue import documents, params
from scripts.console.errors import UsageError
from scripts.download import addresses

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from scripts.curation.lists import Faults, Row

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_ARCHIVE = re.compile(r"\.(?:zip|tgz|tar(?:\.\w+)?)$")
_HUGGING_FACE = "https://huggingface.co"


@dataclass(frozen=True)
class File:
    """A new file: its path under models/, its family, its hashes, its description."""

    path: str
    family: str
    member: str | None = None
    md5: str | None = None
    sha256: str | None = None
    desc: str | None = None
    license: str | None = None
    sets: tuple[str, ...] = ()
    line: int = 0

    @property
    def title(self) -> str:
        """Its description, or else the stem of its name."""
        return self.desc or PurePosixPath(self.path).stem


@dataclass(frozen=True)
class Entry:
    """A new entry: its address, its mirrors, and its file; or the members of an archive.

    A mirror comes with the member that it serves, or None for a copy of what `url` serves.
    """

    name: str
    url: str
    files: tuple[File, ...]
    mirrors: tuple[tuple[str, str | None], ...] = ()

    @property
    def archive(self) -> bool:
        """Whether the address serves an archive."""
        return self.files[0].member is not None

    @property
    def line(self) -> int:
        """The line of a list in which it is first."""
        return self.files[0].line

    @property
    def source(self) -> str:
        """The file that has its addresses."""
        return f"sources/{self.name}.dvc"


def refusal(what: str, *details: str) -> UsageError:
    """Return the error for an entry that cannot be added."""
    return UsageError(what, *details, "Nothing was changed.")


def described(rows: Iterable[Row], faults: Faults, taken: Container[str]) -> list[Entry]:
    """Return the entries that rows describe; add every fault, by its line.

    Rows of one path are mirrors; rows of one address are the members of an archive. The default
    name comes from the file's name, in a list from its path where the other is `taken` or there
    twice; the default family comes from the folder.
    """
    by_path: dict[str, list[Row]] = {}
    for row in rows:
        with faults.at(row.line):
            by_path.setdefault(_path(row), []).append(row)
    groups: dict[tuple[str, str], list[list[Row]]] = {}
    for path, copies in by_path.items():
        _refuse_contradictions(copies, faults)
        member = copies[0].get("member")
        groups.setdefault((copies[0].urls[0], "" if member else path), []).append(copies)
    for group in groups.values():
        _refuse_twice([copies[0] for copies in group], faults)
    names = _names(list(groups.values()), faults, taken)
    return [
        _entry(name, [(path, copies) for copies in group for path in [_path(copies[0])]])
        for name, group in zip(names, groups.values(), strict=True)
    ]


def _path(row: Row) -> str:
    """Return the path of a row whose words are right; raise UsageError."""
    _check_addresses(row.urls)
    text = row.words["path"]
    if not re.fullmatch(rf"(?:\./)?{params.TREE}(?:/{_PART})+", text):
        raise refusal(
            f"{text!r} is not a path {params.TREE}/FOLDER/FILE",
            "in letters, digits and . _ + -, each part starting with a letter, a digit or _",
        )
    path = PurePosixPath(text)
    if path.suffix == ".dvc" or path.name in ("dvc.yaml", "dvc.lock"):
        raise refusal(f"{path.name} is the name of a file of DVC", "Next: give another path.")
    for url in row.urls:
        suffix = _ARCHIVE.search(url.partition("?")[0])
        if suffix and not row.get("member") and not text.endswith(suffix[0]):
            raise refusal(
                f"URL is a {suffix[0]} archive, and {path} is not",
                "Next: name the file in the archive with --member.",
            )
    if name := row.get("name"):
        _check_name(name)
    return str(path)


def _check_addresses(urls: Iterable[str]) -> None:
    for url in urls:
        addresses.checked(url)
        if addresses.repository(url) == _HUGGING_FACE:  # no page of a file: refused unrequested
            addresses.of_file(url)


def _is_name(text: str) -> bool:
    return bool(re.fullmatch("[a-z0-9][a-z0-9_]*", text)) and documents.data(text) == text


def _check_name(text: str) -> None:
    if not _is_name(text):
        raise refusal(
            f"{text!r} cannot be a name",
            "a name has lower-case letters, digits and _, and is not a number or a word of yaml",
            "Next: give another one with --name.",
        )


def _refuse_contradictions(copies: Sequence[Row], faults: Faults) -> None:
    """Add a fault for each row that says something else of a file than the first one."""
    first, *others = copies
    for row in others:
        for key, value in row.words.items():
            # A mirror may serve a member itself, but is no archive where the first one is none.
            same = (value,) if key == "member" else (None, value)
            if key != "path" and first.get(key) not in same:
                known = f"{first.get(key) or 'none'} in line {first.line}"
                faults.add(row.line, f"{row.words['path']}: {key} {value} here, {known}")
        if row.urls[0] in first.urls and row.get("member") == first.get("member"):
            faults.add(row.line, f"{row.words['path']} is in line {first.line} with this address")


def _refuse_twice(rows: Sequence[Row], faults: Faults) -> None:
    """Add a fault for each member of an archive that another row has."""
    seen: dict[str | None, int] = {}
    for row in rows:
        if row.get("member") in seen:
            faults.add(row.line, f"{row.get('member')} is in line {seen[row.get('member')]}, too")
        seen.setdefault(row.get("member"), row.line)


def slug(text: str) -> str:
    """Return a text in lower-case letters, digits and _."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _names(groups: list[list[list[Row]]], faults: Faults, taken: Container[str]) -> list[str]:
    """Return a name for each entry: the given one, or one that no other has."""
    given = [{row.get("name") for c in group for row in c} - {None} for group in groups]
    short = [_default(group) for group in groups]
    counts = Counter([*short, *(str(name) for names in given for name in names)])
    seen: dict[str, int] = {}
    found = []
    for group, names, default in zip(groups, given, short, strict=True):
        line = group[0][0].line
        other = line and (default in taken or counts[default] > 1 or not _is_name(default))
        name = str(min(names)) if names else _long(group) if other else default  # type: ignore[type-var]
        if len(names) > 1:
            faults.add(
                line, f"one archive has {len(names)} names: {', '.join(sorted(map(str, names)))}"
            )
        with faults.at(line):
            _check_name(name)
        if name in seen:
            faults.add(line, f"the name {name} is that of line {seen[name]}")
        seen.setdefault(name, line)
        found.append(name)
    return found


def _default(group: list[list[Row]]) -> str:
    """Return the name of the file; for several members of an archive, that of their folder."""
    paths = [PurePosixPath(copies[0].words["path"]) for copies in group]
    folder = paths[0].parent.parts[1:2]
    if len(paths) > 1 and folder:
        return slug(folder[0].removesuffix("_ckpts"))
    return slug(paths[0].stem)


def _long(group: list[list[Row]]) -> str:
    path = PurePosixPath(group[0][0].words["path"])
    return slug(str(path.relative_to(params.TREE).with_suffix("")))


def _entry(name: str, group: list[tuple[str, list[Row]]]) -> Entry:
    mirrors: dict[tuple[str, str | None], None] = {}
    for _, (first, *others) in group:
        mirrors |= dict.fromkeys((url, None) for url in first.urls[1:])
        for row in others:
            # Without a member it serves the file itself, also where others serve an archive.
            member = None if row.get("member") else first.get("member")
            mirrors |= dict.fromkeys((url, member) for url in row.urls)
    files = tuple(_file(name, path, copies) for path, copies in group)
    return Entry(name, group[0][1][0].urls[0], files, tuple(mirrors))


def _file(name: str, path: str, copies: Sequence[Row]) -> File:
    words: dict[str, str] = {}
    for row in reversed(copies):
        words |= row.words
    folder = PurePosixPath(path).parent.parts[1:2] or (name,)
    family = words.get("family") or folder[0].removesuffix("_ckpts").lower().replace("_", "-")
    rest = {key: words.get(key) for key in ("md5", "sha256", "desc", "license")}
    sets = tuple(words.get("set", "").split())
    return File(path, family, copies[0].get("member"), **rest, sets=sets, line=copies[0].line)
