"""./checkpoints import-url --from LIST: a list goes in by one command and one commit, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import import_url
from scripts.catalogue import lock, params
from tests.curation.changing import CLEAN, dvc, keep, run
from tests.download.transfers import noise
from tests.world.formats import zip_of

if TYPE_CHECKING:
    from tests.curation.changing import Ran
    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

HOSTS = ("https://weights.example", "https://other.example", "https://third.example")
DATA = {f"w{number}.pth": noise(9_000 + number, seed=number) for number in range(6)}
ADDRESSES = {name: f"{HOSTS[i % 3]}/v1/{name}" for i, name in enumerate(DATA)}
ARCHIVE = {"a/one.pth": noise(5_000, seed=11), "a/two.pth": noise(5_000, seed=12)}
ZIP = "https://weights.example/all.zip"


@pytest.fixture
def published(world: World) -> World:
    """All of it is served."""
    for name, url in ADDRESSES.items():
        world.publish(url, DATA[name])
    world.publish(ZIP, zip_of(ARCHIVE))
    return world


def ran(clone: TestClone, capsys: Capture, text: str, *words: str, name: str = "list") -> Ran:
    """Run the command with a list of this text."""
    (clone.root.parent / name).write_text(text)
    return run(import_url.main, capsys, "--from", f"../{name}", *words)


def plain(*names: str) -> str:
    """Return a csv of files."""
    rows = [f"{ADDRESSES[name]},models/new_ckpts/{name}" for name in names or DATA]
    return "\n".join(["url,path", *rows]) + "\n"


@pytest.mark.usefixtures("published")
def test_a_list_goes_in_by_one_commit(clone: TestClone, capsys: Capture) -> None:
    """Plain files, an archive of two, a set; pinned, sealed, linked; DVC has nothing to do."""
    text = (
        "url,path,member,set,license\n"
        f"{ADDRESSES['w0.pth']},models/new_ckpts/w0.pth,,minimal paper,MIT\n"
        f"{ZIP},models/zip_ckpts/one.pth,a/one.pth,paper,\n"
        "# a comment, and an empty line\n\n"
        f"{ZIP},models/zip_ckpts/two.pth,a/two.pth,,\n"
    )
    done = ran(clone, capsys, text)

    assert done.code == 0, done.err
    zipped = {f"models/zip_ckpts/{n[2:]}": d for n, d in ARCHIVE.items()}
    assert clone.tree() == {"models/new_ckpts/w0.pth": DATA["w0.pth"], **zipped}
    assert lock.write(clone.root) == []
    holds = params.read(clone.root / "params.yaml")
    assert [file.member for file in holds.published["zip"].files] == ["a/one.pth", "a/two.pth"]
    assert holds.sets["paper"] == ("models/new_ckpts/w0.pth", "models/zip_ckpts/one.pth")
    assert "models/new_ckpts/w0.pth" in holds.sets["minimal"]
    assert dvc(capsys, "status", "fetch@w0", "unpack_zip") == CLEAN
    keep(clone, done.err)
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert clone.run("git", "log", "-1", "--format=%s").stdout == "Add w0, zip\n"
