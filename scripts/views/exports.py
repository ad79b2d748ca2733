"""The catalogue for tools of people without DVC: what each file must be, and where it is."""

from __future__ import annotations

import csv
import io
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.catalogue import artifacts, sources
from scripts.catalogue.artifacts import Artifact
from scripts.catalogue.pins import Pin
from scripts.catalogue.urls import host_of
from scripts.download import addresses
from scripts.views.rows import users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from scripts.catalogue.sources import Source
    from scripts.checkout.clone import Clone

# Of the table, which `import-url --from` reads: several rows of one path are copies of a file.
COLUMNS = (
    *("url", "path", "name", "family", "member"),
    *("md5", "sha256", "license", "desc", "set"),
)


@dataclass(frozen=True)
class File:
    """One file as other tools have to know it; `name` is that of its entry."""

    path: str
    name: str
    member: str | None
    pin: Pin
    source: Source
    described: Artifact
    sets: tuple[str, ...]

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses that serve the file itself, to a program: no archive, no page."""
        own = () if self.member else (self.source.url,)
        copies = (each.url for each in self.source.mirrors if each.member == self.member)
        direct = (addresses.file_url(u) for u in (*own, *copies) if host_of(u) != addresses.DRIVE)
        return tuple(dict.fromkeys(url for url in direct if _is_plain(url)))

    @property
    def checksum(self) -> tuple[str, str]:
        """The best hash that is known, after the name of its algorithm."""
        return ("sha256", self.pin.sha256) if self.pin.sha256 else ("md5", str(self.pin.md5))


@dataclass(frozen=True)
class Export:
    """The text that a tool reads; why some files are not in it, by their paths."""

    text: str
    left_out: Mapping[str, str]
    other: str  # the command for these


@dataclass(frozen=True)
class _Format:
    """How a tool lists a file, and why it cannot list one: an empty text if it can."""

    line: Callable[[File], str]
    fault: Callable[[File], str]
    other: str  # the command that helps with what is left out
    head: str = ""


def render(clone: Clone, paths: Iterable[str], name: str) -> Export:
    """Return the files at `paths` in one of FORMATS; raise CatalogueError."""
    form, lines, left_out = FORMATS[name], [], {}
    for file in _files(clone, set(paths)):
        if fault := form.fault(file):
            left_out[file.path] = fault
        else:
            lines.append(form.line(file))
    return Export("\n".join(filter(None, [form.head, *lines])), left_out, form.other)


def _files(clone: Clone, paths: set[str]) -> Iterator[File]:
    described, sets = artifacts.read(clone.root / "dvc.yaml"), users(clone.catalogue.sets)
    for entry in clone.catalogue.published.values():
        for file in entry.files:
            if file.path in paths:
                yield File(
                    file.path, entry.name, file.member, clone.pin(file) or Pin(None),
                    sources.read(clone.root / "sources", entry.name),
                    described.get(file.path, Artifact(file.path)),
                    sets.get(file.path, ()),
                )  # fmt: skip


def _md5sum(file: File) -> str:
    return f"{file.pin.md5}  {file.path}"  # params.yaml has no path that md5sum would escape


def _sha256sum(file: File) -> str:
    return f"{file.pin.sha256}  {file.path}"


def _aria2(file: File) -> str:
    """Return the addresses and options of a download, which aria2c repeats only if it must."""
    algorithm, digest = file.checksum
    options = [f"out={file.path}", f"checksum={algorithm.replace('sha', 'sha-')}={digest}"]
    options += ["check-integrity=true", "continue=true"]
    # One address after another: of two with other bytes aria2c would make one wrong file.
    options += ["split=1"] if len(file.urls) > 1 else []
    return "\n ".join(["\t".join(file.urls), *options])


def _pooch(file: File) -> str:
    return shlex.join([file.path, ":".join(file.checksum), file.urls[0]])


def _rows(file: File) -> str:
    """Return a row for each address; a mirror's has no more, and no member if it is no archive."""
    about, pin, path = file.described, file.pin, file.path
    words = (pin.md5, pin.sha256, about.license, about.desc, " ".join(file.sets))
    lines = [_cells(file.source.url, path, file.name, about.family, file.member, *words)]
    for copy in file.source.mirrors:
        if copy.member in (None, file.member):
            member = None if copy.member else file.member
            lines.append(_cells(copy.url, path, None, None, member, *[None] * len(words)))
    return "\n".join(lines)


def _cells(*cells: str | None) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _unreachable(file: File) -> str:
    if file.urls:
        return ""
    if file.member:
        return "in an archive"
    return "a page of Google Drive" if host_of(file.source.url) == addresses.DRIVE else "no address"


def _unlisted(file: File) -> str:
    """Return why aria2c cannot list a file: it strips lines."""
    return "its name ends with a space" if file.path.endswith(" ") else _unreachable(file)


def _is_plain(url: str) -> bool:
    """Tell whether an address is one word in the list of any tool."""
    return url.isascii() and url.isprintable() and " " not in url


FORMATS: Mapping[str, _Format] = {
    "md5sums": _Format(
        _md5sum, lambda file: "" if file.pin.md5 else "no md5 is known", "export sha256sums"
    ),
    "sha256sums": _Format(
        _sha256sum, lambda file: "" if file.pin.sha256 else "no sha256 is known", "export md5sums"
    ),
    "aria2": _Format(_aria2, _unlisted, "fetch"),
    "pooch": _Format(_pooch, _unreachable, "fetch"),
    "csv": _Format(_rows, lambda _: "", "", _cells(*COLUMNS)),
}
