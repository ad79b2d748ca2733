"""A DVC remote: what it holds of the pins, who may write it, and how files get there.

With scripts.cache the second module that knows DVC from inside: where a remote keeps an object.
tests/test_team.py holds it against the real dvc-gs, a directory and plain http.
"""

from __future__ import annotations

import base64
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dvc.fs.callbacks import TqdmCallback
from dvc.repo import Repo

from scripts.catalogue.urls import masked
from scripts.files import digests
from scripts.files.disk import existing
from scripts.storage.access import RemoteError, remote_errors, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from scripts.catalogue.pins import Pin

_CREATE = "storage.objects.create"
_READ = ("storage.objects.get", "storage.objects.list")
_GONE, _HIDDEN = (404, 410), (401, 403)  # without a right to list, what is missing is forbidden
_KEYS = (  # what gcsfs needs of a key: of a service account, of a person
    {"client_email", "private_key", "token_uri"},
    {"client_id", "client_secret", "refresh_token"},
)
_CHUNK = 1 << 21  # bytes a request


@dataclass(frozen=True)
class RemoteObject:
    """What a remote has of one pinned file: nothing, or a size in bytes and perhaps its md5."""

    path: str
    pin: Pin
    found: bool = False
    size: int | None = None
    md5: str | None = None

    @property
    def state(self) -> str:
        """One of missing, damaged, proved, and held: there, with nothing known of its content."""
        if not self.found:
            return "missing"
        if self.md5 not in (None, self.pin.md5) or not self._may_be():
            return "damaged"
        return "proved" if self.md5 else "held"

    @property
    def broken(self) -> bool:
        """Whether a pull would not get the pinned file."""
        return self.state in ("missing", "damaged")

    def _may_be(self) -> bool:
        return self.size is None or self.pin.allows_size(self.size)


class Remote:
    """One remote of one clone; a context manager. Every method may raise RemoteError."""

    def __init__(self, root: Path, name: str | None) -> None:
        """Open the remote of this name, or the default one."""
        with remote_errors("this clone", str(root)):
            self._repo = Repo(str(root))
        config = self._repo.config
        self.name = str(name or config["core"].get("remote") or "no remote")
        self.url = masked(str(config["remote"].get(self.name, {}).get("url", "")))
        with remote_errors(self.name, self.url):
            self._remote = self._repo.cloud.get_remote(name)
            self._odb = self._remote.odb
        if self.url.startswith("remote://"):  # another remote's address, and a folder below
            self.url = masked(self._remote.fs.unstrip_protocol(self._remote.path))
        self.verify = bool(self._odb.verify)
        self.kind = str(self._remote.fs.protocol)
        _check_kind(self.name, self._remote)
        _check_key(self.name, self._remote.config.get("credentialpath"))

    def __enter__(self) -> Self:
        """Return the remote."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close DVC's databases."""
        self._repo.close()

    def rights(self) -> tuple[bool, bool | None]:
        """Tell whether this clone may read, and write (None: this kind of remote does not say).

        Nothing is written: Google's bucket is asked, a directory's permissions are looked at.
        """
        if self.kind == "local":
            folder = existing(Path(self._odb.path))
            return os.access(folder, os.R_OK | os.X_OK), os.access(folder, os.W_OK)
        if self.kind != "gs":
            return True, False if self.kind in ("http", "https") else None
        bucket, asked = self._remote.path.partition("/")[0], [*_READ, _CREATE]
        with remote_errors(self.name, f"bucket {bucket}"):
            address = "b/{}/iam/testPermissions"
            told = self._gcsfs().call("GET", address, bucket, permissions=asked, json_out=True)
        held = set(told.get("permissions", ()))
        return held.issuperset(_READ), _CREATE in held

    def expect_folder(self) -> None:
        """Raise RemoteError if this remote is a folder that is not there; a push would make it."""
        if self.kind == "local" and not Path(self._remote.path).is_dir():
            raise RemoteError(
                f"{self.name}: there is no folder {self.url} yet",
                "Next: if it lies on a disk, mount that. Else the first push makes the folder:",
                f"`dvc push -r {self.name}` in a clone that has the files.",
            )

    def look(self, pins: Mapping[str, Pin]) -> list[RemoteObject]:
        """Return what the remote says of every pinned file, from headers alone."""
        wanted = sorted(pins.items())
        paths = [self._odb.oid_to_path(pin.md5) for _, pin in wanted]
        with remote_errors(self.name, self.url):
            infos = self._remote.fs.info(paths, return_exceptions=True)
            _raise_unless_missing(infos)
        return [_held(path, pin, info) for (path, pin), info in zip(wanted, infos, strict=True)]

    def read(self, held: RemoteObject) -> RemoteObject:
        """Return the same with the md5 of the bytes themselves: the whole object is read."""
        with self.open(str(held.pin.md5)) as file:
            digest = digests.of_chunks(iter(lambda: file.read(_CHUNK), b""), len)
        return replace(held, md5=digest.md5, size=digest.size)

    @contextmanager
    def open(self, md5: str) -> Iterator[IO[bytes]]:
        """Open the object of this md5 for reading."""
        with remote_errors(self.name, self.url):
            place = self._odb.oid_to_path(md5)
            # Without a cache of fsspec's, a read is a request, and its bytes are held once.
            with self._remote.fs.open(place, "rb", cache_type="none") as file:
                yield file

    def send(self, files: Sequence[RemoteObject], cached: Callable[[str], Path]) -> None:
        """Upload the cache's objects of these files, in place of what is there under their names.

        Not `dvc push`: it takes a damaged object for sent, and leaves the cause of a refusal to a
        log. What is there stays until its successor is whole.
        """
        sources = [str(cached(str(item.pin.md5))) for item in files]
        places = [self._odb.oid_to_path(item.pin.md5) for item in files]
        with remote_errors(self.name, self.url, writing=True), TqdmCallback(unit="file") as bar:
            self._remote.fs.put(sources, places, callback=bar)
            for place in places:
                self._odb.protect(place)

    def _gcsfs(self) -> Any:  # noqa: ANN401 - gcsfs has no types
        return self._remote.fs.fs


def _check_kind(name: str, remote: Any) -> None:  # noqa: ANN401 - DVC has no types
    kind = "worktree" if remote.worktree else "version_aware"
    if remote.worktree or remote.fs.version_aware:
        raise RemoteError(
            f"{name}: a {kind} remote keeps files under their own names; nothing was looked at",
            "check and publish know objects under their md5 alone, and so does a pull of one",
            f"file. Next: `dvc remote modify {name} {kind} false`, then `dvc push -r {name}`.",
        )


def _check_key(name: str, key: str | None) -> None:
    # gcsfs takes the name of a file that is missing for a token, and names no file that is none.
    if key and (fault := _key_fault(Path(key))):
        raise RemoteError(
            f"{name}: the service account's file {key} {fault}",
            f"Next: `dvc remote modify --local {name} credentialpath FILE`, or without a file:",
            f"`dvc remote modify --local --unset {name} credentialpath`.",
        )


def _key_fault(path: Path) -> str | None:
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError:
        return "is no JSON"
    fields = set(told) if isinstance(told, dict) else set()
    return None if any(fields >= kind for kind in _KEYS) else "is JSON, and no key of Google's"


def _raise_unless_missing(infos: Sequence[object]) -> None:
    """Raise the first error that is more than a missing object; all forbidden is one, too."""
    errors = [info for info in infos if isinstance(info, BaseException)]
    # fsspec's http says "not found" of everything, and what happened in the cause.
    causes = [error.__cause__ or error for error in errors]
    missing = {*_GONE, *(_HIDDEN if len(errors) < len(infos) else ())}
    for cause in causes:
        if not isinstance(cause, FileNotFoundError) and status_of(cause) not in missing:
            raise cause


def _held(path: str, pin: Pin, info: Any) -> RemoteObject:  # noqa: ANN401 - a map of any remote's, or an error
    if isinstance(info, BaseException):
        return RemoteObject(path, pin)
    return RemoteObject(
        path, pin, found=True, size=info.get("size"), md5=next(_md5(info, pin), None)
    )


def _md5(info: Mapping[str, Any], pin: Pin) -> Iterator[str]:
    """Yield the md5 that Google states, or an ETag which happens to be the pinned one.

    Other servers make ETags that look like an md5 and are none: they prove, and never disprove.
    """
    if stated := info.get("md5Hash"):
        yield base64.b64decode(stated).hex()
    if str(info.get("ETag")).strip('"') == pin.md5:
        yield str(pin.md5)
