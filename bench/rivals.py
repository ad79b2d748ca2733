"""The tools that a user would choose instead: each downloads one file; `checked` says how."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.clone import Entry, load
from bench.command import FailedError, Place, empty
from bench.files import File, bare_md5
from bench.race import Contender

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.clone import Clone

OURS = "dvc repro fetch@NAME (ours)"
WGET = "wget && md5sum"
CURL = "curl && md5sum"
ARIA2 = "aria2c -x8 -s8 --checksum=md5"
IMPORT = "dvc import-url"
HF = "huggingface_hub http_get"
POOCH = "pooch.retrieve(known_hash=md5)"
BARE = "md5 alone (file in memory)"

_ARIA2 = ("-q", "-x8", "-s8", "--file-allocation=falloc", "--no-conf")
_POOCH = """
import sys, pooch
url, md5, name = sys.argv[1:]
pooch.retrieve(url, known_hash="md5:" + md5, fname=name, path=".", progressbar=False)
"""
_HF = """
import sys
from huggingface_hub.file_download import http_get
url, size, name = sys.argv[1:]
with open(name, "wb") as file:
    http_get(url, file, expected_size=int(size))
"""


@dataclass(frozen=True)
class Scratch:
    """A folder in which rivals download one file from one URL; `authority` is for TLS."""

    folder: Path
    env: Mapping[str, str]
    file: File
    url: str
    authority: Path

    @property
    def place(self) -> Place:
        """The place where the rivals' commands run."""
        return Place(self.folder, self.env)

    def target(self) -> Path:
        """Return the path of the downloaded file."""
        return self.folder / self.file.name

    def reset(self) -> None:
        """Empty the folder."""
        empty(self.folder)
        self.folder.mkdir(parents=True)
        sums = self.folder / "md5sums"
        sums.write_text(f"{self.file.md5}  {self.file.name}\n", "ascii")

    def verify(self) -> None:
        """Raise FailedError unless the file exists with the right size."""
        path = self.target()
        if not path.is_file() or path.stat().st_size != self.file.size:
            raise FailedError("the file is missing or has the wrong size")


def entry(file: File, url: str) -> Entry:
    """Return the catalogue entry of a served file."""
    return Entry(file.path.stem, url, file.size, file.md5)


def ours(clone: Clone) -> Contender:
    """Return our contender: the real DVC stage, from an empty cache."""
    name = clone.entries[0].name

    def action() -> list[float]:
        return [clone.place.timed("dvc", "repro", f"fetch@{name}")]

    return Contender(OURS, action, "md5, before it gets its name", clone.reset, clone.verify)


def all_of(scratch: Scratch) -> list[Contender]:
    """Return every rival for one file."""
    return [
        wget(scratch),
        curl(scratch),
        aria2(scratch),
        import_url(scratch),
        hugging_face(scratch),
        pooch(scratch),
    ]


def bare(file: File) -> Contender:
    """Return the lower bound: the md5 of the file in this process, from memory."""
    return Contender(BARE, lambda: [bare_md5(file.path)], "no download")


def wget(scratch: Scratch, *more: str) -> Contender:
    """Return wget, then md5sum: two laps."""
    words = ["wget", "-q", f"--ca-certificate={scratch.authority}", *more, scratch.url]
    return _commands(WGET, scratch, words, _SUMS)


def curl(scratch: Scratch) -> Contender:
    """Return curl, then md5sum: two laps."""
    words = ["curl", "-sfO", "--cacert", str(scratch.authority), scratch.url]
    return _commands(CURL, scratch, words, _SUMS)


def aria2(scratch: Scratch, *more: str) -> Contender:
    """Return aria2c with eight connections and its own check; falloc avoids writing twice."""
    words = ["aria2c", *_ARIA2]
    words += [f"--ca-certificate={scratch.authority}", f"--checksum=md5={scratch.file.md5}", *more]
    return _commands(ARIA2, scratch, [*words, scratch.url])


def import_url(scratch: Scratch) -> Contender:
    """Return DVC's own import in a separate repository: it hashes; we check what it recorded."""

    def reset() -> None:
        scratch.reset()
        scratch.place.run("dvc", "init", "-q", "--no-scm")

    def verify() -> None:
        scratch.verify()
        recorded = load(scratch.folder / f"{scratch.file.name}.dvc")["outs"][0]["md5"]
        if recorded != scratch.file.md5:
            raise FailedError(f"recorded {recorded}")

    words = ["dvc", "import-url", "-q", scratch.url, scratch.file.name]
    made = _commands(IMPORT, scratch, words)
    return replace(made, reset=reset, verify=verify, checked="md5 recorded, compared with nothing")


def hugging_face(scratch: Scratch) -> Contender:
    """Return the download function of huggingface_hub; without its Hub it knows no hash."""
    given = [scratch.url, str(scratch.file.size), scratch.file.name]
    made = _commands(HF, scratch, [sys.executable, "-c", _HF, *given])
    return replace(_needs(made, "huggingface_hub"), checked="size only, md5 not checked")


def pooch(scratch: Scratch) -> Contender:
    """Return pooch with the expected md5."""
    given = [scratch.url, scratch.file.md5, scratch.file.name]
    return _needs(_commands(POOCH, scratch, [sys.executable, "-c", _POOCH, *given]), "pooch")


def wget_each(scratch: Scratch, files: Mapping[str, File]) -> Contender:
    """Return wget and md5sum for several files, one after another; keys are URLs."""
    steps: list[list[str]] = []
    for url, file in files.items():
        check = 'echo "$1  $2" | md5sum -c --status'
        fetch = ["wget", "-q", f"--ca-certificate={scratch.authority}", url]
        steps += [fetch, ["sh", "-c", check, "sh", file.md5, file.name]]
    return replace(_commands(f"{WGET}, one after another", scratch, *steps), verify=_nothing)


def aria2_list(scratch: Scratch, files: Mapping[str, File]) -> Contender:
    """Return aria2c with a list of URLs and checksums."""

    def reset() -> None:
        scratch.reset()
        lines = [f"{url}\n  checksum=md5={file.md5}\n" for url, file in files.items()]
        (scratch.folder / "list").write_text("".join(lines), "ascii")

    words = ["aria2c", *_ARIA2, f"--ca-certificate={scratch.authority}", "-j8"]
    made = _commands("aria2c -x8 -s8 -j8 -i LIST, with checksums", scratch, [*words, "-ilist"])
    return replace(made, reset=reset, verify=_nothing)


_SUMS = ["md5sum", "-c", "--status", "md5sums"]


def _nothing() -> None:
    """Trust the exit code."""


def _commands(name: str, scratch: Scratch, *steps: list[str]) -> Contender:
    def action() -> list[float]:
        return [scratch.place.timed(*words) for words in steps]

    tool = steps[0][0]
    installed = shutil.which(tool, path=scratch.env["PATH"]) is not None
    first = tuple(steps[0])
    made = Contender(name, action, "md5", scratch.reset, scratch.verify, words=first)
    return made if installed else replace(made, absent=tool)


def _needs(made: Contender, module: str) -> Contender:
    return made if importlib.util.find_spec(module) else replace(made, absent=module)
