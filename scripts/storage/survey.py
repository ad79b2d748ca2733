"""What a remote holds of a clone's pins, what a pull would bring, and how it would be linked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.console.errors import DiskError
from scripts.console.progress import human

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.checkout.clone import Clone
    from scripts.storage.remote import Remote, RemoteObject

_SHOWN = 3  # files without which a pull is incomplete; more would not fit a screen


@dataclass(frozen=True)
class Survey:
    """One look at a remote, without a byte of a checkpoint transferred."""

    remote: str
    url: str
    read: bool
    write: bool | None
    verify: bool
    link: str
    files: list[RemoteObject]
    absent: list[RemoteObject]  # what the clone's cache lacks: a pull would bring it

    @property
    def broken(self) -> list[RemoteObject]:
        """What a pull would not get, the damaged ones first."""
        return sorted((held for held in self.files if held.broken), key=lambda held: held.state)

    def as_json(self, origin: dict[str, str]) -> dict[str, Any]:
        """Return the survey as plain data; sizes in bytes."""
        lacking = {held.path for held in self.absent}
        return {
            "remote": self.remote,
            "url": self.url,
            "read": self.read,
            "write": self.write,
            "verify": self.verify,
            "link": self.link,
            "pull": {"files": len(self.absent), "bytes": _bytes(self.absent)},
            "files": [
                {
                    "path": held.path,
                    "md5": held.pin.md5,
                    "remote_md5": held.md5,
                    "state": held.state,
                    "size": held.size,
                    "cached": held.path not in lacking,
                    "stage": origin[held.path],
                }
                for held in self.files
            ],
        }

    def lines(self) -> Iterator[str]:
        """Yield the survey for a person, one screen of it."""
        states = [held.state for held in self.files]
        there = len(states) - len(self.broken)
        yield f"remote   {self.remote}: {self.url}"
        yield f"rights   read {_word(self.read)}, write {_word(self.write)}"
        yield f"verify   {'on' if self.verify else 'OFF: damaged files are pulled in silence'}"
        proved = f", the content of {states.count('proved')} proved" if there else ""
        yield f"holds    {there} of {len(states)} pinned files{proved}"
        for held in self.broken[:_SHOWN]:
            yield f"{held.state:<8} {held.path}"
            if held.state == "damaged":
                yield f"  pinned md5 {held.pin.md5}  {_size(held.pin.size)}"
                yield f"  remote md5 {held.md5 or '-':<32}  {_size(held.size)}"
        if more := self.broken[_SHOWN:]:
            yield f"  and {len(more)} more; --json names all"
        yield f"link     {self.link}"
        size = f", {human(_bytes(self.absent))}" if self.absent else ""
        yield f"pull     would transfer {len(self.absent)} files{size}"


def survey(clone: Clone, remote: Remote, *, read: bool) -> Survey:
    """Look at a remote; with `read`, hash every object whose content its headers do not prove."""
    remote.expect_folder()
    may_read, may_write = remote.rights()
    files = remote.look(clone.pins)
    if read:
        files = [remote.read(held) if held.state == "held" else held for held in files]
    absent = [
        held for held in files if held.found and not clone.cache.object(str(held.pin.md5)).exists()
    ]
    return Survey(
        remote.name, remote.url, may_read, may_write, remote.verify, _link(clone), files, absent
    )


def stages(clone: Clone) -> dict[str, str]:
    """Return path -> the stage that brings it from its publisher, for every pinned file."""
    found = dict.fromkeys(clone.pins, "models.dvc")
    for name, entry in clone.catalogue.published.items():
        stage = f"unpack_{name}" if entry.archive else f"fetch@{name}"
        found.update({file.path: stage for file in entry.files})
    return found


def _link(clone: Clone) -> str:
    try:
        kind = clone.cache.linking()
    except DiskError as error:
        return f"not known: {error.what}"
    return "copy: every file takes its space twice" if kind == "copy" else kind


def _bytes(files: list[RemoteObject]) -> int:
    return sum(held.size or held.pin.size or 0 for held in files)


def _size(size: int | None) -> str:
    return "size not known" if size is None else f"{size:>13,} bytes"


def _word(right: bool | None) -> str:  # noqa: FBT001 - a value, not a switch
    return {True: "yes", False: "no", None: "not known"}[right]
