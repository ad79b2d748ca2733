"""Environment variables: which authorities connections trust, and which proxy they use."""

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
def _limited(clone: TestClone) -> None:
    """Fail early."""
    transfers.limit(clone, retries=1, timeout=1)


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

    assert counts[0] == counts[2] + 1  # that of the tests
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


def test_an_invalid_proxy_is_an_error_without_traceback(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the variable contains."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://:what?:99999")

    assert_failed(clone, attempt(clone, capsys), world, HOST)
