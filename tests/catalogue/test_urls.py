"""scripts.catalogue.urls: what is secret in a URL, and which URLs are not the internet's."""

from __future__ import annotations

import pytest

from scripts.catalogue import urls

H = "https://h.example/x.pth"
SECRET = {  # a query -> the parameter that is named
    "X-Amz-Algorithm=a&X-Amz-Credential=c&X-Amz-Signature=s": "X-Amz-Credential",
    "x-amz-signature=s": "x-amz-signature",
    "X-Amz-Security-Token=t": "X-Amz-Security-Token",
    "X%2DGoog%2DSignature=s": "X-Goog-Signature",
    "GoogleAccessId=g": "GoogleAccessId",
    "AWSAccessKeyId=k": "AWSAccessKeyId",
    "OSSAccessKeyId=k": "OSSAccessKeyId",
    "Expires=1": "Expires",
    "Policy=p": "Policy",
    "Key-Pair-Id=k": "Key-Pair-Id",
    "sv=2022-11-02&se=2030-01-01&sp=r&sig=s": "sig",
    "st=e&e=1": "st",
    "a=1;token=t": "token",
    "download=1&access_token=t": "access_token",
    "private_token=t": "private_token",
    "__token__=exp": "__token__",
    "hmac=h": "hmac",
    "jwt=j": "jwt",
    "auth=a": "auth",
    "auth_key=a": "auth_key",
    "key=k": "key",
    "api_key=k": "api_key",
    "apikey=k": "apikey",
    "client_secret=s": "client_secret",
    "Password=p": "Password",
    "sign=s": "sign",
}
PUBLIC = [
    "", "?", "?token=", "?download=true", "?dl=1&rlkey=k1", "?usp=sharing", "?id=1&export=download",
    "?id=1&confirm=t&uuid=2", "?resourcekey=0-a", "?raw=true", "?ref=v1", "?e=abc&download=1",
    "?path=%2Fmodels&files=sign.pth", "?versionId=3", "?design=1&monkey=2&keys=3&author=a",
]  # fmt: skip


@pytest.mark.parametrize("query", SECRET)
def test_a_secret_parameter_is_named(query: str) -> None:
    """Whatever its case and its encoding; its value is not part of the answer."""
    assert urls.secret_in(f"{H}?{query}") == f"the secret parameter {SECRET[query]}"


@pytest.mark.parametrize("query", PUBLIC)
def test_other_parameters_are_public(query: str) -> None:
    """Share keys and what asks for the file instead of its page."""
    assert urls.secret_in(H + query) is None


def test_a_password_is_secret_and_the_session_of_a_dropbox_link_is_not() -> None:
    """Every share link of Dropbox has an `st`; the rlkey alone admits."""
    assert urls.secret_in("https://u:p@h.example/x") == "a password"
    assert urls.secret_in("https://www.dropbox.com/scl/fi/a/x?rlkey=k&st=s&dl=0") is None
    assert urls.secret_in("https://notdropbox.com/x?st=s") == "the secret parameter st"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.8.9.1", "127.0.0.1.", "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
        "0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "localhost", "LOCALHOST",
        "localhost.", "a.localhost", "localhost.localdomain", "[::1]", "[::]", "[fe80::1]",
        "[fd00::1]", "[fec0::1]", "[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]",
        "[2002:7f00:1::]", "[64:ff9b::7f00:1]", "[64:ff9b::a00:1]", "[::127.0.0.1]",
    ],
)  # fmt: skip
def test_a_url_of_this_machine_or_network_is_private(host: str) -> None:
    """In every form that a resolver takes for an address."""
    assert urls.is_private(f"https://{host}:8443/x")


@pytest.mark.parametrize(
    "host",
    ["h.example", "8.8.8.8", "[2606:4700::1]", "[64:ff9b::808:808]", "localhost.example", "a-b",
     "mylocalhost", "10.example", "é.example"],
)  # fmt: skip
def test_other_urls_are_not_private(host: str) -> None:
    """A name may be resolved to anything; that is checked where it is resolved."""
    assert not urls.is_private(f"https://{host}/x")


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://huggingface.co/mashb1t/misc/resolve/main/a.pth", "huggingface.co/mashb1t/misc"),
        ("https://huggingface.co/datasets/a/b/resolve/1f/c/a.pth", "huggingface.co/datasets/a/b"),
        ("https://github.com/o/n/releases/download/v1/a.pth", "github.com/o/n"),
        ("https://github.com/o/n/raw/main/resolve/raw/a.pth", "github.com/o/n"),
        ("https://gitlab.com/group/sub/n/-/raw/main/a.pth", "gitlab.com/group/sub/n"),
        ("https://h.example/raw/a.pth", "h.example"),
        ("https://h.example/s/4j4z/models.zip?dl=1", "h.example"),
    ],
)
def test_a_site_is_a_host_and_its_repository(url: str, site: str) -> None:
    """The same host may serve a file from several repositories."""
    assert urls.site_of(url) == site
