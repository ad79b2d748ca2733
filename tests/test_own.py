"""Another paper's repository: from a list of addresses to a colleague's complete tree."""

from __future__ import annotations

import csv
import hashlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from scripts import export, import_url
from scripts.catalogue import artifacts, pins, sources
from scripts.checkout.clone import Clone
from scripts.console import dispatch
from scripts.curation import lists, start
from scripts.curation.entry import described
from scripts.views import exports
from tests import pages
from tests.curation.changing import CLEAN, run
from tests.world import World, clones
from tests.world.bucket import Bucket
from tests.world.clones import REPOSITORY, TestClone
from tests.world.formats import torch_zip, zip_of
from tests.world.publishers import BRANCH_HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

Capture = pytest.CaptureFixture[str]
LIST = REPOSITORY / "docs/own.csv"
PAGE = pages.text("docs/own.md")
SECTIONS = pages.sections(PAGE)
ARCHIVE = "https://www.dropbox.com/s/0123456789abcde/flow.zip"
MEMBERS = {f"weights/{name}.pth": f"models/flow/{name}.pth" for name in ("a", "b", "c", "d")}
GONE = "https://github.com/gone/gone/releases/download/v1/lost.pth"  # its publisher
DEAD = "https://huggingface.co/gone/gone/resolve/" + "0" * 40 + "/lost.pth"  # a mirror
ALIVE = "https://storage.googleapis.com/kept/lost.pth"
LOST = "models/lost/lost.pth"


def content(path: str) -> bytes:
    """Return the synthetic checkpoint at a path."""
    return torch_zip(path, 2_000)


def listed() -> list[dict[str, str]]:
    """Return the rows of the example's list."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


FILES = {path: content(path) for path in [row["path"] for row in listed()]}
ALL = FILES | {path: content(path) for path in (*MEMBERS.values(), LOST)}


def published(world: World) -> None:
    """Publish what the example lists, an archive, and a file that only its second mirror has."""
    for row in listed():
        world.publish(row["url"], FILES[row["path"]])
        if "/resolve/main/" in row["url"]:
            world.publish(row["url"].replace("/main/", f"/{BRANCH_HEAD}/"), FILES[row["path"]])
    world.publish(ARCHIVE, zip_of({name: content(path) for name, path in MEMBERS.items()}))
    world.publish(ALIVE, content(LOST))


def written(place: Path) -> Path:
    """Write the example's list with these five files more; return its path."""
    md5 = hashlib.md5(content(LOST), usedforsecurity=False).hexdigest()
    rows = [f"{ARCHIVE},{path},,,,{name}," for name, path in MEMBERS.items()]
    rows += [f"{GONE},{LOST},,,,,{md5}", f"{DEAD},{LOST},,,,,", f"{ALIVE},{LOST},,,,,"]
    text = LIST.read_text(encoding="utf-8").replace("desc,set\n", "desc,set,member,md5\n")
    place.write_text(text + "\n".join(rows) + "\n", encoding="utf-8")
    return place


def put(pair: pages.Pair, **places: str) -> pages.Pair:
    """Return a command of the page and its lines, with places and the number of files replaced."""
    places = {
        "BUCKET/PREFIX": "lab/checkpoints",
        f"{len(FILES)} files": f"{len(ALL)} files",
    } | places
    command, *lines = pair[0], *pair[1]
    for old, new_ in places.items():
        command, *lines = [text.replace(old, new_) for text in (command, *lines)]
    return command, lines


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClone]:
    """The repository that the page's commands make of thirty files, and share."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "here/docs").mkdir(parents=True)
    written(folder / "here/docs/own.csv")
    (start_, _), *_ = pages.commands(SECTIONS["One command"])
    with World(publish=False) as world, Bucket() as bucket, pytest.MonkeyPatch.context() as patch:
        env = clones.isolated(folder / "isolated") | world.env | bucket.env
        for name, value in (env | {"CHECKPOINTS_FROM": str(folder / "here")}).items():
            patch.setenv(name, value)
        patch.chdir(REPOSITORY)
        published(world)
        assert dispatch.main(shlex.split(start_)[1:]) == 0
        assert world.refused == []
        made = TestClone(folder / "sam-track", env)
        made.run("git", "init", "-q", "-b", "main", "--bare", str(folder / "host"), check=True)
        for pair in pages.written(pages.blocks(SECTIONS["Share it"])[0]):
            pages.check(made, put(pair, ADDRESS=str(folder / "host")))
        yield made


@pytest.fixture(scope="module")
def colleague(own: TestClone) -> TestClone:
    """The clone of a colleague, who has typed the page's commands; no publisher is there."""
    folder = own.root.parent / "elsewhere"
    folder.mkdir()
    env = {name: value for name, value in own.env.items() if "proxy" not in name.lower()}
    theirs = TestClone(folder / "sam-track", env)
    first, *others = pages.written(pages.blocks(SECTIONS["Share it"])[1])
    pages.check(theirs, put(first, ADDRESS=str(own.root.parent / "host")), folder)
    for pair in others:
        pages.check(theirs, put(pair))
    return theirs


def test_the_list_of_the_page_is_right() -> None:
    """Every row is read by the parser of import-url; several hosts, no hash, each file once."""
    faults = lists.Faults(str(LIST))

    rows = lists.read(LIST.read_text(encoding="utf-8"), faults, folder=None)
    entries = described(rows, faults, {})

    faults.check()
    urls = [urlsplit(entry.url).hostname for entry in entries]
    assert len(entries) == len(FILES)
    drive = urls.count("drive.google.com")
    assert f"{len(FILES)} files from six hosts, {drive} of them" in " ".join(PAGE.split())
    assert len(set(urls)) == 6
    assert not any(file.md5 or file.sha256 for entry in entries for file in entry.files)


def test_the_page_describes_every_column() -> None:
    """Those that a list may have are those of the exported table."""
    cells = [row[0] for row in pages.rows(SECTIONS["The list"])]
    named = [name.strip("` ") for cell in cells for name in cell.split(",")]

    assert tuple(named) == exports.COLUMNS
    assert set(named) == {"url", "path", *lists.CHECKS}


def test_one_command_makes_the_repository(own: TestClone) -> None:
    """Thirty files are in their places, pinned, in one commit; nothing is left to commit."""
    pinned = pins.read(own.root / "dvc.lock")

    assert own.tree() == ALL
    assert len(ALL) == 30
    for path, data in ALL.items():
        assert pinned[path].md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
    log = own.run("git", "log", "--format=%s").stdout.splitlines()
    assert log == ["Name the bucket", "Start Checkpoints of SAM-Track"]
    assert own.run("git", "status", "--porcelain").stdout == ""
    assert own.run("dvc", "status").stdout == CLEAN


def test_mirrors_and_members_are_recorded(own: TestClone) -> None:
    """One archive for its four files; a dead mirror stands beside a live one."""
    copies = sources.read(own.root / "sources", "lost")

    assert sources.read(own.root / "sources", "flow").url == f"{ARCHIVE}?dl=1"
    assert (copies.url, [mirror.url for mirror in copies.mirrors]) == (GONE, [DEAD, ALIVE])


def test_a_colleague_has_all_of_it(colleague: TestClone) -> None:
    """The same tree, a page of it, and nothing to commit."""
    assert colleague.tree() == ALL
    html = colleague.read("site/index.html").decode()
    assert "Checkpoints of SAM-Track" in html
    assert all(Path(path).name in html for path in ALL)
    assert colleague.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.torture
@pytest.mark.timeout(3600)  # it is the whole suite
def test_its_own_tests_pass(own: TestClone, environment: Path) -> None:
    """With thirty files in the catalogue, none of which the tests know."""
    done = own.run("make", "test", f"VENV={environment}")

    assert done.returncode == 0, done.stdout[-5000:]


def test_an_exported_table_makes_the_same_repository(
    clone: TestClone, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins, sets, families, licences and descriptions; entries with the same names."""
    (tmp_path / "list.csv").write_text(run(export.main, capsys, "csv").out)
    start.start(REPOSITORY, tmp_path / "work/again", "Again")
    monkeypatch.chdir(tmp_path / "work/again")

    done = run(import_url.main, capsys, "--from", str(tmp_path / "list.csv"))

    assert done.code == 0, done.err
    ours, theirs = Clone.at(clone.root), Clone.at(Path.cwd())
    assert facts(theirs) == facts(ours)
    assert theirs.catalogue.sets == ours.catalogue.sets


def facts(of: Clone) -> dict[str, tuple[str | None, ...]]:
    """Return what the table says of each file: entry, hashes, family, licence, description."""
    about = artifacts.read(of.root / "dvc.yaml")
    return {
        file.path: (
            entry.name, file.member, of.pins[file.path].md5, file.sha256,
            about[file.path].family, about[file.path].license, about[file.path].desc,
        )
        for entry in of.catalogue.published.values()
        for file in entry.files
    }  # fmt: skip
