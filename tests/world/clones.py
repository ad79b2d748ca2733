"""Clones of this repository whose pins are those of the synthetic checkpoints."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from scripts.catalogue import documents, lock
from tests.world.checkpoints import files, published

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[2]
# What the synthetic checkpoints stand for, by file name; the repository's own may change.
GUIDE: dict[str, str] = documents.load(Path(__file__).with_name("guide.yaml"))


@dataclass(frozen=True)
class TestClone:
    """A clone on disk, and the environment its commands run in."""

    __test__ = False

    root: Path
    env: Mapping[str, str]

    def run(
        self,
        *words: str,
        check: bool = False,
        **more: Any,  # noqa: ANN401 - what Popen takes
    ) -> subprocess.CompletedProcess[str]:
        """Run a command at the clone's root and return what it printed."""
        return subprocess.run(  # noqa: S603 - the words are the test's own
            words,
            cwd=self.root,
            env=dict(self.env),
            text=True,
            capture_output=True,
            check=check,
            **more,
        )

    def read(self, path: str) -> bytes:
        """Return the bytes of a file of the clone."""
        return (self.root / path).read_bytes()

    def tree(self) -> dict[str, bytes]:
        """Return path -> bytes of every file under models/."""
        found = (p for p in (self.root / "models").rglob("*") if p.is_file())
        return {p.relative_to(self.root).as_posix(): p.read_bytes() for p in found}

    def objects(self) -> dict[str, bytes]:
        """Return md5 -> bytes of every object in the clone's own cache."""
        found = (self.root / ".dvc/cache/files/md5").glob("??/*")
        return {p.parent.name + p.name: p.read_bytes() for p in found}


def isolated(folder: Path) -> dict[str, str]:
    """Return an environment in which DVC and gdown see nothing of the user's."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    places = ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "HOME")
    identity = {"GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@localhost"}
    identity |= {"GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@localhost"}
    for place in places:
        (folder / place.lower()).mkdir(parents=True, exist_ok=True)
        kept[place] = str(folder / place.lower())
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, **identity, "DVC_NO_ANALYTICS": "1", "NO_COLOR": "1"}


def copy(target: Path) -> None:
    """Copy what git tracks, or would track, to `target`, as a git repository of one commit."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, check=True).stdout  # noqa: S603
    for name in filter(None, names.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)


def commit(root: Path, env: Mapping[str, str]) -> None:
    """Make a git repository of `root`, or add a commit of everything to it."""
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "state"]):
        subprocess.run(["git", *words], cwd=root, env=dict(env), check=True)  # noqa: S603, S607


def pin(root: Path, scale: int) -> None:
    """Replace every hash of the clone at `root` by that of its synthetic file.

    If its catalogue is another than the guide's by now, the guide's takes its place.
    """
    contents = files(scale)
    if _places((root / "params.yaml").read_text()) != _places(GUIDE["params.yaml"]):
        _restore(root)
    _pin_params(root, contents, scale)
    held = _load(root / "dvc.lock")
    for stage in held["stages"].values():
        for out in stage.get("outs", []):
            if out["path"] in contents:
                data = contents[out["path"]]
                out.update(md5=hashlib.md5(data, usedforsecurity=False).hexdigest(), size=len(data))
    _dump(root / "dvc.lock", held)
    lock.write(root)


def stock(root: Path, scale: int) -> None:
    """Fill the cache of a pinned clone as a complete `dvc repro` would; models/ stays empty."""
    for data in files(scale).values():
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        target = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o444)


def _places(params: str) -> dict[str, object]:
    """Return name -> where its file goes, or the members of its archive."""
    held = documents.data(params)
    archives = {
        name: [(member["member"], member["path"]) for member in archive["members"]]
        for name, archive in (held.get("archives") or {}).items()
    }
    return {name: entry["path"] for name, entry in held["checkpoints"].items()} | archives


def _restore(root: Path) -> None:
    for source in (root / "sources").glob("[!.]*.dvc"):
        source.unlink()
    for name, text in GUIDE.items():
        (root / name).write_text(text)


def _pin_params(root: Path, contents: Mapping[str, bytes], scale: int) -> None:
    params = _load(root / "params.yaml")
    served = published(scale)
    for name, archive in params["archives"].items():
        if "sha256" in archive:
            url = _load(root / f"sources/{name}.dvc")["deps"][0]["path"]
            archive["sha256"] = hashlib.sha256(served[url]).hexdigest()
    members = [m for archive in params["archives"].values() for m in archive["members"]]
    for entry in [*params["checkpoints"].values(), *members]:
        if "sha256" in entry:
            entry["sha256"] = hashlib.sha256(contents[entry["path"]]).hexdigest()
    params["network"].update(backoff=0.01, timeout=5)
    _dump(root / "params.yaml", params)


def _load(path: Path) -> Any:  # noqa: ANN401 - a yaml document is any data
    return _yaml().load(path)


def _dump(path: Path, document: Any) -> None:  # noqa: ANN401
    _yaml().dump(document, path)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.default_flow_style = False
    return yaml
