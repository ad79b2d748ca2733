"""Clones of this repository with the paper's catalogue, pinned to the synthetic checkpoints."""

from __future__ import annotations

import compileall
import hashlib
import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from scripts.catalogue import inventory, lock, pins, sources
from tests.world import forks
from tests.world.checkpoints import PAPER, files, published

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[2]
CATALOGUE = ("params.yaml", "dvc.yaml", "dvc.lock", "models.dvc", "imports.yaml")


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
        """Run a command at the clone's root and return what it printed; `check`: it must exit 0."""
        if not more and forks.runs(words, self.env):
            done = forks.run(words, self.env, self.root)
        else:
            done = subprocess.run(  # noqa: S603 - the words are the test's own
                words,
                cwd=self.root,
                env=forks.reaching(self.env) if words[0] == "bash" else dict(self.env),
                text=True,
                capture_output=True,
                check=False,
                **more,
            )
        if check and done.returncode:
            raise AssertionError(
                f"{words} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    @property
    def remote(self) -> Path:
        """The folder that .dvc/config names as the team's remote."""
        config = ConfigParser()
        config.read(self.root / ".dvc/config")
        return Path(os.path.normpath(self.root / ".dvc" / config["'remote \"team\"'"]["url"]))

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


def copy(target: Path, catalogue: Path = PAPER) -> None:
    """Copy what git tracks, or would track, to `target`, with the catalogue of another folder.

    With a catalogue that is not the repository's own, only what commands need is copied.
    """
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, check=True).stdout  # noqa: S603
    for name in filter(None, names.decode().split("\0")):
        if (REPOSITORY / name).is_file() and (catalogue == REPOSITORY or _is_machinery(name)):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)
    if catalogue != REPOSITORY:
        for name in CATALOGUE:
            shutil.copy2(catalogue / name, target / name)
        shutil.copy2(catalogue / "dvc-config", target / ".dvc/config")
        for source in [*(catalogue / "sources").glob("[!.]*.dvc")]:
            shutil.copy2(source, target / "sources")


def _is_machinery(name: str) -> bool:
    folder = name.partition("/")[0]
    return folder in {"scripts", ".dvc", ".dvcignore", ".gitignore"} or name.startswith("sources/.")


def commit(root: Path, env: Mapping[str, str]) -> None:
    """Make a git repository of `root`, or add a commit of everything to it."""
    init = ["init", "-q", "-b", "main", "--template="]
    for words in (init, ["add", "-A"], ["commit", "-q", "-m", "state"], ["repack", "-adq"]):
        subprocess.run(["git", *words], cwd=root, env=dict(env), check=True)  # noqa: S603, S607


def pin(root: Path, scale: int) -> None:
    """Replace every hash of the clone at `root` by that of its synthetic file.

    A size stays unknown where the lock has none; what is estimated of it becomes smaller, too.
    """
    for path in (root / "sources").glob("*.dvc"):
        if path.is_file() and "size" in (source := _load(path)).get("meta", {}):
            _shrink(source["meta"], scale)
            _dump(path, source)
    contents = files(scale, root)
    _pin_params(root, contents, published(scale, root))
    held = _load(root / "dvc.lock")
    for stage in held["stages"].values():
        for out in stage.get("outs", []):
            if out["path"] in contents:
                data = contents[out["path"]]
                out["md5"] = hashlib.md5(data, usedforsecurity=False).hexdigest()
                out.update({"size": len(data)} if "size" in out else {})
    _dump(root / "dvc.lock", held)
    lock.write(root)


def _shrink(meta: Any, scale: int) -> None:  # noqa: ANN401
    meta["size"] //= scale
    for path in meta.get("sizes", {}):
        meta["sizes"][path] //= scale


def unpin(root: Path, *stages: str) -> None:
    """Make the files of these stages ones that have never had a pin."""
    held, catalogue = _load(root / "dvc.lock"), _load(root / "params.yaml")
    gone = set()
    for name in stages:
        gone |= {out["path"] for out in held["stages"].pop(name).get("outs", [])}
    members = [each["members"] for each in catalogue.get("archives", {}).values()]
    for file in chain(catalogue["checkpoints"].values(), *members):
        if file["path"] in gone:
            file.pop("sha256", None)
    for name in catalogue.get("archives", {}):
        if f"unpack_{name}" not in held["stages"]:
            catalogue["archives"][name].pop("sha256", None)
    _dump(root / "dvc.lock", held)
    _dump(root / "params.yaml", catalogue)
    known = pins.read(root / "dvc.lock")
    (root / "models.json").write_text(inventory.render(root))
    seal = _load(root / "models.dvc")
    tree = {path: pin for path, pin in known.items() if path.startswith("models/")}
    seal["deps"][0]["md5"] = lock.tree_md5(tree)
    _dump(root / "models.dvc", seal)


def template(folder: Path, scale: int, catalogue: Path = PAPER) -> Path:
    """Make a clone below `folder`, pinned and committed, with nothing fetched; return its root."""
    root = folder / "clone"
    copy(root, catalogue)
    compileall.compile_dir(root / "scripts", quiet=1)  # once, not in every copy
    pin(root, scale)
    commit(root, isolated(folder))
    return root


def duplicate(template: Path, root: Path) -> Path:
    """Make another clone of `template` at `root`, and return it.

    The packages below scripts/ and git's objects, which nothing writes in place, are hard links.
    """

    def place(source: str, target: str) -> None:
        folder = Path(source).relative_to(template).parts[:-1]
        shared = folder[:2] == (".git", "objects") or (folder[:1] == ("scripts",) != folder)
        (os.link if shared else shutil.copy2)(source, target)

    shutil.copytree(template, root, symlinks=True, copy_function=place)
    return root


def stock(root: Path, scale: int) -> None:
    """Fill the cache of a pinned clone as a complete `dvc repro` would; models/ stays empty."""
    for data in files(scale, root).values():
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        target = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o444)


def _pin_params(root: Path, contents: Mapping[str, bytes], served: Mapping[str, bytes]) -> None:
    params = _load(root / "params.yaml")
    for name, archive in params["archives"].items():
        if "sha256" in archive:
            url = sources.read(root / "sources", name).url
            archive["sha256"] = hashlib.sha256(served[url]).hexdigest()
    members = [m for archive in params["archives"].values() for m in archive["members"]]
    for entry in [*params["checkpoints"].values(), *members]:
        if "sha256" in entry:
            entry["sha256"] = hashlib.sha256(contents[entry["path"]]).hexdigest()
    params["network"].update(backoff=0.01, timeout=60)
    _dump(root / "params.yaml", params)


def _load(path: Path) -> Any:  # noqa: ANN401 - a yaml document is any data
    return _yaml().load(path)


def _dump(path: Path, document: Any) -> None:  # noqa: ANN401
    _yaml().dump(document, path)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.default_flow_style = False
    return yaml
