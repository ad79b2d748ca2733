"""A DVC remote: which pinned files it holds, its permissions, uploads to it.

Like all of storage/ it knows DVC from inside: here, where a remote keeps an object.
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

    from scripts.catalogue.pins import Pin

_CREATE = "storage.objects.create"
_READ = ("storage.objects.get", "storage.objects.list")
_GONE, _HIDDEN = (404, 410), (401, 403)  # without the right to list, a missing object is forbidden
_KEYS = (  # what gcsfs needs of a key: of a service account, of a person
    {"client_email", "private_key", "token_uri"},
    {"client_id", "client_secret", "refresh_token"},
)
_CHUNK = 1 << 21  # bytes a request


@dataclass(frozen=True)
class RemoteObject:
    """The state of one pinned file on a remote; size in bytes and md5 where they are known."""

    path: str
    pin: Pin
    found: bool = False
    size: int | None = None
    md5: str | None = None

    @property
    def state(self) -> str:
        """One of missing, damaged, proved and held (present, content not proved)."""
        if not self.found:
            return "missing"
        fits = self.size is None or self.pin.allows_size(self.size)
        if not fits or self.md5 not in (None, self.pin.md5):
            return "damaged"
        return "proved" if self.md5 else "held"

    @property
    def broken(self) -> bool:
        """Whether a pull would not get the pinned file."""
        return self.state in ("missing", "damaged")


class Remote:
    """One remote of one clone, to be closed. Every method may raise RemoteError."""

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

    def close(self) -> None:
        """Close DVC's databases."""
        self._repo.close()

    def rights(self) -> tuple[bool, bool | None]:
        """Tell whether this clone may read, and write (None: unknown for this kind of remote).

        Nothing is written: Google is asked for permissions, a directory's mode is checked.
        """
        if self.kind == "local":
            folder = existing(Path(self._odb.path))
            return os.access(folder, os.R_OK | os.X_OK), os.access(folder, os.W_OK)
        if self.kind != "gs":
            return True, False if self.kind in ("http", "https") else None
        bucket, asked = self._remote.path.partition("/")[0], [*_READ, _CREATE]
        with remote_errors(self.name, f"bucket {bucket}"):
            address = "b/{}/iam/testPermissions"
            gcsfs = self._remote.fs.fs
            reply = gcsfs.call("GET", address, bucket, permissions=asked, json_out=True)
        granted = set(reply.get("permissions", ()))
        return granted.issuperset(_READ), _CREATE in granted

    def expect_folder(self) -> None:
        """Raise RemoteError if this remote is a missing folder; a push would create it."""
        if self.kind == "local" and not Path(self._remote.path).is_dir():
            raise RemoteError(
                f"{self.name}: the folder {self.url} does not exist yet",
                "Next: if it is on another disk, mount that. Else the first push creates it:",
                f"`./checkpoints dvc push -r {self.name}` in a clone that has the files.",
            )

    def look(self, pins: Mapping[str, Pin]) -> list[RemoteObject]:
        """Return the state of every pinned file, from headers alone."""
        paths = [self._odb.oid_to_path(pin.md5) for _, pin in sorted(pins.items())]
        with remote_errors(self.name, self.url):
            infos = self._remote.fs.info(paths, return_exceptions=True)
            _raise_unless_missing(infos)
        return [
            RemoteObject(path, pin)
            if isinstance(info, BaseException)
            else RemoteObject(path, pin, found=True, size=info.get("size"), md5=_md5(info, pin))
            for (path, pin), info in zip(sorted(pins.items()), infos, strict=True)
        ]

    def read(self, item: RemoteObject) -> RemoteObject:
        """Return the object with the md5 and size of its bytes: all of it is read."""
        with self.open(str(item.pin.md5)) as file:
            digest = digests.of_chunks(iter(lambda: file.read(_CHUNK), b""), len)
        return replace(item, md5=digest.md5, size=digest.size)

    @contextmanager
    def open(self, md5: str) -> Iterator[IO[bytes]]:
        """Open the object of this md5 for reading."""
        with remote_errors(self.name, self.url):
            place = self._odb.oid_to_path(md5)
            # Without a cache of fsspec's, a read is a request, and its bytes are held once.
            with self._remote.fs.open(place, "rb", cache_type="none") as file:
                yield file

    def send(self, files: Sequence[RemoteObject], cached: Callable[[str], Path]) -> None:
        """Upload the cache's objects of these files, and replace those of the remote.

        Not `dvc push`: it does not replace a damaged object, and it only logs why a server refuses.
        An object on the remote stays until its successor is complete.
        """
        sources = [str(cached(str(item.pin.md5))) for item in files]
        places = [self._odb.oid_to_path(item.pin.md5) for item in files]
        with remote_errors(self.name, self.url, writing=True), TqdmCallback(unit="file") as bar:
            self._remote.fs.put(sources, places, callback=bar)
            for place in places:
                self._odb.protect(place)


def _check_kind(name: str, remote: Any) -> None:  # noqa: ANN401 - DVC has no types
    kind = "worktree" if remote.worktree else "version_aware"
    if remote.worktree or remote.fs.version_aware:
        raise RemoteError(
            f"{name}: a {kind} remote keeps files under their own names; nothing was checked",
            "check and publish need objects that are named by their md5, and so does a pull of one",
            "file.",
            f"Next: `./checkpoints dvc remote modify {name} {kind} false`,",
            f"then `./checkpoints dvc push -r {name}`.",
        )


def _check_key(name: str, key: str | None) -> None:
    # gcsfs takes the name of a missing file for a token, and does not name an invalid file.
    if key and (fault := _key_fault(Path(key))):
        raise RemoteError(
            f"{name}: the service account's file {key} {fault}",
            f"Next: `./checkpoints dvc remote modify --local {name} credentialpath FILE`,",
            "or without a file:",
            f"`./checkpoints dvc remote modify --local --unset {name} credentialpath`.",
        )


def _key_fault(path: Path) -> str | None:
    try:
        key = json.loads(path.read_bytes())
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError:
        return "is not JSON"
    fields = set(key) if isinstance(key, dict) else set()
    return None if any(fields >= kind for kind in _KEYS) else "is not a key of Google's"


def _raise_unless_missing(infos: Sequence[object]) -> None:
    """Raise the first error that is not just a missing object.

    403 for every object is such an error, for some it is how a server hides what is missing.
    """
    errors = [info for info in infos if isinstance(info, BaseException)]
    # fsspec's http says "not found" for every error; the real one is its cause.
    causes = [error.__cause__ or error for error in errors]
    missing = {*_GONE, *(_HIDDEN if len(errors) < len(infos) else ())}
    for cause in causes:
        if not isinstance(cause, FileNotFoundError) and status_of(cause) not in missing:
            raise cause


def _md5(info: Mapping[str, Any], pin: Pin) -> str | None:
    """Return the md5 that Google states, or an ETag which happens to be the pinned one.

    Other servers send ETags that look like an md5 and are not: they can prove, not disprove.
    """
    if stated := info.get("md5Hash"):
        return base64.b64decode(stated).hex()
    return pin.md5 if str(info.get("ETag")).strip('"') == pin.md5 else None
