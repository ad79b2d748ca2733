"""Environment variables: which authorities connections trust, and which proxy they use."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest

from scripts import fetch
from scripts.catalogue.params import Network
from scripts.catalogue.pins import Pin
from scripts.console.errors import SourceError
from scripts.console.progress import Bar
from scripts.download import drive
from scripts.download.connections import _check_peer, authorities, trust
from scripts.download.headers import HeadRequest
from scripts.download.publisher import Publisher
from scripts.download.request import Request
from tests.download import transfers
from tests.download.transfers import HOST, NAME, PATH, URL, assert_failed, attempt
from tests.world import Fault
from tests.world.checkpoints import DRIVE, files
from tests.world.reply import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
CONTENT = files(10_000)[PATH]


@pytest.fixture(autouse=True)
def _limited(clone: TestClone) -> None:
    """Fail early."""
    transfers.limit(clone, retries=1, timeout=60)


@pytest.mark.parametrize("name", BUNDLES)
def test_each_variable_names_the_authorities(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also SSL_CERT_FILE alone, which requests ignores."""
    for other in BUNDLES:
        if other != name:
            monkeypatch.delenv(other)

    run = attempt(clone, capsys)

    assert run.code == 0, run.err
    assert clone.tree() == {PATH: CONTENT}
    assert world.refused == []


def test_without_any_variable_the_public_authorities_are_trusted(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They did not sign the certificates of the tests."""
    for name in BUNDLES:
        monkeypatch.delenv(name)

    run = attempt(clone, capsys)

    assert authorities() is True
    assert_failed(clone, run, world, "certificate is not trusted", "REQUESTS_CA_BUNDLE")


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The message shows the variable and its value."""
    for other in BUNDLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))

    with pytest.raises(SourceError, match=rf"{name} names a file .*none\.pem"):
        authorities()


def test_an_invalid_bundle_is_an_error_without_traceback(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file without a certificate."""
    (tmp_path / "bundle.pem").write_text("not a certificate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "cannot be read as CA certificates")
    assert world.requests == []


def test_the_shared_context_trusts_the_same(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle, a folder of certificates, or the public authorities; no other file."""
    counts = [trust().cert_store_stats()["x509_ca"]]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(clone.root))
    counts.append(trust().cert_store_stats()["x509_ca"])
    for name in BUNDLES:
        monkeypatch.delenv(name)
    counts.append(trust().cert_store_stats()["x509_ca"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(clone.root / "params.yaml"))

    assert counts[0] == 1 < counts[2]  # that of the tests; the public ones
    assert counts[1] == 0
    with pytest.raises(SourceError, match=r"params\.yaml cannot be read as CA certificates"):
        trust()


def test_the_proxy_is_used_for_every_host(clone: TestClone, world: World, capsys: Capture) -> None:
    """HTTPS_PROXY names it; no connection bypasses it."""
    assert attempt(clone, capsys).code == 0

    assert {host for host, _ in world.tunnels} == {HOST}
    assert world.refused == []


@pytest.fixture
def local(clone: TestClone, world: World) -> None:
    """Serve the file on this machine."""
    url = f"{world.http}/file.pth"
    world.publish(url, CONTENT, kind="static")
    source = clone.root / f"sources/{NAME}.dvc"
    source.write_text(source.read_text().replace(URL, url))


@pytest.mark.usefixtures("local")
def test_no_proxy_is_honoured(clone: TestClone, world: World, capsys: Capture) -> None:
    """A listed host is requested directly; plain http only on this machine."""
    assert attempt(clone, capsys).code == 0

    assert clone.tree() == {PATH: CONTENT}
    assert world.tunnels == []


@pytest.mark.usefixtures("local")
def test_plain_and_tls_go_side_by_side(clone: TestClone, world: World) -> None:
    """In one run, with connections that all count for the same limits."""
    assert fetch.main([NAME, "sam_vit_b"]) == 0

    assert clone.read(PATH) == CONTENT
    assert len(clone.tree()) == 2
    assert {host for host, _ in world.tunnels} == {HOST}


@pytest.mark.usefixtures("local")
def test_a_host_not_in_no_proxy_is_requested_through_the_proxy(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy of the tests only knows publishers, and refuses."""
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")

    run = attempt(clone, capsys)

    assert (run.code, len(world.tunnels)) == (1, 1)
    assert "127.0.0.1: 403" in run.err


def test_the_password_of_a_proxy_is_not_shown(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither if it is down nor if it refuses."""
    proxy = world.proxy.replace("http://", "http://somebody:hunter2@")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    world.refuse(HOST, 407)
    refused = attempt(clone, capsys)
    world.stop_proxy()
    down = attempt(clone, capsys)

    for run in (refused, down):
        assert_failed(clone, run, world, "no connection through the proxy")
        assert "hunter2" not in run.err


@pytest.mark.parametrize(
    "proxy",
    ["http://:what?:99999", "http://", "foo bar", "http://[::1", "http://me:hunter2@127.0.0.1:port",
     "http://127.0.0.1:99999", "ftp://127.0.0.1:1", "socks9://127.0.0.1:1"],
)  # fmt: skip
def test_a_malformed_proxy_is_named(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """By its variable; the publisher is not to blame, and is not asked again."""
    monkeypatch.delenv("https_proxy")
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, f"{NAME}: HTTPS_PROXY: not the URL of a proxy: ", "unset it")
    assert "hunter2" not in run.err
    assert "redirects" not in run.err
    assert world.tunnels == []


def test_google_drive_names_a_malformed_proxy_too(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though gdown makes the connection."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://")

    run = attempt(clone, capsys, "tapnet_checkpoint_wo_optstate")

    assert_failed(clone, run, world, "_PROXY: not the URL of a proxy: 'http://'")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
def test_a_socks_proxy_that_is_down_is_reported_as_such(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """In the words of the system, without the names of a library's classes."""
    world.stop_proxy()
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, world.proxy.replace("http", scheme))

    run = attempt(clone, capsys)

    what = f"{NAME}: {HOST}: no connection through the proxy: Connection refused (given up"
    assert_failed(clone, run, world, what)


def resolve_here(monkeypatch: pytest.MonkeyPatch, address: str = "127.0.0.1") -> None:
    """Let every name be one of this machine."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *a, **kw: resolve(address, *a, **kw))


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, str]]:
    """A local service, and a URL whose name resolves to it, without a proxy."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server, f"https://h.example:{server.getsockname()[1]}/x"


@pytest.mark.parametrize("pinned", [False, True])
def test_without_a_pin_no_name_may_resolve_to_this_machine(
    listening: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch, *, pinned: bool
) -> None:
    """Not a byte is sent there; with a pin, which decides, the handshake begins."""
    resolve_here(monkeypatch)
    server, url = listening
    publisher = Publisher(url, connections=1, timeout=0.2)
    if not pinned:
        publisher.refuse_private()

    with closing(publisher), pytest.raises(SourceError) as raised, publisher.get():
        pass

    accepted, _ = server.accept()
    with accepted:
        assert bool(accepted.recv(100)) == pinned
    assert ("resolves to 127.0.0.1, a private address" in str(raised.value)) == (not pinned)


def test_a_tunnel_may_give_every_name_an_address_of_its_own() -> None:
    """Of 198.18.0.0/15, which is nobody's; the tunnel resolves the name where it ends."""
    for address in ("198.18.0.7", "198.19.255.1", "8.8.8.8", "2606:4700::1"):
        _check_peer("h.example", Mock(**{"getpeername.return_value": (address, 443)}))
    with pytest.raises(SourceError, match="private address"):
        _check_peer("h.example", Mock(**{"getpeername.return_value": ("fd00::1", 443)}))


def test_an_own_url_of_this_machine_needs_no_pin(world: World) -> None:
    """The catalogue says it is one; its redirects may stay here."""
    world.publish(f"{world.http}/b", b"here")
    world.fault(f"{world.http}/a", Fault.redirect(f"{world.http}/b"))

    publisher = Publisher(f"{world.http}/a", connections=1, timeout=60)
    publisher.refuse_private()

    with closing(publisher), publisher.get() as reply:
        assert b"".join(reply.chunks()) == b"here"


@pytest.mark.parametrize(
    "target",
    ["https://127.0.0.1/x", "https://localhost:8443/x", "https://169.254.169.254/x", "//[::1]/x",
     "https://10.0.0.1/x", "https://127.1/x", "https://0x7f000001/x"],
)  # fmt: skip
def test_no_redirect_leads_into_this_network(
    clone: TestClone, world: World, capsys: Capture, target: str
) -> None:
    """Pinned or not, by GET as by HEAD: the target is not requested."""
    world.fault(URL, Fault.redirect(target.encode().decode("latin-1")))

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, f"{HOST}: redirects to https://", "a private address")
    with pytest.raises(SourceError, match="a private address"):
        HeadRequest(URL, trust(), timeout=60).head()
    assert {host for host, _ in world.tunnels} == {HOST}


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{}/x", "https://localhost:{}/x", "http://h/x"]
)
def test_no_redirect_of_google_drive_leads_into_this_network(
    clone: TestClone, world: World, capsys: Capture, target: str
) -> None:
    """Gdown itself follows every redirect, plain http included."""
    world.fault(
        "https://drive.google.com/*", Fault.redirect(target.format(urlsplit(world.http).port))
    )

    run = attempt(clone, capsys, "tapnet_checkpoint_wo_optstate")

    assert_failed(clone, run, world, "drive.google.com: redirects to ")
    assert {request.host for request in world.requests} == {"drive.google.com"}


def test_a_confirm_page_of_google_drive_leads_nowhere_else(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The form's action is an address like any other."""
    form = f'<form id="download-form" action="{world.http}/x"></form>'
    world.fault(
        "https://drive.usercontent.google.com/*", Fault("form", lambda *_: page("Drive", form))
    )

    run = attempt(clone, capsys, "tapnet_checkpoint_wo_optstate")

    assert_failed(clone, run, world, "redirects to http://127.0.0.1, a private address")


@pytest.mark.parametrize("pin", [None, Pin("0" * 32)])
def test_google_drive_is_not_on_this_machine_without_a_pin(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, pin: Pin | None
) -> None:
    """The connection is gdown's; with a pin, which decides, the handshake begins."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", urlsplit(world.http).port))
    monkeypatch.setattr(socket, "getaddrinfo", Mock(return_value=[here]))
    request = Request("x", clone.root / "x.part", pin, Bar("x"))

    with pytest.raises(SourceError) as raised:
        drive.download(DRIVE, request, Network(retries=0, timeout=60))

    refused = "drive.google.com: resolves to 127.0.0.1, a private address" in str(raised.value)
    assert (refused, world.requests) == (pin is None, [])
