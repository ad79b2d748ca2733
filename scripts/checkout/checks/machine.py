"""What must be on this machine: Python, the locked packages, git, a way to the network."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import getproxies

from scripts.catalogue.urls import masked
from scripts.console.errors import CheckpointError
from scripts.files.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement

_LEAST = (3, 10)
_RESTORE = "git ls-files -dz | xargs -0 git checkout --"
_SHOWN = 3  # names in a line


def python(_: Path) -> str:
    """Return the version of the running Python; raise CheckpointError if it is too old."""
    version = platform.python_version()
    if sys.version_info < _LEAST:
        raise CheckpointError(f"{version} at {sys.executable} is older than 3.10")
    return f"{version} at {sys.executable}"


def environment(root: Path) -> str:
    """Compare what is installed with requirements.txt; raise CheckpointError."""
    locked = list(_locked(root / "requirements.txt"))
    wrong = [fault for each in locked if (fault := _fault(each))]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if wrong[_SHOWN:] else ""
        raise CheckpointError(
            f"not what requirements.txt locks: {', '.join(wrong[:_SHOWN])}{more}",
            f"Next: {_mend()}",
        )
    return f"the {len(locked)} packages of requirements.txt, in {sys.prefix}"


def _locked(path: Path) -> Iterator[Requirement]:
    """Yield the packages that a lock names for this machine; raise DiskError."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - it may be missing, too

    with disk_errors(path):
        lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line[:1].isalnum():
            each = Requirement(line.rstrip(" \\"))
            if each.marker is None or each.marker.evaluate():
                yield each


def _fault(locked: Requirement) -> str | None:
    try:
        found = metadata.version(locked.name)
    except metadata.PackageNotFoundError:
        return f"{locked.name} is missing"
    if locked.specifier.contains(found, prereleases=True):
        return None
    return f"{locked.name} {found} (locked {str(locked.specifier).lstrip('=')})"


def _mend() -> str:
    stamp = Path(sys.prefix, "installed")  # of an environment that ./checkpoints has made
    again = f"rm {shlex.quote(str(stamp))} && " if stamp.exists() else ""
    return f"{again}./checkpoints doctor: it makes the environment"


def git(root: Path) -> str:
    """Return git's version and the commit of the clone; raise CheckpointError for lost files."""
    from scripts.catalogue import history  # noqa: PLC0415 - its libraries may be missing

    version = history.git(root, "version").decode().split()[-1]
    # A source goes with its entry, in a removal that is not committed yet.
    listed = history.git(root, "ls-files", "-dz", "--", ".", ":!sources/*.dvc").split(b"\0")
    if lost := [os.fsdecode(name) for name in listed if name]:
        few = lost[:_SHOWN] == lost
        raise CheckpointError(
            f"{len(lost)} files of the last commit are missing, such as {lost[0]}",
            f"Next: {f'git checkout -- {shlex.join(lost)}' if few else _RESTORE}",
        )
    commit = history.git(root, "log", "-1", "--format=%h of %cs").decode().strip()
    return f"{version}, at commit {commit}"


def network(_: Path) -> str:
    """Return the proxy and the certificate authorities that requests use; raise SourceError."""
    from scripts.download import connections  # noqa: PLC0415 - requests may be missing

    chosen = connections.authorities()
    connections.trust()
    proxy = getproxies().get("https")
    way = f"by the proxy {masked(proxy)}" if proxy else "no proxy"
    return f"{way}, certificates of {'the package certifi' if chosen is True else chosen}"
