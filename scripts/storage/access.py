"""What stands between a clone and its remote, said for a person: the cause and the next step."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
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
_UNKNOWN = (401, "401")  # as gcsfs and aiohttp have it
_FORBIDDEN = (403, "403")


class RemoteError(CheckpointError):
    """A remote could not be looked at or written to; what it holds is not known."""

    exit_code = 2


@contextmanager
def remote_errors(name: str, url: str, *, writing: bool = False) -> Iterator[None]:
    """Turn what the libraries of a remote raise into RemoteError, and keep them from logging it."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # a remote may be of any kind, with errors of its own
        raise RemoteError(*_said(name, url, error, writing=writing)) from error
    finally:
        logging.disable(logging.NOTSET)


def _said(name: str, url: str, error: BaseException, *, writing: bool) -> tuple[str, ...]:
    """Return the headline and its details for what a library raised; no secret is in them."""
    what = masked(" ".join(str(error).split()))[:200] or type(error).__name__
    what = what.removeprefix("config file error: ")
    if isinstance(error, (NoRemoteError, RemoteNotFoundError)):
        return f"{name}: {what.partition(' Create a')[0]}", _LIST
    if isinstance(error, GoogleAuthError) or status_of(error) in _UNKNOWN:
        return f"{name}: {url} does not know who you are: {what}", *_account(name)
    if _forbids(error):
        verb = "written" if writing else "read"
        return f"{name}: {url} may not be {verb} by you: {what}", *ROLES
    if isinstance(error, FileNotFoundError):
        step = f"`dvc remote modify --local {name} url ...`"
        return f"{name}: there is no {url}", f"Next: look at the name, and set it with {step}."
    if isinstance(error, _OFFLINE):
        return f"{name}: no connection to {url}: {what}", *_LINE
    return f"{name}: {url} cannot be used: {what}", _step(error)


def _forbids(error: BaseException) -> bool:
    told = status_of(error) in _FORBIDDEN or str(error).startswith("Forbidden")
    return told or isinstance(error, PermissionError)


def _account(name: str) -> tuple[str, str]:
    return (
        "Next: `gcloud auth application-default login`, or name a service account's file:",
        f"`dvc remote modify --local {name} credentialpath FILE`.",
    )


def _step(error: BaseException) -> str:
    if isinstance(error, (ImportError, RemoteMissingDepsError)):
        return "Next: `python -m pip install` what it names, then run again."
    if isinstance(error, SCMError):
        return "Next: `git clone` the repository anew: DVC works in a git repository alone."
    return "Next: look at `dvc config --list`."


ROLES = (
    "Next: ask its owner for roles/storage.objectViewer to pull, and for",
    "roles/storage.objectUser to push (of a folder: the permissions).",
)
_LINE = (
    "Next: look at the network and at HTTPS_PROXY, then run again. What is in the cache",
    "needs no network: `dvc checkout`.",
)
_LIST = "Next: `dvc remote list` shows the remotes of this clone."


def status_of(error: BaseException) -> int | str | None:
    """Return the HTTP status that an error of gcsfs or aiohttp carries, if any."""
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status
    code: int | str | None = error.code if isinstance(error, HttpError) else None
    return code
