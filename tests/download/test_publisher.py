"""Requests to one URL: ranges, redirects, versions, and the errors."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import SourceError, TransientError
from scripts.download.publisher import Publisher, RangeError
from tests.download.transfers import HOST, MIB, URL, noise
from tests.world import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.world import Request, World
    from tests.world.reply import Reply

DATA = noise(MIB)


@pytest.fixture
def publisher(folder: Path, world: World) -> Iterator[Publisher]:
    """The publisher of a file of one MiB."""
    del folder  # requested for the environment
    world.publish(URL, DATA)
    with closing(Publisher(URL, connections=2, timeout=60)) as made:
        yield made


def as_206(content_range: str, body: bytes = DATA) -> Fault:
    """Answer 206 with any Content-Range."""

    def change(_: Request, reply: Reply) -> Reply:
        partial = replace(reply, status=206, ranges=False, body=body)
        return partial.having(Content_Range=content_range)

    return Fault("as 206", change)


def test_a_range_is_what_was_requested(publisher: Publisher) -> None:
    """The response gives its position, the total size and the version."""
    with publisher.get(10, 30) as reply:
        body = b"".join(reply.chunks())

    assert body == DATA[10:30]
    assert (reply.start, reply.stop, reply.total, reply.ranged) == (10, 30, MIB, True)
    assert reply.validator is not None


def test_a_range_may_reach_beyond_the_end_or_be_open(publisher: Publisher) -> None:
    """The first request for a small file exceeds its size."""
    with publisher.get(10, 5 * MIB) as reply:
        assert b"".join(reply.chunks()) == DATA[10:]
    with publisher.get(MIB - 5) as reply:
        assert b"".join(reply.chunks()) == DATA[-5:]


def test_another_version_is_sent_whole(publisher: Publisher) -> None:
    """If-Range has a validator that is out of date."""
    with publisher.get(10, 30, validator='"old"') as reply:
        assert (reply.ranged, reply.start, reply.stop) == (False, 0, MIB)


def test_bytes_are_yielded_as_they_arrive(publisher: Publisher, world: World) -> None:
    """From a slow line they are not collected until a block is full."""
    world.fault(URL, Fault.slow(40))

    with publisher.get(0, MIB) as reply:
        chunks = reply.chunks()
        sizes = [len(next(chunks)) for _ in range(3)]

    assert max(sizes) < 1000


@pytest.mark.parametrize("framing", [Fault.none(), Fault.gzip()])
def test_a_page_is_recognised_byte_by_byte(
    publisher: Publisher, world: World, framing: Fault
) -> None:
    """The first chunk need not be long enough to tell."""
    world.fault(URL, Fault.body(b"<!doctype html>" + DATA) | framing | Fault.slow(100))

    with publisher.get() as reply, pytest.raises(SourceError, match="a web page"):
        list(reply.chunks())


def test_connections_are_reused_for_the_next_range(publisher: Publisher, world: World) -> None:
    """A response that was read to its end keeps its connection open; any other closes it."""
    for start in range(0, 50, 10):
        with publisher.get(start, start + 10) as reply:
            list(reply.chunks())
    with publisher.get():
        pass
    with publisher.get(0, 10) as reply:
        list(reply.chunks())

    assert [r.connection for r in world.requests[:6]] == [world.requests[0].connection] * 6
    assert world.requests[6].connection != world.requests[0].connection


def test_a_different_range_is_refused(publisher: Publisher, world: World) -> None:
    """The file of a server that miscounts its ranges is read in one stream instead."""
    ranges = [
        "", "bytes", "bytes 0-9/*", "bytes 1-10/1000", "bytes 0-8/1000", "bytes 0-0/0",
        "items 0-9/10", "bytes 9-0/1000", f"bytes 0-9/{'9' * 5000}",
        "bytes 0-9/1000, bytes 0-9/1000", "bytes -1-9/10",
    ]  # fmt: skip
    for content_range in ranges:
        world.clear()
        world.fault(URL, as_206(content_range))

        with pytest.raises(RangeError, match="a different range"), publisher.get(0, 10):
            pass


def test_a_range_that_was_not_requested_is_refused(publisher: Publisher, world: World) -> None:
    """A part in place of the whole is not the file."""
    world.fault(URL, as_206("bytes 0-9/1000"))

    with pytest.raises(RangeError), publisher.get():
        pass


def test_no_byte_beyond_the_range_is_yielded(publisher: Publisher, world: World) -> None:
    """Content-Length may be longer than Content-Range: the rest belongs to another block."""
    world.fault(URL, as_206("bytes 0-9/1000"))

    with publisher.get(0, 10) as reply:
        assert b"".join(reply.chunks()) == DATA[:10]


def test_a_version_is_identified_by_a_value_that_can_be_sent_back(
    publisher: Publisher, world: World
) -> None:
    """A strong ETag, else the date."""
    validators = {
        '"strong"': '"strong"', 'W/"weak"': "date", "": "date", "tab\there": None,
        "\xe9t\xe9": None,
    }  # fmt: skip
    for etag, expected in validators.items():
        world.clear()
        world.fault(URL, Fault.header("ETag", etag) | Fault.header("Last-Modified", "date"))

        with publisher.get(0, 10) as reply:
            assert reply.validator == expected


def test_a_whole_response_without_a_length_has_no_total(publisher: Publisher, world: World) -> None:
    """So a truncated one cannot be detected by its size."""
    world.fault(URL, Fault.no_ranges() | Fault.unsized())

    with publisher.get(0, 10) as reply:
        assert (reply.stop, reply.total) == (None, None)
        assert b"".join(reply.chunks()) == DATA


@pytest.mark.parametrize("waits", [Fault.delay(600), Fault.stall(1000)])
def test_close_wakes_a_thread_that_waits_for_data(folder: Path, world: World, waits: Fault) -> None:
    """Before the response or in the middle of it, long before the timeout."""
    del folder
    world.publish(URL, DATA)
    world.fault(URL, waits)
    publisher, raised = Publisher(URL, connections=2, timeout=600), []

    def read() -> None:
        with pytest.raises(TransientError) as error, publisher.get(0, MIB) as reply:
            list(reply.chunks())
        raised.append(error.value)

    thread = threading.Thread(target=read)
    thread.start()
    while not world.requests:
        thread.join(0.01)
    thread.join(0.1)
    publisher.close()
    thread.join(60)

    assert [HOST in str(error) for error in raised] == [True]


def test_nothing_is_requested_after_close(publisher: Publisher, world: World) -> None:
    """A thread that waited for its turn gets an error."""
    publisher.close()

    with pytest.raises(TransientError, match="the transfer was stopped"), publisher.get(0, 10):
        pass

    assert world.requests == []


def test_a_redirect_to_an_invalid_url_is_not_retried(publisher: Publisher, world: World) -> None:
    """A retry would lead to the same URL."""
    for location in ("https://[", "https://[::1", "https://", "//", "\xff\xfe", "https://x:y@/",
                     "https://a.test:99999/"):  # fmt: skip
        world.clear()
        world.fault(URL, Fault.redirect(location))

        with pytest.raises(SourceError) as raised, publisher.get(0, 10):
            pass

        assert not isinstance(raised.value, TransientError)


def test_a_refused_connection_is_reported_as_such(folder: Path) -> None:
    """A host that is not reached is given up early."""
    del folder
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/file"
        with (
            closing(Publisher(url, connections=1, timeout=60)) as publisher,
            pytest.raises(TransientError, match="no connection: Connection refused") as raised,
            publisher.get(),
        ):
            pass

    assert raised.value.connected is False
