"""Whom a connection trusts, and which way it goes: the variables of the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.console.errors import SourceError
from scripts.download.connections import authorities, trust
from tests.download import transfers
from tests.download.transfers import HOST, NAME, PATH, URL, assert_failed, attempt
from tests.world.checkpoints import files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
CONTENT = files(10_000)[PATH]


@pytest.fixture(autouse=True)
def _impatient(clone: TestClone) -> None:
    """Give up soon."""
    transfers.limit(clone, retries=1, timeout=1)


@pytest.mark.parametrize("name", BUNDLES)
def test_any_one_variable_names_the_authorities(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also SSL_CERT_FILE alone, which requests does not read."""
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
    """They have not signed this world's certificates."""
    for name in BUNDLES:
        monkeypatch.delenv(name)

    run = attempt(clone, capsys)

    assert authorities() is True
    assert_failed(clone, run, world, "certificate is not trusted", "REQUESTS_CA_BUNDLE")


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The variable and its value stand in the message."""
    for other in BUNDLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))

    with pytest.raises(SourceError, match=rf"{name} names a file .*none\.pem"):
        authorities()


def test_a_bundle_that_is_none_is_an_error_without_traceback(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that holds no certificate can trust nobody."""
    (tmp_path / "bundle.pem").write_text("not a certificate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))

    run = attempt(clone, capsys)

    assert_failed(clone, run, world, "cannot be read as CA certificates")
    assert world.requests == []


def test_what_is_shared_between_connections_trusts_the_same(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle, a folder of certificates, or the public authorities; not a file of anything."""
    counts = [trust().cert_store_stats()["x509_ca"]]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(clone.root))
    counts.append(trust().cert_store_stats()["x509_ca"])
    for name in BUNDLES:
        monkeypatch.delenv(name)
    counts.append(trust().cert_store_stats()["x509_ca"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(clone.root / "params.yaml"))

    assert counts[0] == counts[2] + 1  # this world's own
    assert counts[1] == 0
    with pytest.raises(SourceError, match=r"params\.yaml cannot be read as CA certificates"):
        trust()


def test_the_proxy_is_asked_for_every_host(clone: TestClone, world: World, capsys: Capture) -> None:
    """HTTPS_PROXY leads to it; nothing goes past it."""
    assert attempt(clone, capsys).code == 0

    assert {host for host, _ in world.tunnels} == {HOST}
    assert world.refused == []


@pytest.fixture
def here(clone: TestClone, world: World) -> None:
    """Let the file stand at an address of this very machine."""
    url = f"{world.http}/file.pth"
    world.publish(url, CONTENT, kind="static")
    source = clone.root / f"sources/{NAME}.dvc"
    source.write_text(source.read_text().replace(URL, url))


@pytest.mark.usefixtures("here")
def test_no_proxy_is_honoured(clone: TestClone, world: World, capsys: Capture) -> None:
    """An address on the list is asked itself, by plain http only on this very machine."""
    assert attempt(clone, capsys).code == 0

    assert clone.tree() == {PATH: CONTENT}
    assert world.tunnels == []


@pytest.mark.usefixtures("here")
def test_what_no_proxy_does_not_name_goes_through_the_proxy(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This world's proxy knows publishers only, and refuses."""
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")

    run = attempt(clone, capsys)

    assert (run.code, len(world.tunnels)) == (1, 1)
    assert "127.0.0.1: 403" in run.err


def test_the_password_of_a_proxy_is_not_shown(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it is down nor when it refuses."""
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


def test_a_proxy_that_is_no_address_is_an_error_without_traceback(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever somebody wrote into the variable."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://:what?:99999")

    assert_failed(clone, attempt(clone, capsys), world, HOST)
