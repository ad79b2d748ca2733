"""Publishing: what is nobody's to pass on stays where it is, whatever dvc.yaml and lock say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from scripts.storage.remote import Remote
from tests.world.teams import FILES, KEPT, SAM, Team, beside, command, place

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world.bucket import Bucket
    from tests.world.clones import TestClone

FOREIGN = b"weights of somebody else"


def lock(clone: TestClone, change: Callable[[dict[str, object]], object]) -> None:
    """Change the stages of dvc.lock."""
    path = clone.root / "dvc.lock"
    document = yaml.safe_load(path.read_text())
    change(document["stages"])
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def licensed(clone: TestClone, name: str, licence: str) -> None:
    """Give an artifact of dvc.yaml another licence."""
    path = clone.root / "dvc.yaml"
    document = yaml.safe_load(path.read_text())
    document["artifacts"][name]["meta"]["license"] = licence
    path.write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture
def owner(team: Team) -> TestClone:
    """A full clone whose remote is the bucket."""
    return team.owner()


def test_an_out_that_is_not_in_the_catalogue_is_kept_back(owner: TestClone, bucket: Bucket) -> None:
    """The stage of somebody who works here: nothing is known of what it makes."""
    text = owner.read("dvc.yaml").decode()
    mine = "  mine:\n    cmd: echo > mine.bin\n    outs:\n      - mine.bin\n\n  fetch_minimal:\n"
    (owner.root / "dvc.yaml").write_text(text.replace("  fetch_minimal:\n", mine, 1))
    (owner.root / "mine.bin").write_bytes(FOREIGN)
    owner.run("dvc", "commit", "--force", "mine", check=True)

    done = command(owner, "publish", "team")

    assert done.returncode == 0, done.stderr
    assert "left out  mine.bin  (not in the catalogue)\n" in done.stdout
    assert FOREIGN not in bucket.objects().values()
    assert len(bucket.objects()) == 14


def test_nothing_that_may_be_published_means_nothing_is_pushed(
    owner: TestClone, bucket: Bucket
) -> None:
    """To DVC an empty list of files means all of them."""
    text = owner.read("dvc.yaml").decode()
    (owner.root / "dvc.yaml").write_text(text[: text.index("\nartifacts:")] + "\n")
    lock(owner, lambda stages: stages.pop("tree"))

    done = command(owner, "publish", "team")

    assert done.returncode == 0, done.stderr
    assert "team: 0 files pushed" in done.stdout
    assert done.stdout.count("(no licence in dvc.yaml)") == 16
    assert bucket.objects() == {}


def test_what_is_there_already_is_not_sent_twice(owner: TestClone, bucket: Bucket) -> None:
    """A second time nothing is uploaded, and a cache that is gone hinders nobody."""
    command(owner, "publish", "team")
    bucket.clear()
    (owner.root / ".dvc/cache").rename(owner.root.parent / "gone")

    done = command(owner, "publish", "team")

    assert (done.returncode, "team: 0 files pushed" in done.stdout) == (0, True), done.stderr
    assert not any(request.method == "POST" for request in bucket.requests)


def test_what_came_while_publishing_is_found(
    owner: TestClone, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files that are kept back are looked for when all has been sent."""
    send = Remote.send

    def meanwhile(remote: Remote, *words: object) -> None:
        send(remote, *words)  # type: ignore[arg-type]
        bucket.put(place(KEPT[0]), FILES[KEPT[0]])

    monkeypatch.setattr(Remote, "send", meanwhile)

    done = command(owner, "publish", "team")

    assert done.returncode == 1
    assert "team holds 1 file that may not be redistributed" in done.stderr


def test_a_licence_with_another_name_is_not_a_free_one(owner: TestClone, bucket: Bucket) -> None:
    """It is named as dvc.yaml has it."""
    licensed(owner, "sam-vit-b", "GPL-3.0")

    done = command(owner, "publish", "team")

    assert f"left out  {SAM}  (GPL-3.0)\n" in done.stdout
    assert place(SAM) not in bucket.objects()


def test_publishing_makes_a_folder_that_is_not_there(team: Team) -> None:
    """As the first push to it does; the objects are read-only."""
    owner = team.owner(url="")

    done = command(owner, "publish", "team")

    assert (done.returncode, "team: 14 files pushed" in done.stdout) == (0, True), done.stderr
    assert beside(owner, SAM).read_bytes() == FILES[SAM]
    assert beside(owner, SAM).stat().st_mode & 0o777 == 0o444
    assert not any(beside(owner, path).exists() for path in KEPT)


@pytest.mark.parametrize("words", [("publish", ""), ("check", "-r", "")])
def test_an_empty_name_is_no_remote(
    owner: TestClone, bucket: Bucket, words: tuple[str, ...]
) -> None:
    """DVC would take it for the default remote."""
    done = command(owner, *words)

    assert (done.returncode, "the name of a remote is empty" in done.stderr) == (2, True)
    assert bucket.objects() == {}
