"""Faults of publishers and networks: what the user reads, what is left, what was downloaded."""

from __future__ import annotations

import hashlib
import itertools
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scripts.catalogue import lock
from scripts.catalogue.params import Network
from scripts.catalogue.pins import Pin
from scripts.console.errors import SourceError
from scripts.console.progress import Bar
from scripts.download import transfer
from scripts.download.request import Request, TransferLimits
from scripts.files import digests, disk
from tests.download import transfers
from tests.download.transfers import (
    HOST,
    MIB,
    NAME,
    URL,
    assert_failed,
    assert_placed,
    attempt,
    md5,
    noise,
    patiently,
)
from tests.world import Fault
from tests.world.checkpoints import DRIVE, HQ_67AB, files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

BIG = noise(6 * MIB + 4321)  # seven blocks, the last one short
PIN = Pin(md5(BIG), len(BIG))
DRIVEN = "tapnet_checkpoint_wo_optstate"
DRIVEN_PATH = "models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy"
PAGE = b"\n <!DOCTYPE html><html><head><title>Please log in &amp; wait</title></head></html>"
SIGNED = "https://cas-bridge.xethub.hf.co/*"
HUGGING_URL = f"{HQ_67AB}/sam_hq_vit_h.pth"
OTHER = Fault.etag('"other"') | Fault.corrupt(0)  # another version of the file


@pytest.fixture
def pinned(clone: TestClone, world: World) -> None:
    """Pin a file of several blocks in the clone, and fail early."""
    world.publish(URL, BIG)
    transfers.pin(clone, BIG)
    transfers.limit(clone, retries=2, timeout=60)


@pytest.fixture
def big(folder: Path, world: World) -> Request:
    """Serve a file of several blocks, and return the request for it."""
    world.publish(URL, BIG)
    return Request("name", folder / "name.part", PIN, Bar("name", quiet=True))


def download(request: Request, url: str = URL, **limits: float) -> None:
    """Download and verify without a clone; no thread and no half-written stream is left."""
    network = Network(**{"backoff": 0.001, "timeout": 60.0, "retries": 2} | limits)  # type: ignore[arg-type]
    try:
        digest = transfer.download(url, request, TransferLimits(network))
        assert request.pin is None or request.pin.matches(digest)
        assert request.part.read_bytes() == BIG[: digest.size]
    finally:
        transfers.assert_no_threads()
        assert not list(request.part.parent.glob("*.whole"))


# Faults that remain, as a user sees them.
SHOWN = {
    "status": (Fault.status(404), ["404 Not Found"]),
    "busy": (Fault.status(503), ["503 Service Unavailable (given up after 3 tries)"]),
    "page": (
        Fault.body(PAGE.ljust(len(BIG))),
        ['a web page instead of the file: "Please log in & wait"', "captive portal"],
    ),
    "size": (
        Fault.body(BIG[:-1]),
        ["serves a file of a different size",
         "pinned        6,295,777 bytes   md5 ", "serves        6,295,776 bytes"],
    ),
}  # fmt: skip


@pytest.mark.usefixtures("pinned")
@pytest.mark.parametrize("fault", SHOWN)
def test_a_fault_is_shown_and_nothing_has_changed(
    clone: TestClone, world: World, capsys: Capture, fault: str
) -> None:
    """Exit code 1; one message with what, the state of the disk and the next step."""
    script, words = SHOWN[fault]
    world.fault(URL, script)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, f"error: {NAME}: ", HOST, *words)
    assert len(run.err.splitlines()) <= 7


# Faults that no retry can help, or that remain: the message.
FINAL = {
    "418": (Fault.status(418), "418"),
    "redirect to nowhere": (Fault.header("Location", "x") | Fault.status(302), "302 Found"),
    "429 for a day": (
        Fault.status(429, retry_after=86_400), "429 .*, asks to retry after 86,400 s",
    ),
    "429 with nonsense": (Fault.status(429, retry_after="soon"), "429.* 3 tries"),
    "reset": (Fault.reset(), r"no connection.* \(given up after 3 tries\)"),
    "html by type": (Fault.html("Sign in"), 'a web page instead of the file: "Sign in"'),
    "html, zipped": (Fault.html("Sign in") | Fault.gzip(), '"Sign in"'),
    "page, without ranges": (
        Fault.no_ranges() | Fault.body(PAGE.ljust(len(BIG))), '"Please log in & wait"',
    ),
    "redirect to http": (Fault.downgrade(), f"redirects to http://{HOST}, which is not https"),
    "redirect to a file": (Fault.redirect("file:///etc/passwd"), "which is not https"),
    "redirect to garbage": (Fault.redirect("https://[::1"), "redirects to an invalid URL"),
    "redirect loop": (Fault.loop(), "more than 10 redirects"),
    "always short": (
        Fault.no_ranges() | Fault.shorter(4000), r"was interrupted.* \(given up after 3 tries\)",
    ),
    "always short, without length": (
        Fault.no_ranges() | Fault.unsized() | Fault.shorter(), r"was cut short \(given up after 3",
    ),
    "gzip, always short": (Fault.gzip() | Fault.cut(MIB), "given up after 3 tries"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FINAL)
def test_a_fault_that_remains_is_an_error(big: Request, world: World, fault: str) -> None:
    """Its message names the host."""
    script, words = FINAL[fault]
    world.fault(URL, script)

    with pytest.raises(SourceError, match=f"^{HOST}: .*{words}"):
        download(big)

    assert world.refused == []


@pytest.mark.parametrize(
    "fault", [Fault.delay(60), Fault.stall(0), Fault.html() | Fault.stall(9)],
    ids=["response", "body", "page"],
)  # fmt: skip
def test_a_stalled_publisher_is_given_up(
    big: Request, world: World, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """After the timeout of each try."""
    patiently(monkeypatch)
    world.fault(URL, fault)

    with pytest.raises(SourceError, match=r"timed out waiting for data \(given up after 2 tries\)"):
        download(big, timeout=0.2, retries=1)


DRIP = Fault.slow(20)
DRIPS = {
    "body": DRIP,
    "chunked": Fault.chunked() | DRIP,
    "stream": Fault.no_ranges() | DRIP,
    "gzip": Fault.gzip() | DRIP,
    "page": Fault.html("x" * 999) | DRIP,
    "later": Fault.slow(200_000) | DRIP,
    "cut": DRIP | Fault.cut(3),
    "headers": Fault.slow_headers(20),
}


@pytest.mark.parametrize("drips", DRIPS)
def test_a_publisher_that_drips_is_given_up(
    big: Request, world: World, monkeypatch: pytest.MonkeyPatch, drips: str
) -> None:
    """However it does it: each byte comes before the timeout, but there are too few."""
    patiently(monkeypatch, silence=60)
    world.fault(URL, DRIPS[drips])

    with pytest.raises(SourceError, match=r"in 0.\d s, less than 1,000 bytes/s \(given up after 2"):
        download(big, timeout=0.7, window=0.3, retries=1)


def test_a_slow_line_is_no_stall(big: Request, world: World) -> None:
    """It is above the least rate, and one connection is enough for it."""
    small = BIG[:4000]
    world.publish(URL, small)
    world.fault(URL, Fault.slow(3000))

    # Whatever arrives together is enough for a window, even where the publisher gets no core.
    download(replace(big, pin=Pin(md5(small))), window=0.5, least_rate=100, retries=0)

    assert len(world.requests) == 1


def test_a_connection_that_drips_is_replaced(big: Request, world: World) -> None:
    """When it is the last one: until then the others make up for it."""
    world.fault(URL, *[Fault.none()] * 3, DRIP, Fault.none())

    download(big, connections=2, window=0.5, retries=1)

    assert len([r for r in world.requests if r.range == (3 * MIB, 4 * MIB - 1)]) == 1
    assert world.served() < len(BIG) + 600_000


@pytest.mark.usefixtures("pinned")
def test_after_a_publisher_that_drips_its_mirror_is_asked(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """It resumes what the publisher sent."""
    mirror = "https://mirror.test/file.pth"
    source = clone.root / f"sources/{NAME}.dvc"
    source.write_text(source.read_text() + f"meta:\n  mirrors:\n  - {mirror}\n")
    world.publish(mirror, BIG)
    transfers.limit(clone, window=0.3, retries=1, connections=1)
    world.fault(URL, Fault.none(), Fault.none(), DRIP)

    run = attempt(clone, capsys)

    assert run.code == 0
    assert_placed(clone, BIG)
    assert (
        "less than 1,000 bytes/s (given up after 2 tries); trying the mirror mirror.test" in run.err
    )
    assert world.served(mirror) < len(BIG)  # by two blocks, or by less on a busy machine


# Faults that a download overcomes: the script, and the most bytes it may cost.
PASSING = {
    "500 once": ([Fault.status(500), Fault.none()], 0),
    "retry after 0": ([Fault.status(429, retry_after=0), Fault.none()], 0),
    "reset once": ([Fault.reset(), Fault.none()], 0),
    "reset of one connection": ([Fault.none(), Fault.reset(), Fault.none()], 0),
    "cut each time": ([Fault.cut(400_000)], 0),
    "reset each time": ([Fault.reset(after=400_000)], 40 * MIB),
    "stalled once": ([Fault.none(), Fault.stall(500_000), Fault.none()], 0),
    "short once": ([Fault.none(), Fault.shorter(4000), Fault.none()], 0),
    "longer": ([Fault.longer(5000)], 70_000),
    "longer, chunked": ([Fault.chunked() | Fault.longer(5000)], 70_000),
    "no length": ([Fault.unsized()], 0),
    "gzip": ([Fault.gzip()], MIB),
    "no ranges, though announced": ([Fault.no_ranges(announced=True)], 0),
    "no ranges, cut once": ([Fault.no_ranges() | Fault.cut(MIB), Fault.no_ranges()], MIB),
    "no ranges, chunked": ([Fault.no_ranges() | Fault.chunked()], 0),
    "no ranges, no length": ([Fault.no_ranges() | Fault.unsized()], 0),
    "wrong Content-Range": ([Fault.wrong_range()], MIB),
    "wrong Content-Range later": ([Fault.none(), Fault.wrong_range()], 8 * MIB),
    "416": ([Fault.status(416), Fault.none()], 0),
    "ETag changes once": ([Fault.etag('"old"'), Fault.none()], 0),
    "ETag always changes": ([Fault.etag()], 0),
    "ETag always changes, cut each time": ([Fault.etag() | Fault.cut(400_000)], 0),
    "no ranges at one of the servers": ([Fault.none(), Fault.no_ranges(), Fault.none()], 8 * MIB),
    "weak ETag": ([Fault.etag('W/"weak"')], 0),
    "no validator": ([Fault.without("ETag", "Last-Modified")], 0),
    "ETag that is no header": ([Fault.etag('"\xff"')], 0),
    "wrong type": ([Fault.header("Content-Type", "text/plain")], 0),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_costs_no_wrong_byte_and_few_bytes_more(
    big: Request, world: World, fault: str
) -> None:
    """The served bytes are limited by the file and by what the fault spoils."""
    script, more = PASSING[fault]
    world.fault(URL, *script)

    download(big, retries=6, timeout=3 if fault == "stalled once" else 60)

    assert world.refused == []
    assert len(BIG) <= world.served() <= len(BIG) + more + 600_000  # the buffers of sockets on top


@pytest.mark.usefixtures("pinned")
def test_wrong_bytes_of_the_right_size_show_both_hashes(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Pinned and received md5 are aligned; nothing is requested a second time."""
    wrong = noise(len(BIG), 1)
    world.publish(URL, wrong)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, f"bytes from {HOST} do not match the pin")
    pinned, got = run.err.splitlines()[1:3]
    assert pinned == f"  pinned  md5 {md5(BIG)} {len(BIG):>15,} bytes   (dvc.lock)"
    assert got == f"  got     md5 {md5(wrong)} {len(BIG):>15,} bytes"
    assert world.served() == len(BIG)
    assert not transfers.part_of(clone, BIG).exists()


def test_a_wrong_sha256_alone_is_found(clone: TestClone, world: World, capsys: Capture) -> None:
    """A pinned sha256 that differs is an error even if the md5 is right."""
    name, path = "sam_vit_b", "models/sam_ckpts/sam_vit_b_01ec64.pth"
    params = clone.root / "params.yaml"
    digest = hashlib.sha256(files(10_000)[path]).hexdigest()
    params.write_text(params.read_text().replace(digest, "0" * 63 + "f"))
    lock.write(clone.root)

    run = attempt(clone, capsys, name)

    assert_failed(clone, run, world, "do not match the pin", f"sha256 {'0' * 63}f")
    assert "md5" not in run.err


def test_a_file_of_another_size_is_not_downloaded(big: Request, world: World) -> None:
    """The first response gives the size; no other range is requested."""
    world.publish(URL, noise(30 * MIB, 2))

    with pytest.raises(SourceError, match="serves a file of a different size"):
        download(big)

    assert [request.range for request in world.requests] == [(0, MIB - 1)]


@pytest.mark.parametrize("framing", [Fault.unsized(), Fault.gzip()])
def test_a_stream_beyond_the_pinned_size_is_aborted(
    big: Request, world: World, monkeypatch: pytest.MonkeyPatch, framing: Fault
) -> None:
    """If no length is announced, that of the pin is the limit: no stream can fill the disk."""
    world.publish(URL, BIG + bytes(20 * MIB))
    world.fault(URL, Fault.no_ranges() | framing)
    written = [0]

    def recorded(fd: int, data: bytes, offset: int) -> None:
        written.append(offset)
        disk.write_at(fd, data, offset)

    monkeypatch.setattr(digests, "write_at", recorded)

    with pytest.raises(SourceError, match="serves a file of a different size"):
        download(big)

    assert len(BIG) - 2 * MIB < max(written) < len(BIG) + 2 * MIB


@pytest.mark.parametrize(
    ("script", "first"),
    [([Fault.none(), OTHER, Fault.none()], None), ([OTHER, OTHER, Fault.status(404)], '"other"')],
    ids=["in a run", "between two"],
)
def test_without_a_pin_no_two_versions_are_mixed(
    big: Request, world: World, script: list[Fault], first: str | None
) -> None:
    """The bytes under another ETag are discarded."""
    request = replace(big, pin=None)
    world.fault(URL, *script)
    with suppress(SourceError):
        download(request, connections=1)
    world.clear()

    download(request, connections=1)

    assert world.requests[0].headers.get("if-range") == first


def test_a_clock_that_jumps_changes_nothing(
    big: Request, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year back, a year ahead: waits and rates use the monotonic clock."""
    real, turns = time.time, itertools.cycle((-1, 1))
    monkeypatch.setattr(time, "time", lambda: real() + next(turns) * 365 * 86400)
    world.fault(URL, Fault.status(503, retry_after=0), Fault.none(), Fault.cut(MIB // 2))

    download(big)


def test_retry_after_delays_the_next_request(big: Request, world: World) -> None:
    """By the seconds that the publisher asks for."""
    world.fault(URL, Fault.status(503, retry_after=1), times=1)

    download(big)

    first, second = world.requests[:2]
    assert second.started - first.started >= 1


def test_redirects_are_followed_once(big: Request, world: World) -> None:
    """Every other range is requested from the last target."""
    world.publish(HUGGING_URL, BIG)

    download(big, HUGGING_URL)

    hosts = [request.host for request in world.requests]
    assert hosts.count("huggingface.co") == 1
    assert set(hosts) == {"huggingface.co", "cas-bridge.xethub.hf.co"}


@pytest.mark.parametrize(
    "script",
    [
        [Fault.expire(after=2)],
        [Fault.none(), Fault.none(), Fault.status(503), Fault.none()],
        [Fault.none(), Fault.none(), Fault.reset(), Fault.none()],
    ],
    ids=["expired", "busy", "reset"],
)
def test_a_target_that_fails_is_resolved_again(
    big: Request, world: World, script: list[Fault]
) -> None:
    """Its signature may have expired; the finished blocks are kept."""
    world.publish(HUGGING_URL, BIG)
    world.fault(SIGNED, *script)

    download(big, HUGGING_URL, connections=1, retries=6)

    assert len([r for r in world.requests if r.host == "huggingface.co"]) >= 2
    assert world.served(SIGNED) <= len(BIG) + 2000


def test_an_untrusted_certificate_is_not_retried(big: Request, world: World) -> None:
    """The message names the variable that helps behind a proxy that inspects TLS."""
    world.distrust(HOST)

    with pytest.raises(SourceError, match=r"certificate is not trusted\n.*REQUESTS_CA_BUNDLE"):
        download(big)

    assert len(world.tunnels) == 1


@pytest.mark.parametrize("status", [407, 0])
def test_the_status_of_a_proxy_that_refuses_is_shown(
    big: Request, world: World, status: int
) -> None:
    """It may also close the connection without a status."""
    world.refuse(HOST, status)

    word = f"through the proxy: Tunnel connection failed: {status}" if status else ".* 3 tries"
    with pytest.raises(SourceError, match=f"no connection.*{word}"):
        download(big)

    assert len(world.tunnels) == 3


@pytest.mark.usefixtures("pinned")
def test_without_a_network_the_user_learns_what_to_do(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """What failed, that nothing changed, what to do; the URL of the proxy is not shown."""
    world.stop_proxy()

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, HOST, "onnection refused (given up after 3 tries)",
                  "run the same command again")  # fmt: skip
    assert world.requests == []


@pytest.mark.usefixtures("pinned")
def test_a_network_that_fails_during_a_download_keeps_the_received_bytes(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The message counts the bytes that the next run will not request again."""
    transfers.limit(clone, connections=2)
    world.fault(URL, *[Fault.none()] * 4, Fault.reset())

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "bytes are kept for the next run", "again, it resumes; or")
    kept = int(run.err.split(" bytes are kept")[0].rsplit(" ", 1)[1].replace(",", ""))
    assert kept >= 2 * MIB
    world.clear()
    assert attempt(clone, capsys).code == 0
    assert world.served() <= len(BIG) - kept + MIB
    assert_placed(clone, BIG)


def test_a_source_over_plain_http_is_refused_before_a_request(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """sources/NAME.dvc must hold an https URL."""
    source = clone.root / f"sources/{NAME}.dvc"
    source.write_text(source.read_text().replace("https://", "http://"))

    run = attempt(clone, capsys)

    assert run.code == 2
    assert "is not an https" in run.err
    assert world.requests == []
    assert world.refused == []


def test_a_removed_dropbox_link_is_recognised(big: Request, world: World) -> None:
    """Dropbox answers 200 with a page; the message says what that means there."""
    link = "https://www.dropbox.com/s/abc/gone.pth?rlkey=secret"

    with pytest.raises(SourceError, match=r"sent a web page(.|\n)*a link was removed"):
        download(big, link)

    assert world.requests[0].query == {"rlkey": "secret", "dl": "1"}


DRIVE_FINAL = {
    "quota": (Fault.quota(), ["daily download quota of the file is exceeded"]),
    "private": (Fault.private(), ["private or was removed"]),
    "no type": (Fault.without("Content-Type"), ["a response without content-type"]),
    "reset": (Fault.reset(), ["no connection"]),
    "stalled": (Fault.delay(60), ["was interrupted", "timed out"]),
}


@pytest.mark.parametrize("fault", DRIVE_FINAL)
def test_faults_of_google_drive_have_different_messages(
    clone: TestClone, world: World, capsys: Capture, fault: str
) -> None:
    """An exceeded quota, a private file and a broken network need different next steps."""
    script, words = DRIVE_FINAL[fault]
    transfers.limit(clone, retries=1, timeout=0.3 if fault == "stalled" else 60)
    world.fault("https://drive.*", script)

    run = attempt(clone, capsys, DRIVEN)

    assert_failed(clone, run, world, f"error: {DRIVEN}: drive.google.com: ", *words)


def test_a_download_from_google_drive_is_resumed_after_its_confirm_page(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The first run is cut in the middle; the second one requests only the rest."""
    big = noise(5 * MIB)
    transfers.pin(clone, big, path=DRIVEN_PATH)
    transfers.limit(clone, retries=0)
    world.publish(DRIVE, big)
    world.fault("*confirm=t*", Fault.cut(3 * MIB), times=1)

    first = attempt(clone, capsys, DRIVEN)
    assert_failed(clone, first, world, "drive.google.com: ")
    world.clear()
    assert attempt(clone, capsys, DRIVEN).code == 0

    assert_placed(clone, big, DRIVEN_PATH)
    resumed = [r for r in world.requests if r.range]
    assert [r.status for r in resumed] == [206]
    assert resumed[0].sent <= 3 * MIB
    assert world.refused == []


def test_wrong_bytes_from_google_drive_are_not_kept(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A download that succeeds for gdown is verified like any other."""
    world.publish(DRIVE, noise(len(files(10_000)[DRIVEN_PATH])))

    run = attempt(clone, capsys, DRIVEN)

    assert_failed(clone, run, world, "bytes from drive.google.com do not match the pin")
    assert not list((clone.root / ".dvc/tmp/fetch").iterdir())


def test_an_untrusted_certificate_of_google_drive_is_shown(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """With the same message as for any other publisher."""
    world.distrust("drive.google.com")

    run = attempt(clone, capsys, DRIVEN)

    assert_failed(clone, run, world, "drive.google.com: the server's certificate is not trusted")
