"""Turn the errors of a remote's libraries into RemoteError: the cause and the next step."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
import requests
from dvc.config import NoRemoteError, RemoteNotFoundError
from dvc.scm import SCMError
from dvc_objects.fs.errors import RemoteMissingDepsError
from gcsfs.retry import HttpError  # type: ignore[import-untyped]
from google.auth.exceptions import GoogleAuthError

from scripts.catalogue.urls import masked
from scripts.console.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OFFLINE = (
    aiohttp.ClientConnectionError,
    aiohttp.ClientPayloadError,
    asyncio.TimeoutError,
    requests.ConnectionError,
    requests.Timeout,
)
_ROLES = (
    "Next: ask its owner for roles/storage.objectViewer to pull, and for",
    "roles/storage.objectUser to push.",
)
_FOLDER = "Next: ask the owner of the folder for permission to {} it (such as `chmod`, or a group)."
_NETWORK = (
    "Next: check the network and HTTPS_PROXY, then run again. Files that are in the cache",
    "need no network: `./checkpoints dvc checkout`.",
)


class RemoteError(CheckpointError):
    """A remote could not be read or written; its content is unknown."""

    exit_code = 2


@contextmanager
def remote_errors(name: str, url: str, *, writing: bool = False) -> Iterator[None]:
    """Turn what the libraries of a remote raise into RemoteError, and disable their logging."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # a remote may be of any kind, with errors of its own
        raise RemoteError(*_explained(name, url, error, writing=writing)) from error
    finally:
        logging.disable(logging.NOTSET)


def _explained(name: str, url: str, error: BaseException, *, writing: bool) -> tuple[str, ...]:
    """Return the headline and its details for what a library raised, with secrets masked."""
    what = masked(" ".join(str(error).split()))[:200] or type(error).__name__
    what = what.removeprefix("config file error: ")
    status = status_of(error)
    if isinstance(error, (NoRemoteError, RemoteNotFoundError)):
        step = "Next: choose one that `./checkpoints dvc remote list` shows."
        return f"{name}: {what.partition(' Create a')[0]}", step
    if isinstance(error, GoogleAuthError) or status == HTTPStatus.UNAUTHORIZED:
        return (
            f"{name}: {url} does not recognise your account: {what}",
            "Next: `gcloud auth application-default login`, or name a service account's file:",
            f"`./checkpoints dvc remote modify --local {name} credentialpath FILE`.",
        )
    forbidden = status == HTTPStatus.FORBIDDEN or str(error).startswith("Forbidden")
    if forbidden or isinstance(error, PermissionError):
        verb = "write" if writing else "read"
        folder = isinstance(error, PermissionError) and error.errno is not None
        steps = permissions(verb, folder=folder)
        return f"{name}: no permission to {verb} {url}: {what}", *steps
    if isinstance(error, FileNotFoundError):
        step = f"`./checkpoints dvc remote modify --local {name} url ...`"
        return f"{name}: {url} does not exist", f"Next: check the name, and correct it with {step}."
    if isinstance(error, _OFFLINE):
        return f"{name}: no connection to {url}: {what}", *_NETWORK
    return f"{name}: {url} cannot be used: {what}", _step(error)


def permissions(verb: str, *, folder: bool) -> tuple[str, ...]:
    """Return the next step of a user who may not `verb` a bucket, or a folder."""
    return (_FOLDER.format(verb),) if folder else _ROLES


def _step(error: BaseException) -> str:
    if isinstance(error, (ImportError, RemoteMissingDepsError)):
        return "Next: install what it names with `python -m pip install`, then run again."
    if isinstance(error, SCMError):
        return "Next: `git clone` the repository again: DVC works in a git repository only."
    return "Next: check `./checkpoints dvc config --list`."


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error of gcsfs or aiohttp carries, if any."""
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status
    code = error.code if isinstance(error, HttpError) else None
    return int(code) if code and str(code).isdecimal() else None  # a number, or its digits
