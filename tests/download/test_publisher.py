"""One address: its ranges, its redirects, its versions, and the words for what goes wrong."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import SourceError, TransientError
from scripts.download.publisher import Publisher, RangeError, direct
from tests.download.transfers import HOST, MIB, URL, noise
from tests.world import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world import Request, World
    from tests.world.clones import TestClone
    from tests.world.reply import Reply

DATA = noise(MIB)


@pytest.fixture
def publisher(clone: TestClone, world: World) -> Iterator[Publisher]:
    """The publisher of one file of a MiB."""
    del clone  # its environment leads to the world
    world.publish(URL, DATA)
    with closing(Publisher(URL, connections=2, timeout=0.5)) as made:
        yield made


def as_206(content_range: str, body: bytes = DATA) -> Fault:
    """Answer a range in the words of a server that cannot count."""

    def change(_: Request, reply: Reply) -> Reply:
        partial = replace(reply, status=206, ranges=False, body=body)
        return partial.having(Content_Range=content_range)

    return Fault("as 206", change)


def test_a_range_is_what_was_asked_for(publisher: Publisher) -> None:
    """Its place, the size of the whole and the version come with it."""
    with publisher.get(10, 30) as reply:
        body = b"".join(reply.chunks())

    assert body == DATA[10:30]
    assert (reply.start, reply.stop, reply.total, reply.ranged) == (10, 30, MIB, True)
    assert reply.validator is not None


def test_a_range_may_reach_beyond_the_end_or_be_open(publisher: Publisher) -> None:
    """The first question of a small file asks for more than there is."""
    with publisher.get(10, 5 * MIB) as reply:
        assert b"".join(reply.chunks()) == DATA[10:]
    with publisher.get(MIB - 5) as reply:
        assert b"".join(reply.chunks()) == DATA[-5:]


def test_another_version_comes_whole(publisher: Publisher) -> None:
    """If-Range with a validator that is no longer true."""
    with publisher.get(10, 30, validator='"old"') as reply:
        assert (reply.ranged, reply.start, reply.stop) == (False, 0, MIB)


def test_connections_are_kept_for_the_next_range(publisher: Publisher, world: World) -> None:
    """An answer that was read to its end leaves its connection; one that was not takes it along."""
    for start in range(0, 50, 10):
        with publisher.get(start, start + 10) as reply:
            list(reply.chunks())
    with publisher.get():
        pass
    with publisher.get(0, 10) as reply:
        list(reply.chunks())

    assert [r.connection for r in world.requests[:6]] == [world.requests[0].connection] * 6
    assert world.requests[6].connection != world.requests[0].connection


@pytest.mark.parametrize(
    "content_range",
    ["", "bytes", "bytes 0-9/*", "bytes 1-10/1000", "bytes 0-8/1000", "bytes 0-0/0", "items 0-9/10",
     "bytes 9-0/1000", f"bytes 0-9/{'9' * 5000}", "bytes 0-9/1000, bytes 0-9/1000",
     "bytes -1-9/10"],
)  # fmt: skip
def test_a_range_that_is_not_the_one_asked_for_is_refused(
    publisher: Publisher, world: World, content_range: str
) -> None:
    """A server that miscounts its ranges is read in one stream instead."""
    world.fault(URL, as_206(content_range))

    with pytest.raises(RangeError, match="answers a range with another one"), publisher.get(0, 10):
        pass


def test_a_range_that_nobody_asked_for_is_refused(publisher: Publisher, world: World) -> None:
    """A part in place of the whole is not the file."""
    world.fault(URL, as_206("bytes 0-9/1000"))

    with pytest.raises(RangeError), publisher.get():
        pass


def test_no_byte_beyond_the_range_is_given(publisher: Publisher, world: World) -> None:
    """Content-Length may promise more than Content-Range: the next block is not ours."""
    world.fault(URL, as_206("bytes 0-9/1000"))

    with publisher.get(0, 10) as reply:
        assert b"".join(reply.chunks()) == DATA[:10]


@pytest.mark.parametrize(
    ("etag", "expected"),
    [('"strong"', '"strong"'), ('W/"weak"', "date"), ("", "date"), ("tab\there", None),
     ("\xe9t\xe9", None)],
)  # fmt: skip
def test_a_version_is_told_by_what_a_header_may_hold(
    publisher: Publisher, world: World, etag: str, expected: str | None
) -> None:
    """A strong ETag, else the date; never what could not be sent back."""
    world.fault(URL, Fault.header("ETag", etag) | Fault.header("Last-Modified", "date"))

    with publisher.get(0, 10) as reply:
        assert reply.validator == expected


def test_a_whole_answer_without_a_length_has_no_total(publisher: Publisher, world: World) -> None:
    """So nothing can be said of its end."""
    world.fault(URL, Fault.no_ranges() | Fault.unsized())

    with publisher.get(0, 10) as reply:
        assert (reply.stop, reply.total) == (None, None)
        assert b"".join(reply.chunks()) == DATA


@pytest.mark.parametrize("waits", [Fault.delay(60), Fault.stall(1000)])
def test_closing_wakes_a_thread_that_waits_for_bytes(
    clone: TestClone, world: World, waits: Fault
) -> None:
    """Before the answer began, or in the middle of it; no timeout has to pass."""
    del clone
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
    thread.join(0.2)
    publisher.close()
    thread.join(5)

    assert [HOST in str(error) for error in raised] == [True]


def test_after_closing_nothing_is_asked(publisher: Publisher, world: World) -> None:
    """A thread that was waiting for its turn is told so."""
    publisher.close()

    with pytest.raises(TransientError, match="the transfer was stopped"), publisher.get(0, 10):
        pass

    assert world.requests == []


@pytest.mark.parametrize("location", ["https://[", "https://", "//", "\xff\xfe", "https://x:y@/"])
def test_a_redirect_to_no_address_is_final(
    publisher: Publisher, world: World, location: str
) -> None:
    """Asking again would lead there again."""
    world.fault(URL, Fault.redirect(location))

    with pytest.raises(SourceError) as raised, publisher.get(0, 10):
        pass

    assert not isinstance(raised.value, TransientError)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.dropbox.com/s/a/b.zip", "https://www.dropbox.com/s/a/b.zip?dl=1"),
        ("https://dropbox.com/s/b?rlkey=k&dl=0", "https://dropbox.com/s/b?rlkey=k&dl=1"),
        ("https://host.test/a?dl=0", "https://host.test/a?dl=0"),
    ],
)
def test_dropbox_links_are_made_to_give_the_file(url: str, expected: str) -> None:
    """With dl=1, and with their rlkey."""
    assert direct(url) == expected


def test_no_host_is_asked_that_refuses(clone: TestClone) -> None:
    """A connection that is refused is not reached: given up sooner."""
    del clone
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/file"
        with (
            closing(Publisher(url, connections=1, timeout=1)) as publisher,
            pytest.raises(TransientError, match="no connection: Connection refused") as raised,
            publisher.get(),
        ):
            pass

    assert raised.value.connected is False
