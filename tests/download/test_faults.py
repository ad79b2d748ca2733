"""Every departure from normal service: what a user reads, what is left, what was downloaded."""

from __future__ import annotations

import hashlib
import itertools
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from scripts.files import disk, stream
from tests.download import transfers
from tests.download.transfers import (
    HOST,
    MIB,
    NAME,
    URL,
    assert_failed,
    assert_placed,
    attempt,
    noise,
)
from tests.world import Fault
from tests.world.checkpoints import DRIVE, HQ_67AB, files

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

BIG = noise(6 * MIB + 4321)  # seven blocks, the last one short
DRIVEN = "tapnet_checkpoint_wo_optstate"
DRIVEN_PATH = "models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy"
PAGE = b"\n <!DOCTYPE html><html><head><title>Please log in &amp; wait</title></head></html>"
SIGNED = "https://cas-bridge.xethub.hf.co/*"
HUGGING = "sam_hq_vit_h"
HUGGING_URL = f"{HQ_67AB}/sam_hq_vit_h.pth"
HUGGING_PATH = "models/samhq_ckpts/sam_hq_vit_h.pth"


@pytest.fixture(autouse=True)
def _impatient(clone: TestClone, world: World) -> None:
    """Pin one file of several blocks, and give up soon."""
    world.publish(URL, BIG)
    transfers.pin(clone, BIG)
    transfers.limit(clone, retries=2, timeout=0.5)


# Faults that no rerun can help: what the message must say, and the most bytes that may be served.
FINAL = {
    "404": (Fault.status(404), ["404 Not Found"]),
    "403": (Fault.status(403), ["403 Forbidden"]),
    "410": (Fault.status(410), ["410 Gone"]),
    "418": (Fault.status(418), ["418"]),
    "redirect to nowhere": (Fault.header("Location", "x") | Fault.status(302), ["302 Found"]),
    "503 for ever": (Fault.status(503), ["503 Service Unavailable (given up after 3 tries)"]),
    "520 for ever": (Fault.status(520), ["520 Unknown (given up after 3 tries)"]),
    "429 for a day": (
        Fault.status(429, retry_after=86_400),
        ["429 Too Many Requests", "asks to come back in 86,400 s"],
    ),
    "429 until next year": (
        Fault.status(429, retry_after="Fri, 31 Dec 9999 23:59:59 GMT"),
        ["429 Too Many Requests", "asks to come back in 2"],
    ),
    "429 with nonsense": (Fault.status(429, retry_after="soon"), ["429", "3 tries"]),
    "429 until no day": (
        Fault.status(429, retry_after="Mon, 31 Dec 99999999999 23:59:59 GMT"), ["429", "3 tries"],
    ),
    "reset": (Fault.reset(), ["no connection", "(given up after 3 tries)"]),
    "html by type": (Fault.html("Sign in"), ['a web page instead of the file: "Sign in"']),
    "html, slow": (Fault.html("Sign in") | Fault.stall(9), ["no byte arrived for too long"]),
    "html, zipped": (Fault.html("Sign in") | Fault.gzip(), ['"Sign in"']),
    "html by first bytes": (
        Fault.body(PAGE.ljust(len(BIG))),
        ['a web page instead of the file: "Please log in & wait"', "captive portal"],
    ),
    "wrong size": (
        Fault.body(BIG[:-1]),
        ["serves another file than the pinned one",
         "pinned        6,295,777 bytes   md5 ", "serves        6,295,776 bytes"],
    ),
    "redirect to http": (
        Fault.downgrade(), [f"redirects to http://{HOST}, which is not https"],
    ),
    "redirect to a file": (Fault.redirect("file:///etc/passwd"), ["which is not https"]),
    "redirect to garbage": (Fault.redirect("https://[::1"), ["an address that is none"]),
    "redirect to no port": (Fault.redirect("https://a.test:99999/"), ["an address that is none"]),
    "redirect loop": (Fault.loop(), ["more than 10 redirects"]),
    "stalled head": (Fault.delay(60), ["no byte arrived for too long (given up after 3 tries)"]),
    "stalled at once": (Fault.stall(0), ["no byte arrived for too long (given up after 3 tries)"]),
    "short for ever": (
        Fault.no_ranges() | Fault.shorter(4000), ["broke off", "given up after 3 tries"],
    ),
    "short without length": (
        Fault.no_ranges() | Fault.unsized() | Fault.shorter(), ["was cut short (given up after 3"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FINAL)
def test_a_fault_that_stays_is_told_and_leaves_everything_as_it_was(
    clone: TestClone, world: World, capsys: Capture, fault: str
) -> None:
    """Exit code 1; one message with what, the state of the disk and the next step."""
    script, words = FINAL[fault]
    world.fault(URL, script)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, f"error: {NAME}: ", HOST, *words)
    assert len(run.err.splitlines()) <= 7


# Faults that must not be the end: the script, and the most that may be served, in bytes.
PASSING = {
    "500 once": ([Fault.status(500), Fault.none()], 0),
    "408, 425, 429, 500": ([Fault.status(429), Fault.none(), Fault.status(502), Fault.none()], 0),
    "retry after 0": ([Fault.status(429, retry_after=0), Fault.none()], 0),
    "retry at a date": (
        [Fault.status(429, retry_after=formatdate(time.time() - 9, usegmt=True)), Fault.none()], 0,
    ),
    "reset once": ([Fault.reset(), Fault.none()], 0),
    "reset of one connection": ([Fault.none(), Fault.reset(), Fault.none()], 0),
    "cut once": ([Fault.cut(100_000), Fault.none()], 0),
    "cut each time": ([Fault.cut(400_000)], 0),
    "reset each time": ([Fault.reset(after=400_000)], 40 * MIB),
    "stalled once": ([Fault.none(), Fault.stall(500_000), Fault.none()], 0),
    "slow": ([Fault.slow(4 * MIB)], 0),
    "short once": ([Fault.none(), Fault.shorter(4000), Fault.none()], 0),
    "longer": ([Fault.longer(5000)], 70_000),
    "longer, chunked": ([Fault.chunked() | Fault.longer(5000)], 70_000),
    "no length": ([Fault.unsized()], 0),
    "chunked": ([Fault.chunked()], 0),
    "gzip": ([Fault.gzip()], MIB),
    "no ranges": ([Fault.no_ranges()], 0),
    "no ranges, though announced": ([Fault.no_ranges(announced=True)], 0),
    "no ranges, cut once": ([Fault.no_ranges() | Fault.cut(MIB), Fault.no_ranges()], MIB),
    "no ranges, chunked": ([Fault.no_ranges() | Fault.chunked()], 0),
    "no ranges, no length": ([Fault.no_ranges() | Fault.unsized()], 0),
    "wrong Content-Range": ([Fault.wrong_range()], MIB),
    "wrong Content-Range later": ([Fault.none(), Fault.wrong_range()], 8 * MIB),
    "416": ([Fault.status(416), Fault.none()], 0),
    "ETag changes once": ([Fault.etag('"old"'), Fault.none()], 9 * MIB),
    "ETag changes for ever": ([Fault.etag()], 4 * 9 * MIB),
    "weak ETag": ([Fault.etag('W/"weak"')], 0),
    "no ETag": ([Fault.without("ETag")], 0),
    "no validator": ([Fault.without("ETag", "Last-Modified")], 0),
    "ETag that no header may hold": ([Fault.etag('"\xff"')], 0),
    "lying type": ([Fault.header("Content-Type", "text/plain")], 0),
}  # fmt: skip


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_costs_no_wrong_byte_and_few_bytes_more(
    clone: TestClone, world: World, capsys: Capture, fault: str
) -> None:
    """The file arrives, and what was served is bounded by the file and what the fault spoils."""
    script, more = PASSING[fault]
    transfers.limit(clone, retries=6)
    world.fault(URL, *script)

    run = attempt(clone, capsys)

    assert (run.code, run.err) == (0, "")
    assert_placed(clone, BIG)
    assert world.refused == []
    assert len(BIG) <= world.served() <= len(BIG) + more + 600_000  # a socket's buffers on top


def test_wrong_bytes_of_the_right_size_show_both_hashes(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Pinned and received md5 stand under each other; nothing is asked a second time."""
    wrong = noise(len(BIG), 1)
    world.publish(URL, wrong)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, f"bytes from {HOST} do not match the pin")
    pinned, got = run.err.splitlines()[1:3]
    assert pinned == f"  pinned  md5 {transfers.md5(BIG)} {len(BIG):>15,} bytes   (dvc.lock)"
    assert got == f"  got     md5 {transfers.md5(wrong)} {len(BIG):>15,} bytes"
    assert world.served() == len(BIG)
    assert not transfers.part_of(clone, BIG).exists()


def test_one_flipped_bit_is_found_by_the_sha256_alone_too(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A pinned sha256 that differs fails the file even where the md5 is right."""
    name, path = "sam_vit_b", "models/sam_ckpts/sam_vit_b_01ec64.pth"
    params = clone.root / "params.yaml"
    digest = hashlib.sha256(files(10_000)[path]).hexdigest()
    params.write_text(params.read_text().replace(digest, "0" * 63 + "f"))

    run = attempt(clone, capsys, name)

    assert_failed(clone, run, world, "do not match the pin", f"sha256 {'0' * 63}f")
    assert "md5" not in run.err


def test_another_size_than_the_pinned_one_is_not_downloaded(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The first answer tells the size; no further range is asked for."""
    world.publish(URL, noise(30 * MIB, 2))

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "serves another file than the pinned one")
    assert [request.range for request in world.requests] == [(0, MIB - 1)]


@pytest.mark.parametrize("framing", [Fault.unsized(), Fault.chunked(), Fault.gzip()])
def test_a_stream_that_goes_on_beyond_the_pinned_size_is_left(
    clone: TestClone,
    world: World,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    framing: Fault,
) -> None:
    """Where no length is announced, the pin's is the limit: nobody fills the disk."""
    world.publish(URL, BIG + bytes(20 * MIB))
    world.fault(URL, Fault.no_ranges() | framing)
    written = [0]

    def watched(fd: int, data: bytes, offset: int) -> None:
        written.append(offset)
        disk.write_at(fd, data, offset)

    monkeypatch.setattr(stream, "write_at", watched)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "serves another file than the pinned one", "6,295,777 bytes")
    assert len(BIG) - 2 * MIB < max(written) < len(BIG) + 2 * MIB
    assert list((clone.root / ".dvc/tmp/fetch").glob("*.whole")) == []


def test_a_clock_that_jumps_changes_nothing(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year back, a year on: waits and rates are measured by a clock that does neither."""
    real, turns = time.time, itertools.cycle((-1, 1))
    monkeypatch.setattr(time, "time", lambda: real() + next(turns) * 365 * 86400)
    world.fault(URL, Fault.status(503, retry_after=0), Fault.none(), Fault.cut(MIB // 2))

    assert attempt(clone, capsys).code == 0

    assert_placed(clone, BIG)


def test_what_is_compressed_for_the_way_is_unpacked(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A body with Content-Encoding gzip that breaks off is no file, whatever was unpacked."""
    world.fault(URL, Fault.gzip() | Fault.cut(MIB))

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, HOST, "given up after")


def test_a_wait_that_is_asked_for_is_waited(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Retry-After in seconds holds back the next request."""
    world.fault(URL, Fault.status(503, retry_after=1), times=1)

    assert attempt(clone, capsys).code == 0

    first, second = world.requests[:2]
    assert second.started - first.started >= 1


def test_a_redirect_is_followed_once_and_remembered(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The signed address is asked for every further range without the way round."""
    world.publish(HUGGING_URL, BIG)
    transfers.pin(clone, BIG, path=HUGGING_PATH)

    run = attempt(clone, capsys, HUGGING)

    assert run.code == 0
    assert_placed(clone, BIG, HUGGING_PATH)
    hosts = [request.host for request in world.requests]
    assert hosts.count("huggingface.co") == 1
    assert set(hosts) == {"huggingface.co", "cas-bridge.xethub.hf.co"}


@pytest.mark.parametrize("fault", [Fault.expire(after=2), Fault.status(503), Fault.reset()])
def test_a_signature_that_runs_out_is_asked_for_again(
    clone: TestClone, world: World, capsys: Capture, fault: Fault
) -> None:
    """An address we were sent to and that fails is resolved anew; blocks are kept."""
    transfers.limit(clone, connections=1, retries=6)
    world.publish(HUGGING_URL, BIG)
    transfers.pin(clone, BIG, path=HUGGING_PATH)
    script = [fault] if "expire" in fault.name else [Fault.none(), Fault.none(), fault]
    world.fault(SIGNED, *script, *([Fault.none()] if len(script) > 1 else []))

    run = attempt(clone, capsys, HUGGING)

    assert run.code == 0, run.err
    assert_placed(clone, BIG, HUGGING_PATH)
    assert len([r for r in world.requests if r.host == "huggingface.co"]) >= 2
    assert world.served(SIGNED) <= len(BIG) + 2000


def test_an_unknown_certificate_is_no_reason_to_ask_again(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The message names the variable that helps behind a proxy which inspects TLS."""
    world.distrust(HOST)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "certificate is not trusted", "REQUESTS_CA_BUNDLE")
    assert len(world.tunnels) == 1


@pytest.mark.parametrize("status", [403, 407, 502, 0])
def test_a_proxy_that_refuses_is_named(
    clone: TestClone, world: World, capsys: Capture, status: int
) -> None:
    """The proxy's own word stands in the message."""
    world.refuse(HOST, status)

    run = attempt(clone, capsys)

    word = f"through the proxy: Tunnel connection failed: {status}" if status else "3 tries"
    assert_failed(clone, run, world, "no connection", word)
    assert len(world.tunnels) == 3


def test_without_a_network_the_user_learns_that_a_rerun_goes_on(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """What was tried, that nothing changed, what to do; the proxy's address is not shown."""
    world.stop_proxy()

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, HOST, "onnection refused (given up after 3 tries)",
                  "it goes on where it stopped")  # fmt: skip
    assert world.requests == []


def test_a_network_that_fails_in_the_middle_keeps_what_has_arrived(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The message counts the bytes that the next run will not ask for again."""
    transfers.limit(clone, connections=2)
    world.fault(URL, *[Fault.none()] * 4, Fault.reset())

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "bytes are kept for the next run")
    kept = int(run.err.split(" bytes are kept")[0].rsplit(" ", 1)[1].replace(",", ""))
    assert kept >= 2 * MIB
    world.clear()
    assert attempt(clone, capsys).code == 0
    assert world.served() <= len(BIG) - kept + MIB
    assert_placed(clone, BIG)


def test_a_source_over_plain_http_is_refused_before_a_request(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """sources/NAME.dvc must hold an https address."""
    source = clone.root / f"sources/{NAME}.dvc"
    source.write_text(source.read_text().replace("https://", "http://"))

    run = attempt(clone, capsys)

    assert run.code == 2
    assert "is not an https address" in run.err
    assert world.requests == []
    assert world.refused == []


def test_a_removed_dropbox_link_is_recognised(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Dropbox answers 200 with a page; the message says what that means there."""
    source = clone.root / f"sources/{NAME}.dvc"
    link = "https://www.dropbox.com/s/abc/gone.pth?rlkey=secret"
    source.write_text(source.read_text().replace(URL, link))

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "www.dropbox.com: sent a web page", "a link was removed")
    assert world.requests[0].query == {"rlkey": "secret", "dl": "1"}


DRIVE_FINAL = {
    "quota": (Fault.quota(), ["quota for today is used up"]),
    "private": (Fault.private(), ["private or was removed"]),
    "removed": (Fault.status(404), ["private or was removed"]),
    "500": (Fault.status(503), ["private or was removed"]),
    "no type": (Fault.without("Content-Type"), ["an answer without content-type"]),
    "reset": (Fault.reset(), ["no connection"]),
    "stalled": (Fault.delay(60), ["broke off", "timed out"]),
}


@pytest.mark.parametrize("fault", DRIVE_FINAL)
def test_a_fault_of_google_drive_is_told_apart(
    clone: TestClone, world: World, capsys: Capture, fault: str
) -> None:
    """Quota, a private file and a network that fails need three different next steps."""
    script, words = DRIVE_FINAL[fault]
    transfers.limit(clone, retries=1)
    world.fault("https://drive.*", script)

    run = attempt(clone, capsys, DRIVEN)

    assert_failed(clone, run, world, f"error: {DRIVEN}: drive.google.com: ", *words)


def test_google_drive_behind_its_confirm_page_is_cut_and_gone_on_with(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The first run stops in the middle; the second one asks for the rest alone."""
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
    """What gdown takes for a success is checked like any other."""
    world.publish(DRIVE, noise(len(files(10_000)[DRIVEN_PATH])))

    run = attempt(clone, capsys, DRIVEN)

    assert_failed(clone, run, world, "bytes from drive.google.com do not match the pin")
    left = [p.name for p in (clone.root / ".dvc/tmp/fetch").iterdir()]
    assert all(name.endswith(".lock") for name in left)


def test_google_drive_with_an_unknown_certificate_is_named(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The same words as for any other publisher."""
    world.distrust("drive.google.com")

    run = attempt(clone, capsys, DRIVEN)

    assert_failed(clone, run, world, "drive.google.com: the server's certificate is not trusted")
