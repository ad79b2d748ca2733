"""scripts.addresses: what a browser shows, turned into the address of the very file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import SourceError
from scripts.download import addresses
from tests.world import Fault
from tests.world.publishers import BRANCH_HEAD

if TYPE_CHECKING:
    from tests.world import World

COMMIT = "0123456789" * 4
HF = "https://huggingface.co"
GITHUB = "https://github.com/o/r"
DRIVE = "https://drive.google.com"

pytestmark = pytest.mark.usefixtures("clone")  # its environment: the world's proxy


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("https://h.example/a.pth#part", "https://h.example/a.pth"),
        (f"{GITHUB}/blob/v1/a/blob/x.pth", f"{GITHUB}/raw/v1/a/blob/x.pth"),
        (f"{GITHUB}/releases/download/v1/x.pth", f"{GITHUB}/releases/download/v1/x.pth"),
        (f"{HF}/o/r/resolve/{COMMIT}/x.pth", f"{HF}/o/r/resolve/{COMMIT}/x.pth"),
        (f"{HF}/o/r/raw/{COMMIT}/x.pth", f"{HF}/o/r/resolve/{COMMIT}/x.pth"),
        (f"{HF}/datasets/o/r/blob/{COMMIT}/d/x", f"{HF}/datasets/o/r/resolve/{COMMIT}/d/x"),
        (f"{HF}/gpt2/blob/{COMMIT}/x", f"{HF}/gpt2/resolve/{COMMIT}/x"),
        ("https://www.dropbox.com/s/a/x.pth?dl=0", "https://www.dropbox.com/s/a/x.pth?dl=1"),
        (f"{DRIVE}/file/d/1/view?usp=sharing", f"{DRIVE}/file/d/1/view?usp=sharing"),
        (f"{DRIVE}/uc?id=1", f"{DRIVE}/uc?id=1"),
    ],
)
def test_a_page_becomes_its_file_without_a_request(given: str, wanted: str, world: World) -> None:
    """Where the address itself says which version is meant, or no host could tell."""
    assert addresses.of_file(given) == wanted
    assert addresses.of_file(wanted) == wanted
    assert world.requests == []


def test_a_renamed_repository_is_asked_where_it_is_now(world: World) -> None:
    """Hugging Face sends on within its host; the address stays the one that was given."""
    old, new = f"{HF}/old/r/resolve/main/x.pth", f"{HF}/new/r/resolve/main/x.pth"
    world.publish(new, b"x")
    world.fault(old, Fault.redirect(new, status=307))

    found = addresses.of_file(f"{HF}/old/r/blob/main/x.pth")

    assert found == f"{HF}/old/r/resolve/{BRANCH_HEAD}/x.pth"
    assert [(r.method, r.url) for r in world.requests] == [("HEAD", old), ("HEAD", new)]
    assert world.served() == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.without("X-Repo-Commit"), "does not say which commit this revision is: 302"),
        (Fault.header("X-Repo-Commit", "main"), "which commit this revision is: 302"),
        (Fault.status(401), "which commit this revision is: 401"),
        (Fault.status(500), "which commit this revision is: 500"),
        (Fault.redirect("https://h.example/x"), "which commit this revision is: 302"),
        (Fault.loop(), "which commit this revision is: 302"),
        (Fault.reset(), "huggingface.co: no connection"),
    ],
)
def test_a_host_that_does_not_tell_the_commit_is_no_source(
    fault: Fault, said: str, world: World
) -> None:
    """A branch would be another file some day."""
    world.publish(f"{HF}/o/r/resolve/main/x.pth", b"x")
    world.fault("*", fault)

    with pytest.raises(SourceError, match=said):
        addresses.of_file(f"{HF}/o/r/blob/main/x.pth")

    assert {r.host for r in world.requests} == {"huggingface.co"}


@pytest.mark.parametrize(
    ("url", "page"),
    [
        (f"{HF}/datasets/o/r/resolve/{COMMIT}/x", f"{HF}/datasets/o/r"),
        (f"{HF}/o", HF),
        (f"{GITHUB}/raw/v1/x.pth", GITHUB),
        ("https://h.example/a/b?c", "https://h.example"),
    ],
)
def test_a_file_has_a_page_about_it(url: str, page: str) -> None:
    """Its repository where the host has such, or else the host."""
    assert addresses.repository(url) == page
