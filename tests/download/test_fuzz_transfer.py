"""Random journals, headers and faults: the result is the right file, or our own error."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.catalogue.params import Network
from scripts.catalogue.pins import Pin
from scripts.console.errors import CheckpointError
from scripts.console.progress import Bar
from scripts.download import partial, transfer
from scripts.download.partial import MIB, Partial, Version
from scripts.download.request import Request, TransferLimits
from scripts.files.digests import of_file
from tests.download.transfers import HOST, URL, md5, noise, patiently
from tests.world import Fault
from tests.world.checkpoints import HQ_67AB

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.world import Request as Received
    from tests.world import World
    from tests.world.reply import Reply

DATA = noise(2 * MIB + 99)  # three blocks
HUGGING = f"{HQ_67AB}/sam_hq_vit_h.pth"
ETAG = '"right"'
PIN = Pin(md5(DATA), len(DATA))
NETWORK = Network(connections=3, retries=1, backoff=0.001, timeout=0.2)
PATIENT = Network(connections=3, backoff=0.001)
SETTINGS = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
COUNT = itertools.count()

FAULTS = [
    Fault.none(), Fault.none(), Fault.status(404), Fault.status(503), Fault.status(416),
    Fault.status(429, retry_after=0), Fault.html(), Fault.loop(), Fault.reset(), Fault.cut(0),
    Fault.cut(300_000), Fault.cut(MIB - 1), Fault.reset(after=700_000), Fault.shorter(1),
    Fault.shorter(500_000), Fault.longer(7), Fault.unsized(), Fault.chunked(), Fault.gzip(),
    Fault.no_ranges(), Fault.wrong_range(), Fault.wrong_range(-1), Fault.etag('"other"'),
    Fault.etag(), Fault.etag('W/"weak"'), Fault.without("ETag"),
    Fault.without("ETag", "Last-Modified"), Fault.corrupt(), Fault.corrupt(0), Fault.body(b""),
    Fault.body(b"<html>"), Fault.body(DATA[:-1]), Fault.body(DATA * 2), Fault.stall(100_000),
    Fault.slow(40 * MIB),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _published(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the file at two publishers."""
    patiently(monkeypatch)
    world.publish(URL, DATA, etag=ETAG)
    world.publish(HUGGING, DATA)


def fresh(folder: Path) -> Request:
    """Return a request for the file, with a partial file of its own."""
    part = folder / f"{next(COUNT)}.part"
    return Request("name", part, PIN, Bar("name", quiet=True))


def right_or_error(request: Request, url: str = URL, connections: int = 3) -> None:
    """Download the pinned bytes to the disk, or raise an error for the user."""
    with suppress(CheckpointError):
        digest = transfer.download(
            url, request, TransferLimits(replace(NETWORK, connections=connections))
        )
        assert PIN.matches(digest)
        assert PIN.matches(of_file(request.part))


def then_right(world: World, request: Request, url: str = URL) -> None:
    """Complete the download without faults, whatever the last run left."""
    world.clear()
    assert PIN.matches(transfer.download(url, request, TransferLimits(PATIENT)))
    assert request.part.read_bytes() == DATA


@settings(SETTINGS, max_examples=12)
@given(
    st.lists(st.lists(st.sampled_from(FAULTS), min_size=1, max_size=2), max_size=8),
    st.tuples(
        st.sampled_from([URL, HUGGING]),
        st.sampled_from([1, 1, 3]),
        st.sampled_from([None, None, None, None, None, "certificate", 407, 502, 0]),
    ),
)
def test_no_combination_of_faults_gives_a_wrong_byte(
    world: World, folder: Path, script: list[list[Fault]], route: tuple[str, int, str | int | None]
) -> None:
    """Each request meets the faults of its turn, that of a redirect too; the last ones remain.

    Examples with one connection are reproducible; with three, the order of threads is random.
    """
    world.clear()
    request, (url, connections, refusal) = fresh(folder), route
    for faults in itertools.zip_longest(*script, fillvalue=Fault.none()) if script else ():
        world.fault("*", *faults)
    if refusal == "certificate":
        world.distrust("huggingface.co")
    elif isinstance(refusal, int):
        world.refuse(HOST, refusal)

    right_or_error(request, url, connections)

    then_right(world, request, url)


LINES = st.one_of(
    st.from_regex(r"(synced )?[0-9]{7,9}", fullmatch=True),
    st.integers(0, 9).map("{:08d}".format),
    st.integers(0, 9).map("synced {:08d}".format),
    st.text(max_size=20),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "url": st.sampled_from([URL, "https://other.test/"]),
        "validator": st.one_of(st.none(), st.text(max_size=9), st.integers()),
        "size": st.sampled_from([len(DATA), 0, -1, 10**40, True, "7", None]),
        "pin": st.one_of(st.none(), st.just(PIN.md5), st.text(max_size=9), st.integers()),
        "cell": st.sampled_from([MIB // 4, MIB, 0, None]),
        "boot": st.text(max_size=9),
        "more": st.integers(),
    },
)


def test_no_journal_gives_a_wrong_byte(world: World, folder: Path) -> None:
    """Neither noise nor one that is nearly valid, beside a file of zeros; some are accepted."""
    accepted = []

    @settings(SETTINGS, max_examples=60, derandomize=True)  # some must be accepted
    @given(st.data())
    def each(data: st.DataObject) -> None:
        world.clear()
        request = fresh(folder)
        validator = data.draw(st.sampled_from([ETAG, '"x"', None]))
        Partial(request.part, Version(URL, validator, len(DATA), PIN.md5)).close()
        scribble(partial.journal_of(request.part), data)
        accepted.append(partial.gap(request.part, URL, PIN.md5)[0] > 0)

        then_right(world, request)

    each()

    assert any(accepted)


def scribble(journal: Path, data: st.DataObject) -> None:
    """Overwrite a journal with noise, or with lines under its own header or a random one."""
    if data.draw(st.integers(0, 3)) == 0:
        journal.write_bytes(data.draw(st.binary(max_size=200)))
        return
    drawn = data.draw(st.one_of(HEADERS.map(repr), HEADERS.map(as_json)))
    first = journal.read_text().splitlines()[0] if data.draw(st.booleans()) else drawn
    cells = map("{:08d}".format, range(data.draw(st.integers(0, 4))))
    lines = [first, *cells, *data.draw(st.lists(LINES, max_size=8))]
    journal.write_text("\n".join(lines), encoding="utf-8", errors="replace")


def as_json(header: Mapping[str, object]) -> str:
    """Return a journal's first line."""
    return json.dumps(header)


NUMBERS = st.one_of(
    st.integers(-5, 5 * MIB).map(str),
    st.sampled_from(["", "*", "9" * 30, "9" * 5000, "0x1", "1e3"]),
)
VALUES = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40)
NASTY = {
    "Content-Range": st.one_of(
        VALUES, st.builds("bytes {}-{}/{}".format, NUMBERS, NUMBERS, NUMBERS)
    ),
    "Content-Length": st.one_of(VALUES, NUMBERS),
    "Content-Encoding": st.one_of(VALUES, st.sampled_from(["gzip", "br", "gzip, gzip", "deflate"])),
    "Content-Type": st.one_of(VALUES, st.sampled_from(["TEXT/HTML", "text/plain"])),
    "ETag": VALUES,
    "Last-Modified": VALUES,
    "Location": st.one_of(
        VALUES, VALUES.map("https://{}".format), VALUES.map("//".__add__),
        st.sampled_from(["https://[", "https://\xe9:1/", "http:", "?", "#", "file:///", "data:,"]),
    ),
    "Retry-After": st.one_of(VALUES, NUMBERS.filter(lambda n: n not in "12345")),
    "Set-Cookie": VALUES,
    "Transfer-Encoding": st.sampled_from(["chunked", "gzip", "x"]),
    "Connection": VALUES,
}  # fmt: skip


@settings(SETTINGS, max_examples=20)
@given(
    st.lists(st.sampled_from(sorted(NASTY)), min_size=1, max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: NASTY[name] for name in names})
    ),
    st.sampled_from([200, 200, 206, 206, 302, 416, 429, 503, 404, 599, 100 + 204]),
    st.booleans(),
)
def test_no_header_gives_a_wrong_byte_or_a_traceback(
    world: World,
    folder: Path,
    headers: dict[str, str],
    status: int,
    sized: bool,  # noqa: FBT001
) -> None:
    """Alone or together, with any status, with and without Content-Length."""

    def change(_: Received, reply: Reply) -> Reply:
        nasty = replace(reply, status=status, ranges=False, headers=reply.headers | headers)
        return nasty if sized else nasty.sent(framing="close")

    world.clear()
    request = fresh(folder)
    world.fault(URL, Fault("nasty", change))

    right_or_error(request)

    then_right(world, request)
