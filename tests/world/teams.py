"""A team on loopback: clones that share a bucket, with a full cache or an empty one."""

from __future__ import annotations

import hashlib
import io
import sys
import warnings
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from gcsfs import GCSFileSystem  # type: ignore[import-untyped]

import scripts.team
from tests.world import clones as making
from tests.world.checkpoints import files
from tests.world.clones import TestClone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.world.bucket import Bucket

SCALE = 10_000
FILES = files(SCALE)
URL = "gs://lab/checkpoints"
SAM = "models/sam_ckpts/sam_vit_b_01ec64.pth"
KEPT = [  # what Magic Leap's licence keeps back
    "models/superglue_ckpts/superglue_outdoor.pth",
    "models/superglue_ckpts/superpoint_v1.pth",
]


@dataclass(frozen=True)
class Team:
    """Makes clones beside each other, in one environment."""

    template: Path
    folder: Path
    env: Mapping[str, str]

    def owner(self, name: str = "owner", *, url: str = URL, more: str = "") -> TestClone:
        """Return a clone whose cache holds every pinned file."""
        clone = self.colleague(name, url=url, more=more)
        making.stock(clone.root, SCALE)
        return clone

    def colleague(self, name: str = "colleague", *, url: str = URL, more: str = "") -> TestClone:
        """Return a clone that holds nothing; `more` is added to its config.local."""
        root = self.folder / "work" / name
        making.duplicate(self.template, root)
        moved = f"['remote \"team\"']\n    url = {url}\n" if url else ""
        (root / ".dvc/config.local").write_text(moved + more)
        return TestClone(root, self.env)


def project(team: Team, root: Path, data: bytes) -> TestClone:
    """Return a DVC project with one file, large.bin, whose remote is the bucket."""
    clone = TestClone(root, team.env)
    root.mkdir()
    (root / "large.bin").write_bytes(data)
    words = f"dvc remote add -q -d team {URL} && dvc add -q large.bin && rm large.bin"
    clone.run("bash", "-c", f"git init -q && dvc init -q && {words}", check=True)
    return clone


def place(path: str, held: Mapping[str, bytes] = FILES) -> str:
    """Return the name of a checkpoint's object in the bucket."""
    md5 = hashlib.md5(held[path], usedforsecurity=False).hexdigest()
    return f"checkpoints/files/md5/{md5[:2]}/{md5[2:]}"


def fill(bucket: Bucket, held: Mapping[str, bytes] = FILES) -> None:
    """Put every file into the bucket, as `dvc push` would."""
    for path, data in held.items():
        bucket.put(place(path, held), data)


def spoiled(path: str) -> bytes:
    """Return other bytes of the same size."""
    return b"X" + FILES[path][1:]


def beside(clone: TestClone, path: str) -> Path:
    """Return a checkpoint's object in the folder beside the clone."""
    return clone.remote / place(path).removeprefix("checkpoints/")


def spoil(clone: TestClone, path: str, data: bytes) -> None:
    """Put other bytes in the place of an object of the folder beside the clone."""
    target = beside(clone, path)
    target.unlink()
    target.write_bytes(data)


@dataclass(frozen=True)
class Told:
    """What one run of scripts.team gave."""

    returncode: int
    stdout: str
    stderr: str


def command(clone: TestClone, *words: str) -> Told:
    """Run scripts.team in a clone, in this very process; no traceback shows, whatever comes."""
    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for context in (redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings()):
            stack.enter_context(context)
        warnings.simplefilter("ignore", DeprecationWarning)  # DVC's own
        patch.chdir(clone.root)
        for name, value in clone.env.items():
            patch.setenv(name, value)
        try:
            code = scripts.team.main(words)
        except SystemExit as error:
            code = int(str(error.code))
        finally:
            GCSFileSystem.clear_instance_cache()  # the next one's bucket is another server
    assert "Traceback" not in err.getvalue(), err.getvalue()
    return Told(code, out.getvalue(), err.getvalue())


def apart(clone: TestClone, *words: str) -> Told:
    """Run scripts.team in a process of its own: aiohttp reads SSL_CERT_FILE as it is imported."""
    done = clone.run(sys.executable, "-m", "scripts.team", *words)
    assert "Traceback" not in done.stderr, done.stderr
    return Told(done.returncode, done.stdout, done.stderr)
