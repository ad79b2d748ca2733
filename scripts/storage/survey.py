"""What a remote holds of the pins, what a pull would transfer, and how it would be linked."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.console.errors import DiskError
from scripts.console.progress import counted, human
from scripts.storage.remote import Remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scripts.catalogue.pins import Pin
    from scripts.storage.cache import Cache
    from scripts.storage.remote import RemoteObject

_RIGHT = {True: "yes", False: "no", None: "unknown"}
_SHOWN = 3  # broken files; more would not fit a screen


@dataclass(frozen=True)
class Survey:
    """The state of a remote."""

    remote: str
    url: str
    read: bool
    write: bool | None
    verify: bool
    link: str
    files: list[RemoteObject]
    absent: list[RemoteObject]  # what the cache lacks: a pull would transfer it

    @property
    def broken(self) -> list[RemoteObject]:
        """What a pull would not get, the damaged ones first."""
        return sorted((item for item in self.files if item.broken), key=lambda item: item.state)

    def as_json(self, stages: Mapping[str, str]) -> dict[str, Any]:
        """Return the survey as plain data, sizes in bytes; `stages` is the catalogue's."""
        lacking = {item.path for item in self.absent}
        lists = ("files", "absent")
        return {name: value for name, value in vars(self).items() if name not in lists} | {
            "pull": {"files": len(self.absent), "bytes": _bytes(self.absent)},
            "files": [
                {
                    "path": item.path,
                    "md5": item.pin.md5,
                    "remote_md5": item.md5,
                    "state": item.state,
                    "size": item.size,
                    "cached": item.path not in lacking,
                    "stage": stages.get(item.path, "models.dvc"),
                }
                for item in self.files
            ],
        }

    def lines(self) -> Iterator[str]:
        """Yield the survey for a person, at most one screen."""
        there = len(self.files) - len(self.broken)
        yield f"remote   {self.remote}: {self.url}"
        yield f"rights   read {_RIGHT[self.read]}, write {_RIGHT[self.write]}"
        yield f"verify   {'on' if self.verify else 'OFF: damaged files are pulled unnoticed'}"
        yield f"holds    {there} of {len(self.files)} pinned files{self._proof(there)}"
        for item in self.broken[:_SHOWN]:
            yield f"{item.state:<8} {item.path}"
            if item.state == "damaged":
                yield f"  pinned md5 {item.pin.md5}  {_size(item.pin.size)}"
                yield f"  remote md5 {item.md5 or '-':<32}  {_size(item.size)}"
        if more := self.broken[_SHOWN:]:
            yield f"  and {len(more)} more; --json names all"
        yield f"link     {self.link}"
        size = f", {human(_bytes(self.absent))}" if self.absent else ""
        yield f"pull     would transfer {counted(len(self.absent))}{size}"

    def _proof(self, there: int) -> str:
        """Return how much is known of the content of the files that are there."""
        proved = sum(item.state == "proved" for item in self.files)
        if not proved:  # a folder and most servers state no hash
            return "; --read checks their content, too" if there else ""
        rest = "; --read checks that of the others" if proved < there else ""
        return f", the content of {proved} proved{rest}"


def survey(pins: Mapping[str, Pin], cache: Cache, remote: Remote, *, read: bool) -> Survey:
    """Check a remote's headers; with `read`, hash every object whose headers prove nothing."""
    remote.expect_folder()
    rights = remote.rights()
    files = remote.look(pins)
    if read:
        files = [remote.read(item) if item.state == "held" else item for item in files]
    absent = [i for i in files if i.found and not cache.object(str(i.pin.md5)).exists()]
    try:
        link = cache.linking()
    except DiskError as error:
        link = f"unknown: {error.what}"
    if link == "copy":
        link += ": every file takes its space twice"
    return Survey(remote.name, remote.url, *rights, remote.verify, link, files, absent)


def held(root: Path, pins: Mapping[str, Pin]) -> set[str]:
    """Return the paths of the pinned files that the team's remote has; raise RemoteError."""
    with closing(Remote(root, None)) as remote:
        remote.expect_folder()
        return {item.path for item in remote.look(pins) if not item.broken}


def _bytes(files: list[RemoteObject]) -> int:
    return sum(item.size or item.pin.size or 0 for item in files)


def _size(size: int | None) -> str:
    return "size unknown" if size is None else f"{size:>13,} bytes"
