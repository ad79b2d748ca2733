"""Lists of files to import, as other programs keep them: read whole, every fault with its line."""

from __future__ import annotations

import csv
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from scripts.catalogue.params import COMPLETE, TREE
from scripts.console.errors import UsageError
from scripts.console.progress import counted
from scripts.curation import checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts.curation.checksums import Sums

_ADDRESS = re.compile(r"\w[\w+.-]*://")
_CHECKSUMS = {"md5": "md5", "sha-256": "sha256"}  # as aria2 writes them
_NOTHING = "Nothing was changed."


@dataclass(frozen=True)
class Row:
    """One file of a list: the line it is in, its addresses, and what else is said of it.

    The keys of `words` are those of CHECKS, and `path`. Line 0 is the command line.
    """

    line: int
    urls: tuple[str, ...]
    words: Mapping[str, str]

    def get(self, key: str) -> str | None:
        """Return a word, or None."""
        return self.words.get(key)


@dataclass
class Faults:
    """Every fault of a list, by line; `where` is its name, empty for the command line."""

    where: str = ""
    found: list[tuple[int, UsageError]] = field(default_factory=list)

    def add(self, line: int, what: str, *details: str) -> None:
        """Add a fault."""
        self.found.append((line, UsageError(what, *details, _NOTHING)))

    @contextmanager
    def at(self, line: int) -> Iterator[None]:
        """Add what the block raises as a fault of a line."""
        try:
            yield
        except UsageError as error:
            self.found.append((line, error))

    @property
    def lines(self) -> set[int]:
        """The lines that have a fault."""
        return {line for line, _ in self.found}

    def check(self) -> None:
        """Raise UsageError with every fault; that of the command line as it is."""
        if not self.found:
            return
        if not self.where:
            raise self.found[0][1]
        rows = [f"line {line}: {told(error)}" for line, error in sorted(self.found, key=_line)]
        what = f"{self.where}: {counted(len(rows), 'fault')}"
        raise UsageError(what, *rows, _NOTHING, "Next: correct the list, and run again.")


def _line(fault: tuple[int, UsageError]) -> int:
    return fault[0]


def told(error: UsageError) -> str:
    """Return an error in one line, without what comes next."""
    return "; ".join([error.what, *(line for line in error.facts if line != _NOTHING)])


def hexed(digits: int, text: str) -> str:
    """Return a hash in lower case; raise UsageError."""
    if not re.fullmatch(f"[0-9a-f]{{{digits}}}", text.lower()):
        raise UsageError(f"{text!r} is not {digits} hex digits")
    return text.lower()


def plain(text: str) -> str:
    """Return text that yaml and DVC take literally; raise UsageError."""
    if not text or not text.isprintable():
        raise UsageError(f"{text!r} is not one line of printable characters")
    if "${" in text:
        raise UsageError(f"{text!r}: DVC reads ${{ as the start of a variable")
    return text


def _set(text: str) -> str:
    names = text.split()
    if COMPLETE in names or not all(re.fullmatch("[a-z0-9][a-z0-9_]*", name) for name in names):
        what = f"a set's name has lower-case letters, digits and _, and is not {COMPLETE}"
        raise UsageError(f"{text!r}: {what}")
    return text


CHECKS: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(("name", "family", "member", "license", "desc"), plain),
    "md5": lambda text: hexed(32, text),
    "sha256": lambda text: hexed(64, text),
    "set": _set,
}


def read(text: str, faults: Faults, *, folder: str | None, sums: str = "") -> list[Row]:
    """Return the files of a list in any of the formats; add every fault, by its line.

    A file without a path comes into the `folder` below models/, under the name that its URL has.
    `sums` is the text of an md5sum or sha256sum file, matched by path or file name.
    """
    lines = _lines(text)
    first = next((line for line in lines if _content(line)), "")
    if _ADDRESS.match(first):
        rows = list(_addresses(lines, faults, folder))
    elif checksums.parsed(first):
        faults.add(1, "these are hashes without addresses: give them with --sums")
        rows = []
    else:
        rows = list(_table(lines, faults, folder))
    if not rows and not faults.found:
        faults.add(1, "the list names no file")
    return _summed(rows, sums, faults) if sums else rows


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))


def _content(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _table(lines: list[str], faults: Faults, folder: str | None) -> Iterator[Row]:
    """Yield the rows of a csv or tsv with a header."""
    kept = [line if _content(line) else "" for line in lines]  # the reader skips empty lines
    head = next((line for line in kept if line), "")
    reader = csv.reader(kept, delimiter="\t" if "\t" in head else ",", strict=True)
    header: list[str] = []
    known = ("url", "path", *CHECKS)
    try:
        for cells in reader:
            line, texts = reader.line_num, [cell.strip() for cell in cells]
            if not header and texts:
                header = [cell.lower() for cell in texts]
                _check_header(line, header, known, faults)
                if line in faults.lines:
                    return
            elif any(texts):
                yield from _row(line, header, texts, faults, folder)
    except csv.Error as error:
        faults.add(reader.line_num, f"not csv: {error}")


def _check_header(line: int, header: list[str], known: tuple[str, ...], faults: Faults) -> None:
    if "url" not in header:
        faults.add(line, f"not a list of addresses, nor a header with url: {', '.join(header):.80}")
        return
    for name in dict.fromkeys(header):
        if name not in known:
            faults.add(line, f"unknown column {name!r} (known: {', '.join(known)})")
        elif header.count(name) > 1:
            faults.add(line, f"the column {name} is there twice")


def _row(
    line: int, header: list[str], texts: list[str], faults: Faults, folder: str | None
) -> Iterator[Row]:
    if len(texts) > len(header):
        faults.add(line, f"{len(texts)} cells under {len(header)} columns")
        return
    words = {key: text for key, text in zip(header, texts, strict=False) if text}
    if not (url := words.pop("url", "")):
        faults.add(line, "no url")
        return
    yield from _checked(line, (url,), words, faults, folder)


def _checked(
    line: int, urls: tuple[str, ...], words: dict[str, str], faults: Faults, folder: str | None
) -> Iterator[Row]:
    """Yield the row if every word is right."""
    for key in words.keys() & CHECKS.keys():
        with faults.at(line):
            words[key] = CHECKS[key](words[key])
    words.setdefault("path", f"{folder or TREE}/{_file_name(urls[0])}")
    if line not in faults.lines:
        yield Row(line, urls, words)


def _file_name(url: str) -> str:
    with suppress(ValueError):  # it is none, which is a fault
        return unquote(PurePosixPath(urlsplit(url).path).name)
    return ""


def _addresses(lines: list[str], faults: Faults, folder: str | None) -> Iterator[Row]:
    """Yield the files of a list for wget or aria2c: mirrors in one line, options below it."""
    at, urls, words = 0, tuple[str, ...](), dict[str, str]()
    for number, line in enumerate([*lines, _END], start=1):
        if line[:1] in (" ", "\t") and _content(line):
            with faults.at(number):
                words |= _option(line.strip())
        elif _content(line):
            if urls:
                yield from _checked(at, urls, _placed(words, urls[0], folder), faults, folder)
            at, urls, words = number, tuple(line.split()), {}


_END = "end"


def _option(text: str) -> dict[str, str]:
    """Return what an option of aria2c says of a file; raise UsageError."""
    key, _, value = (part.strip() for part in text.partition("="))
    if key in ("out", "dir"):
        return {key: value}
    if key != "checksum":
        return {}  # how to download, not what
    kind, _, digest = value.partition("=")
    if kind not in _CHECKSUMS:
        raise UsageError(f"checksum={kind}: only {' and '.join(_CHECKSUMS)} are checked")
    return {_CHECKSUMS[kind]: digest}


def _placed(words: dict[str, str], url: str, folder: str | None) -> dict[str, str]:
    """Return the words with the path that out= and dir= mean."""
    out, where = words.pop("out", ""), words.pop("dir", "")
    if out.startswith(f"{TREE}/") and not where:
        return words | {"path": out}
    if out or where:
        words["path"] = f"{where.rstrip('/') or folder or TREE}/{out or _file_name(url)}"
    return words


def _summed(rows: list[Row], text: str, faults: Faults) -> list[Row]:
    """Return the rows with the hashes of a checksum file; raise UsageError if it has none."""
    sums = checksums.read(line for line in _lines(text) if _content(line))
    summed = [_with_sum(row, sums, faults) for row in rows]
    if rows and summed == rows and not faults.found:
        raise UsageError(f"no file of {faults.where} is in the checksum file", _NOTHING)
    return summed


def _with_sum(row: Row, sums: Sums, faults: Faults) -> Row:
    path = row.words["path"]
    names = (path, path.removeprefix(f"{TREE}/"), PurePosixPath(path).name, _file_name(row.urls[0]))
    found = next((sums[name] for name in names if name in sums), {})
    words = dict(row.words)
    for kind, digests in found.items():
        if len(digests) > 1:
            faults.add(row.line, f"{path}: the checksum file has {len(digests)} for this name")
        elif words.setdefault(kind, min(digests)) not in digests:
            faults.add(row.line, f"{path}: {kind} {words[kind]} here, {min(digests)} in the sums")
    return replace(row, words=words)
