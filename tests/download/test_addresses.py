"""URLs as a browser shows them, converted to the URLs of the files themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import SourceError, UsageError
from scripts.download import addresses
from tests.world import Fault
from tests.world.publishers import BRANCH_HEAD

if TYPE_CHECKING:
    from tests.world import World

COMMIT = "0123456789" * 4
HF = "https://huggingface.co"
GITHUB = "https://github.com/o/r"
DRIVE = "https://drive.google.com"
DRIVE_FILE = "https://drive.usercontent.google.com/download?id={}&export=download&confirm=t"
DROPBOX = "https://www.dropbox.com/s/a/x.pth"
FILES = {  # a URL -> that of the file itself
    "https://h.example/a.pth?dl=0": "https://h.example/a.pth?dl=0",
    f"{GITHUB}/blob/v1/a/blob/x.pth": f"{GITHUB}/raw/v1/a/blob/x.pth",
    f"{GITHUB}/releases/download/v1/x.pth": f"{GITHUB}/releases/download/v1/x.pth",
    f"{HF}/o/r/resolve/{COMMIT}/x.pth": f"{HF}/o/r/resolve/{COMMIT}/x.pth",
    f"{HF}/o/r/raw/{COMMIT}/x.pth": f"{HF}/o/r/resolve/{COMMIT}/x.pth",
    f"{HF}/datasets/o/r/blob/{COMMIT}/d/x": f"{HF}/datasets/o/r/resolve/{COMMIT}/d/x",
    f"{HF}/gpt2/blob/{COMMIT}/x": f"{HF}/gpt2/resolve/{COMMIT}/x",
    f"{DROPBOX}?dl=0": f"{DROPBOX}?dl=1",
    DROPBOX: f"{DROPBOX}?dl=1",
    "https://dropbox.com/s/b?rlkey=k&dl=0": "https://dropbox.com/s/b?rlkey=k&dl=1",
}
PAGES = {  # the URL of a file -> that of a page about it
    f"{HF}/datasets/o/r/resolve/{COMMIT}/x": f"{HF}/datasets/o/r",
    f"{HF}/o": HF,
    f"{GITHUB}/raw/v1/x.pth": GITHUB,
    "https://h.example/a/b?c": "https://h.example",
}


@pytest.mark.parametrize("url", FILES)
def test_the_url_of_a_page_becomes_that_of_the_file(url: str) -> None:
    """Without a request: the URL itself names the version, or the host has none."""
    file = FILES[url]

    assert addresses.file_url(url) == addresses.of_file(url) == file
    assert addresses.file_url(file) == addresses.of_file(file) == file


@pytest.mark.parametrize("url", [f"{DRIVE}/file/d/1-x/view?usp=sharing", f"{DRIVE}/uc?id=1-x"])
def test_a_share_link_of_google_drive_is_recorded_as_it_is(url: str) -> None:
    """Its file has an address of its own; a folder or another host has none."""
    other = url.replace("drive.google.com", "drive.google.com.test")

    assert addresses.of_file(url) == url
    assert addresses.file_url(url) == DRIVE_FILE.format("1-x")
    assert addresses.file_url(other) == other


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://h.example/x", "altered in transit; use https"),
        ("https://[bad/x", "expected https://HOST/PATH"),
        ("https://h.example/a b", "percent-encode"),
        ("https://u:p@h.example/x", "contains a password"),
        ("https://h.example/", "it names a host, but no file"),
        (f"{DRIVE}/drive/folders/1", "not the share link of a file"),
        (f"{HF}/o/r/tree/main", "not the page of a file"),
    ],
)
def test_a_url_that_cannot_be_recorded_is_refused(url: str, message: str) -> None:
    """With the reason, before any request."""
    with pytest.raises(UsageError, match=message):
        addresses.of_file(url)


def test_a_recorded_url_has_no_fragment() -> None:
    """It is never sent to the host."""
    assert addresses.of_file("https://h.example/a.pth#part") == "https://h.example/a.pth"


@pytest.mark.usefixtures("folder")
def test_the_commit_of_a_renamed_repository_is_found(world: World) -> None:
    """Hugging Face redirects within its host; the recorded URL keeps the given name."""
    old, new = f"{HF}/old/r/resolve/main/x.pth", f"{HF}/new/r/resolve/main/x.pth"
    world.publish(new, b"x")
    world.fault(old, Fault.redirect(new, status=307))

    found = addresses.of_file(f"{HF}/old/r/blob/main/x.pth")

    assert found == f"{HF}/old/r/resolve/{BRANCH_HEAD}/x.pth"
    assert [(r.method, r.url) for r in world.requests] == [("HEAD", old), ("HEAD", new)]
    assert world.served() == 0


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault.without("X-Repo-Commit"), "does not report the commit of this revision: 302"),
        (Fault.header("X-Repo-Commit", "main"), "the commit of this revision: 302"),
        (Fault.status(401), "the commit of this revision: 401"),
        (Fault.redirect("https://h.example/x"), "the commit of this revision: 302"),
        (Fault.downgrade(), "which is not https"),
        (Fault.loop(), "more than 10 redirects"),
        (Fault.reset(), "huggingface.co: no connection"),
    ],
)
def test_without_a_commit_there_is_no_url(fault: Fault, message: str, world: World) -> None:
    """A branch may be another file tomorrow; no other host is asked."""
    world.publish(f"{HF}/o/r/resolve/main/x.pth", b"x")
    world.fault("*", fault)

    with pytest.raises(SourceError, match=message):
        addresses.of_file(f"{HF}/o/r/blob/main/x.pth")

    assert {r.host for r in world.requests} == {"huggingface.co"}


@pytest.mark.parametrize("url", PAGES)
def test_a_file_has_a_page_about_it(url: str) -> None:
    """Its repository, or else its host."""
    assert addresses.repository(url) == PAGES[url]
