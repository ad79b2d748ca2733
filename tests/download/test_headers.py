"""scripts.heads: what each kind of publisher says in its headers, and what a refusal means."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import SourceError, TransientError
from scripts.download.connections import trust
from scripts.download.headers import BlockedError, GoneError, Head, HeadRequest
from tests.download.transfers import HOST, URL, md5
from tests.world import Fault
from tests.world.checkpoints import ARCHIVES, DRIVE, HQ_67AB, MOBILE_SAM, TAPNET, published
from tests.world.processes import until

if TYPE_CHECKING:
    from tests.world import World

SERVED = published(10_000)
DATE = "Wed, 05 Apr 2023 16:00:00 GMT"
HUGGING = f"{HQ_67AB}/sam_hq_vit_h.pth"
GITHUB = f"{MOBILE_SAM}/weights/mobile_sam.pt"
BUCKET = f"{TAPNET}/checkpoint.npy"
DROPBOX = ARCHIVES["raft"]
NO_HEAD = f"HEAD {URL}"
pytestmark = pytest.mark.usefixtures("clone")  # its environment leads to the world


def head(url: str = URL) -> Head:
    """Ask as scripts.drift does, with less patience."""
    with closing(HeadRequest(url, trust(), timeout=0.5)) as inquiry:
        return inquiry.head()


@pytest.mark.parametrize("url", [URL, HUGGING, GITHUB, BUCKET, DROPBOX, DRIVE])
def test_every_publisher_tells_size_and_version_without_a_body(url: str, world: World) -> None:
    """Six hosts, by HEAD alone, behind their redirects and pages."""
    said = head(url)

    assert (said.size, said.modified, said.moved) == (len(SERVED[url]), DATE, None)
    assert said.etag is not None
    assert {request.method for request in world.requests} == {"HEAD"}
    assert world.served() == 0
    assert world.refused == []


def test_hugging_face_names_the_sha256_before_it_sends_us_on(world: World) -> None:
    """X-Linked-ETag of its own first answer; the one of anybody else would prove nothing."""
    expected = hashlib.sha256(SERVED[HUGGING]).hexdigest()
    world.fault(URL, Fault.header("X-Linked-ETag", f'"{expected}"'))

    assert head(HUGGING).sha256 == expected
    assert head(URL).sha256 is None


def test_google_storage_states_its_md5() -> None:
    """In x-goog-hash, in base64, beside a crc32c."""
    assert head(BUCKET).md5 == md5(SERVED[BUCKET])


def test_the_md5_of_compressed_storage_is_not_that_of_the_file(world: World) -> None:
    """Google Storage hashes what it stores, and may unpack it on the way."""
    world.fault(BUCKET, Fault.header("X-Goog-Stored-Content-Encoding", "gzip"))

    assert head(BUCKET).md5 is None


def test_an_etag_of_s3_is_an_md5_if_it_came_in_one_part(world: World) -> None:
    """With a dash it is a hash of hashes, and under a key of the owner's it is none."""
    several = head().md5
    world.publish(URL, SERVED[URL], etag=f'"{md5(SERVED[URL])}"')
    single = head().md5
    world.fault(URL, Fault.header("x-amz-server-side-encryption", "aws:kms"))

    assert (several, single, head().md5) == (None, md5(SERVED[URL]), None)


@pytest.mark.parametrize("code", [400, 403, 404, 405, 501])
def test_where_head_is_refused_one_byte_is_asked_for(code: int, world: World) -> None:
    """An address that is signed for GET answers HEAD with anything."""
    world.fault(NO_HEAD, Fault.status(code))

    said = head()

    assert said.size == len(SERVED[URL])
    until(lambda: world.served(f"GET {URL}") == 1)  # counted after the headers that we left with


@pytest.mark.parametrize("fault", [Fault.unsized(), Fault.gzip(), Fault.chunked()])
def test_where_head_tells_no_size_get_may(fault: Fault, world: World) -> None:
    """What is encoded on the way has another size than the file."""
    world.fault(NO_HEAD, fault)

    assert head().size == len(SERVED[URL])


def test_a_size_that_nobody_tells_is_none(world: World) -> None:
    """Without ranges and without Content-Length; the body is let go."""
    world.fault(URL, Fault.no_ranges() | Fault.unsized())

    said = head()

    assert (said.size, said.modified) == (None, DATE)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (404, GoneError),
        (410, GoneError),
        (401, BlockedError),
        (403, BlockedError),
        (429, BlockedError),
        (451, BlockedError),
        (418, SourceError),
        (503, TransientError),
    ],
)
def test_a_refusal_is_told_by_its_kind(code: int, kind: type[SourceError], world: World) -> None:
    """Gone for good, kept from us, in trouble for now, or in words nobody knows."""
    world.fault(URL, Fault.status(code))

    with pytest.raises(SourceError, match=rf"^{HOST}: {code}") as caught:
        head()

    assert type(caught.value) is kind


@pytest.mark.parametrize("fault", [Fault.status(503), Fault.reset()])
def test_one_failure_is_no_finding(fault: Fault, world: World) -> None:
    """Asked once more, the publisher answers."""
    world.fault(URL, fault, times=1)

    assert head().size == len(SERVED[URL])
    assert len(world.requests) == 2


def test_a_removed_dropbox_link_is_gone(world: World) -> None:
    """Dropbox says so on a page with status 200."""
    world.remove(DROPBOX)

    with pytest.raises(GoneError, match=r"sent a web page instead of the file: .*deleted"):
        head(DROPBOX)


def test_another_page_of_dropbox_is_a_refusal(world: World) -> None:
    """Such as the one for too much traffic."""
    world.fault("https://www.dropbox.com/*", Fault.html("Dropbox - Error: restricted"))

    with pytest.raises(BlockedError, match="restricted"):
        head(DROPBOX)


@pytest.mark.parametrize("fault", [Fault.quota(), Fault.private()])
def test_google_drives_pages_are_refusals(fault: Fault, world: World) -> None:
    """The quota is used up, or somebody should sign in: a file may well be there."""
    world.fault("https://drive.usercontent.google.com/*", fault)

    with pytest.raises(BlockedError, match="sent a web page"):
        head(DRIVE)


def test_a_removed_file_of_google_drive_is_gone(world: World) -> None:
    """There the status tells."""
    world.remove(DRIVE)

    with pytest.raises(GoneError, match=r"drive\.google\.com: 404"):
        head(DRIVE)


def test_a_page_of_anybody_else_says_nothing_of_the_file(world: World) -> None:
    """A captive portal stands before every host."""
    world.fault("*", Fault.html("Page not found. Sign in to the hotel's network"))

    with pytest.raises(SourceError, match="sent a web page") as caught:
        head()

    assert type(caught.value) is SourceError


def test_a_move_for_good_is_told_as_far_as_it_is_for_good(world: World) -> None:
    """301 and 308 from the first hop on; a redirect of the day behind them is none of it."""
    second, third = (f"https://{HOST}/{name}.pth" for name in ("second", "third"))
    fourth = f"https://{HOST}/fourth.pth"
    world.publish(fourth, b"moved")
    hops = [(URL, second, 301), (second, third, 308), (third, fourth, 302)]
    for url, target, status in hops:
        world.fault(url, Fault.redirect(target, status=status))

    assert head() == Head(5, head(fourth).etag, DATE, moved=third)


def test_a_redirect_is_held_to_https(world: World) -> None:
    """Each hop is looked at before it is asked."""
    world.fault(URL, Fault.downgrade())

    with pytest.raises(SourceError, match="which is not https"):
        head()

    assert {request.url for request in world.requests} == {URL}


def test_redirects_end(world: World) -> None:
    """A loop is no moving."""
    world.fault(URL, Fault.loop())

    with pytest.raises(SourceError, match="more than 10 redirects"):
        head()


def test_a_strangers_words_are_fit_to_be_shown(world: World) -> None:
    """Neither a version nor an address can paint on a terminal."""
    target = f"https://{HOST}/new.pth"
    world.publish(target, b"moved", etag='"\x1b[31m"')
    world.fault(URL, Fault.redirect(f"{target}?\x1b[31m", status=301))

    said = head()

    assert (said.etag, said.moved) == (None, f"{target}?%1B[31m")


def test_a_certificate_of_nobodys_is_refused(world: World) -> None:
    """What is shared between connections still verifies."""
    world.distrust(HOST)

    with pytest.raises(SourceError, match="certificate is not trusted"):
        head()


def test_no_network_is_told(world: World) -> None:
    """The proxy is down."""
    world.stop_proxy()

    with pytest.raises(TransientError, match="no connection through the proxy"):
        head()
