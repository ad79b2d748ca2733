"""What the headers of each kind of publisher report, and what its errors mean."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import SourceError, TransientError
from scripts.download.connections import trust
from scripts.download.headers import BlockedError, GoneError, Head, HeadRequest
from tests.download.transfers import HOST, URL, md5, patiently
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
pytestmark = pytest.mark.usefixtures("folder")  # for its environment


def head(url: str = URL) -> Head:
    """Request headers as the comparison with the publisher does, with the longest timeout."""
    with closing(HeadRequest(url, trust(), timeout=60)) as request:
        return request.head()


@pytest.mark.parametrize("url", [URL, HUGGING, GITHUB, BUCKET, DROPBOX, DRIVE])
def test_every_publisher_reports_size_and_version_without_a_body(url: str, world: World) -> None:
    """Six hosts, by HEAD alone, after their redirects."""
    found = head(url)

    assert (found.size, found.modified, found.moved) == (len(SERVED[url]), DATE, None)
    assert found.etag is not None
    assert {request.method for request in world.requests} == {"HEAD"}
    assert world.served() == 0
    assert world.refused == []


def test_hugging_face_reports_the_sha256_before_it_redirects(world: World) -> None:
    """X-Linked-ETag in its own first response; from any other host it proves nothing."""
    expected = hashlib.sha256(SERVED[HUGGING]).hexdigest()
    world.fault(URL, Fault.header("X-Linked-ETag", f'"{expected}"'))

    assert head(HUGGING).sha256 == expected
    assert head(URL).sha256 is None


def test_headers_that_drip_are_requested_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes before the timeout, but they do not end."""
    patiently(monkeypatch, silence=60)
    world.fault(URL, Fault.slow_headers(20), Fault.none())

    with closing(HeadRequest(URL, trust(), timeout=0.5)) as request:
        assert request.head().size == len(SERVED[URL])

    assert len(world.requests) == 2


def test_google_storage_states_its_md5() -> None:
    """In x-goog-hash, as base64, beside a crc32c."""
    assert head(BUCKET).md5 == md5(SERVED[BUCKET])


def test_the_md5_of_compressed_storage_is_not_that_of_the_file(world: World) -> None:
    """Google Storage hashes the stored bytes, and may decompress them before it sends them."""
    world.fault(BUCKET, Fault.header("X-Goog-Stored-Content-Encoding", "gzip"))

    assert head(BUCKET).md5 is None


def test_an_etag_of_s3_is_an_md5_after_a_single_part_upload(world: World) -> None:
    """With a dash it is a hash of hashes; with a KMS key it is no md5."""
    several = head().md5
    world.publish(URL, SERVED[URL], etag=f'"{md5(SERVED[URL])}"')
    single = head().md5
    world.fault(URL, Fault.header("x-amz-server-side-encryption", "aws:kms"))

    assert (several, single, head().md5) == (None, md5(SERVED[URL]), None)


@pytest.mark.parametrize("code", [403, 404, 501])
def test_if_head_is_refused_one_byte_is_requested(code: int, world: World) -> None:
    """A URL signed for GET answers HEAD with any error."""
    world.fault(NO_HEAD, Fault.status(code))

    found = head()

    assert found.size == len(SERVED[URL])
    until(lambda: world.served(f"GET {URL}") == 1)  # counted after the headers are sent


@pytest.mark.parametrize("fault", [Fault.unsized(), Fault.gzip()])
def test_if_head_reports_no_size_get_may(fault: Fault, world: World) -> None:
    """An encoded response has a different size than the file."""
    world.fault(NO_HEAD, fault)

    assert head().size == len(SERVED[URL])


def test_a_size_that_is_not_reported_is_none(world: World) -> None:
    """Without ranges and without Content-Length; the body is not read."""
    world.fault(URL, Fault.no_ranges() | Fault.unsized())

    found = head()

    assert (found.size, found.modified) == (None, DATE)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (404, GoneError),
        (403, BlockedError),
        (451, BlockedError),
        (418, SourceError),
        (503, TransientError),
    ],
)
def test_each_status_has_its_error(code: int, kind: type[SourceError], world: World) -> None:
    """The file is gone, blocked, or for now unavailable; or the status is unknown."""
    world.fault(URL, Fault.status(code))

    with pytest.raises(SourceError, match=rf"^{HOST}: {code}") as caught:
        head()

    assert type(caught.value) is kind


@pytest.mark.parametrize("fault", [Fault.status(503), Fault.reset()])
def test_one_failure_is_retried(fault: Fault, world: World) -> None:
    """The second request succeeds."""
    world.fault(URL, fault, times=1)

    assert head().size == len(SERVED[URL])
    assert len(world.requests) == 2


def test_a_removed_dropbox_link_is_gone(world: World) -> None:
    """Dropbox reports it on a page with status 200."""
    world.remove(DROPBOX)

    with pytest.raises(GoneError, match=r"sent a web page instead of the file: .*deleted"):
        head(DROPBOX)


def test_another_page_of_dropbox_means_blocked(world: World) -> None:
    """For example the one for too much traffic."""
    world.fault("https://www.dropbox.com/*", Fault.html("Dropbox - Error: restricted"))

    with pytest.raises(BlockedError, match="restricted"):
        head(DROPBOX)


@pytest.mark.parametrize("fault", [Fault.quota(), Fault.private()])
def test_pages_of_google_drive_mean_blocked(fault: Fault, world: World) -> None:
    """The quota is exceeded, or a login is required: the file may still exist."""
    world.fault("https://drive.usercontent.google.com/*", fault)

    with pytest.raises(BlockedError, match="sent a web page"):
        head(DRIVE)


def test_a_removed_file_of_google_drive_is_gone(world: World) -> None:
    """It is reported by the status."""
    world.remove(DRIVE)

    with pytest.raises(GoneError, match=r"drive\.google\.com: 404"):
        head(DRIVE)


def test_a_page_of_another_host_proves_nothing(world: World) -> None:
    """A captive portal intercepts every host."""
    world.fault("*", Fault.html("Page not found. Sign in to the hotel's network"))

    with pytest.raises(SourceError, match="sent a web page") as caught:
        head()

    assert type(caught.value) is SourceError


def test_the_target_of_permanent_redirects_is_reported(world: World) -> None:
    """301 and 308 from the first hop on; a temporary redirect after them does not count."""
    second, third = (f"https://{HOST}/{name}.pth" for name in ("second", "third"))
    fourth = f"https://{HOST}/fourth.pth"
    world.publish(fourth, b"moved")
    hops = [(URL, second, 301), (second, third, 308), (third, fourth, 302)]
    for url, target, status in hops:
        world.fault(url, Fault.redirect(target, status=status))

    assert head() == Head(5, head(fourth).etag, DATE, moved=third)


def test_the_signature_of_a_permanent_target_is_not_reported(world: World) -> None:
    """It may be printed, and kept in the log of a cron job."""
    target = f"https://{HOST}/x?id=1&X-Amz-Signature=secret"
    world.publish(target, b"moved")
    world.fault(URL, Fault.redirect(target, status=301))

    assert head().moved == f"https://{HOST}/x"


def test_a_redirect_must_be_https(world: World) -> None:
    """Each target is checked before it is requested."""
    world.fault(URL, Fault.downgrade())

    with pytest.raises(SourceError, match="which is not https"):
        head()

    assert {request.url for request in world.requests} == {URL}


def test_redirects_are_limited(world: World) -> None:
    """A loop is an error."""
    world.fault(URL, Fault.loop())

    with pytest.raises(SourceError, match="more than 10 redirects"):
        head()


def test_the_text_of_a_host_is_printable(world: World) -> None:
    """Neither a version nor a URL can send control characters to a terminal."""
    target = f"https://{HOST}/new.pth"
    world.publish(target, b"moved", etag='"\x1b[31m"')
    world.fault(URL, Fault.redirect(f"{target}?\x1b[31m", status=301))

    found = head()

    assert (found.etag, found.moved) == (None, f"{target}?%1B%5B31m")


def test_an_untrusted_certificate_is_refused(world: World) -> None:
    """The shared context verifies servers."""
    world.distrust(HOST)

    with pytest.raises(SourceError, match="certificate is not trusted"):
        head()


def test_a_missing_network_is_reported(world: World) -> None:
    """The proxy is down."""
    world.stop_proxy()

    with pytest.raises(TransientError, match="no connection through the proxy"):
        head()
