"""The loopback double behaves as the publishers do, for the real clients."""

from __future__ import annotations

import base64
import hashlib
import io
import pickletools
import tarfile
import threading
import zipfile
from typing import TYPE_CHECKING

import gdown
import pytest
import requests

from tests.world import Fault, World
from tests.world.checkpoints import ARCHIVES, DRIVE, FBAI, HQ_67AB, files, members, published
from tests.world.checksums import crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCALE = 10_000
META = f"{FBAI}/segment_anything/sam_vit_b_01ec64.pth"
HUGGING_FACE = f"{HQ_67AB}/sam_hq_vit_h.pth"
GOOGLE = "https://storage.googleapis.com/dm-tapnet/checkpoint.npy"
GITHUB = next(url for url in published(SCALE) if "mobile_sam" in url)
DRIVE_ID = "1fGhoW33k87OQQHUTmFobMUjEnRixhuqg"
CDN = "https://cas-bridge.xethub.hf.co/*"
DATA = published(SCALE)[META]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a world that this process's clients live in; no test may reach beyond it."""
    with World(scale=SCALE) as world:
        for name, value in world.env.items():
            monkeypatch.setenv(name, value)
        yield world
        assert world.refused == []


def get(url: str, **headers: str) -> requests.Response:
    """Get an address with some headers (an underscore stands for a hyphen)."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return requests.get(url, headers={"Accept-Encoding": "identity"} | named, timeout=60)


def download(folder: Path, url: str = DRIVE) -> bytes:
    """Fetch an address with gdown."""
    path = folder / "file"
    gdown.download(url, str(path), quiet=True, use_cookies=False, timeout=60)
    return path.read_bytes()


@pytest.mark.parametrize("url", [url for url in published(SCALE) if url != DRIVE])
def test_every_published_address_serves_its_bytes(world: World, url: str) -> None:
    """The paper's addresses work unmodified, Dropbox's with dl=1."""
    dropbox = "dropbox" in url
    asked = url + ("&" if "?" in url else "?") + "dl=1" if dropbox else url

    assert get(asked).content == published(SCALE)[url]
    assert world.served("*") >= len(published(SCALE)[url])


def test_gdown_fetches_the_drive_file_through_the_confirm_page(
    world: World, tmp_path: Path
) -> None:
    """A share link leads through 303, page and form to the bytes."""
    assert download(tmp_path) == published(SCALE)[DRIVE]
    assert [request.status for request in world.requests] == [303, 200, 200]


def test_gdown_resumes_a_drive_file_after_a_cut(world: World, tmp_path: Path) -> None:
    """The content host honours Range and If-Range; gdown keeps whole pieces of 512 KiB."""
    large = bytes(range(256)) * 8192
    world.publish(DRIVE, large)
    world.fault("*confirm=t*", Fault.cut(1_500_000), times=1)

    gdown.download(DRIVE, str(tmp_path / "file"), quiet=True, use_cookies=False, retries=1)

    assert (tmp_path / "file").read_bytes() == large
    assert world.requests[-1].range == (2 * 512 * 1024, None)


@pytest.mark.parametrize(
    ("fault", "words"),
    [(Fault.quota(), "Too many users"), (Fault.private(), "Cannot retrieve the public link")],
)
def test_drive_refuses_with_its_pages(
    world: World, tmp_path: Path, fault: Fault, words: str
) -> None:
    """The quota page and the sign-in page are what gdown knows them by."""
    world.fault("https://drive.google.com/*", fault)

    with pytest.raises(gdown.exceptions.FileURLRetrievalError) as caught:
        download(tmp_path)

    assert words in " ".join(str(caught.value).split())


def test_meta_sends_an_etag_that_is_no_md5_and_hides_what_is_missing(world: World) -> None:
    """A multi-part ETag ends in the number of parts; S3 answers 403 for no such key."""
    found, missing = get(META), get(f"{FBAI}/missing.pth")

    assert found.headers["ETag"].endswith('-1"')
    assert found.headers["Last-Modified"].endswith("GMT")
    assert (missing.status_code, missing.headers["Content-Type"]) == (403, "application/xml")
    assert world.served(META) == len(DATA)


@pytest.mark.usefixtures("world")
def test_hugging_face_names_the_sha256_before_it_redirects() -> None:
    """The first reply carries hash, size and commit; the CDN's address is fresh each time."""
    first, second = (
        requests.head(HUGGING_FACE, allow_redirects=False, timeout=60) for _ in range(2)
    )
    data = published(SCALE)[HUGGING_FACE]

    assert first.status_code == 302
    assert first.headers["X-Linked-ETag"].strip('"') == hashlib.sha256(data).hexdigest()
    assert first.headers["X-Linked-Size"] == str(len(data))
    assert first.headers["X-Repo-Commit"] in HUGGING_FACE
    assert first.headers["Location"] != second.headers["Location"]


def test_a_signed_address_expires(world: World) -> None:
    """The CDN answers 403 to an old signature, and the front gives a new one."""
    signed = get(HUGGING_FACE).url
    world.expire_signatures()

    assert get(signed).status_code == 403
    assert get(HUGGING_FACE).ok


@pytest.mark.usefixtures("world")
def test_dropbox_shows_a_page_without_dl() -> None:
    """Without dl=1, or without its rlkey, a link is HTML with 200."""
    url = ARCHIVES["pips_plus_plus"]
    for asked in (url, url.partition("?")[0] + "?dl=1", ARCHIVES["raft"] + "?dl=0"):
        reply = get(asked)
        assert (reply.status_code, reply.headers["Content-Type"][:9]) == (200, "text/html")


def test_github_redirects_raw_and_release_files(world: World) -> None:
    """raw/ goes to raw.githubusercontent.com, a release to a signed address."""
    release = "https://github.com/Sanster/models/releases/download/MobileSAM/mobile_sam.pt"
    world.publish(release, b"release")

    assert get(GITHUB).url.startswith("https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/")
    assert get(release).content == b"release"


@pytest.mark.usefixtures("world")
def test_google_storage_announces_its_hashes() -> None:
    """x-goog-hash stands twice, with crc32c and md5 in base64."""
    data = published(SCALE)[GOOGLE]
    md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

    hashes = requests.head(GOOGLE, timeout=60).headers["X-Goog-Hash"]

    assert hashes.startswith("crc32c=")
    assert hashes.endswith(f", md5={md5}")
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("url", [META, GOOGLE, GITHUB, HUGGING_FACE])
@pytest.mark.parametrize(
    ("asked", "part"),
    [("5-", slice(5, None)), ("2-9", slice(2, 10)), ("-7", slice(-7, None))],
)
def test_ranges_are_served(world: World, url: str, asked: str, part: slice) -> None:
    """Every publisher answers 206 with the part and its Content-Range."""
    data = published(SCALE)[url]

    reply = get(url, Range=f"bytes={asked}")

    first, last = range(len(data))[part][0], range(len(data))[part][-1]
    assert (reply.status_code, reply.content) == (206, data[part])
    assert reply.headers["Content-Range"] == f"bytes {first}-{last}/{len(data)}"
    assert world.served(reply.url) == len(data[part])


@pytest.mark.usefixtures("world")
def test_a_range_beyond_the_end_is_416_and_if_range_guards_the_version() -> None:
    """If-Range with another version's ETag gives the whole."""
    etag = get(META).headers["ETag"]

    assert get(META, Range=f"bytes={len(DATA)}-").status_code == 416
    assert get(META, Range="bytes=1-", If_Range=etag).status_code == 206
    assert get(META, Range="bytes=1-", If_Range='"other"').status_code == 200


def test_a_stranger_is_refused_and_noted(world: World) -> None:
    """What no publisher owns never leaves the loopback, over TLS or plainly."""
    with pytest.raises(requests.exceptions.ProxyError):
        get("https://example.org/")

    assert get("http://example.net/").status_code == 403
    assert world.refused == ["example.org", "example.net"]
    world.clear()


def test_the_proxy_can_refuse_or_hang_up_or_be_down(world: World) -> None:
    """None of the three counts as a leak; a proxy that hangs up is no ProxyError to requests."""
    world.refuse("dl.fbaipublicfiles.com", 403)
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        get(META)

    world.refuse("dl.fbaipublicfiles.com", 0)
    with pytest.raises(requests.ConnectionError):
        get(META)

    world.stop_proxy()
    with pytest.raises(requests.exceptions.ProxyError, match="refused"):
        get(GOOGLE)

    assert [status for _, status in world.tunnels] == [403, 0]


def test_head_is_answered_without_a_body(world: World) -> None:
    """The headers are those of GET, and no body byte is sent."""
    assert requests.head(META, timeout=60).headers["Content-Length"] == str(len(DATA))
    assert world.served() == 0
    assert world.requests[0].matches("HEAD https://dl.*")


def test_a_world_leaves_no_thread_behind() -> None:
    """Even with a client in the middle of a stalled body."""
    before = threading.active_count()
    with World(publish=False) as world:
        world.publish(f"{world.http}/x", b"x" * 100)
        world.fault("*", Fault.stall(10))
        reply = requests.get(f"{world.http}/x", stream=True, timeout=60)

    reply.close()
    assert threading.active_count() == before


def test_synthetic_files_have_the_shape_of_the_real_ones() -> None:
    """A .pth is a zip round a torch pickle, an .npy has numpy's magic, all differ."""
    assert len(files(SCALE)) == 16
    assert len(set(files(SCALE).values())) == 16
    for path, data in files(SCALE).items():
        if path.endswith(".npy"):
            assert data[:8] == b"\x93NUMPY\x01\x00"
            continue
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [str(arg) for op, arg, _ in pickletools.genops(archive.read("archive/data.pkl"))
                     if op.name == "GLOBAL"]  # fmt: skip
        assert "torch._utils _rebuild_tensor_v2" in names


def test_archives_hold_their_members() -> None:
    """The three archives give the seven files, bit by bit."""
    for name, held in members().items():
        data = io.BytesIO(published(SCALE)[ARCHIVES[name]])
        for member, path in held.items():
            if name == "raft":
                with zipfile.ZipFile(data) as archive:
                    assert archive.read(member) == files(SCALE)[path]
            else:
                with tarfile.open(fileobj=data) as tar:
                    found = tar.extractfile(member)
                    assert found is not None
                    assert found.read() == files(SCALE)[path]
