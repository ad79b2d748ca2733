"""What stands between a clone and its remote, said for a person: the cause and the next step."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
import requests
from dvc.config import NoRemoteError, RemoteNotFoundError
from gcsfs.retry import HttpError  # type: ignore[import-untyped]
from google.auth.exceptions import GoogleAuthError

from scripts.errors import CheckpointError

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


class RemoteError(CheckpointError):
    """A remote could not be looked at or written to; what it holds is not known."""

    exit_code = 2


@contextmanager
def reaching(name: str, url: str) -> Iterator[None]:
    """Turn what the libraries of a remote raise into RemoteError, and keep them from logging it."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # a remote may be of any kind, with errors of its own
        raise RemoteError(*_said(name, url, error)) from error
    finally:
        logging.disable(logging.NOTSET)


def _said(name: str, url: str, error: BaseException) -> tuple[str, ...]:
    """Return the headline and its details for what a library raised."""
    what = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, (NoRemoteError, RemoteNotFoundError)):
        return (
            f"{name or 'no remote'}: {what.partition(' Create a')[0]}",
            "Next: `dvc remote list` shows the remotes of this clone.",
        )
    if isinstance(error, GoogleAuthError) or status_of(error) in _UNKNOWN:
        return (
            f"{name}: {url} does not know who you are: {what}",
            "Next: `gcloud auth application-default login`, or name a service account's file:",
            f"`dvc remote modify --local {name} credentialpath FILE`.",
        )
    if what.startswith("Forbidden") or status_of(error) == 403:  # noqa: PLR2004
        return (
            f"{name}: {url} may not be read by you: {what}",
            "Next: ask its owner for roles/storage.objectViewer to pull, and for",
            "roles/storage.objectUser to push.",
        )
    if isinstance(error, FileNotFoundError):
        return (
            f"{name}: there is no {url}",
            f"Next: look at the name, and set it with `dvc remote modify --local {name} url ...`.",
        )
    if isinstance(error, _OFFLINE):
        return (
            f"{name}: no connection to {url}: {what}",
            "Next: look at the network and at HTTPS_PROXY, then run again. What is in the cache",
            "needs no network: `dvc checkout`.",
        )
    return f"{name}: {url} cannot be used: {what}", "Next: look at `dvc config --list`."


def status_of(error: BaseException) -> int | str | None:
    """Return the HTTP status that an error of gcsfs or aiohttp carries, if any."""
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status
    code: int | str | None = error.code if isinstance(error, HttpError) else None
    return code
