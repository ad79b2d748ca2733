"""Which addresses may be opened, and what a message may show of one."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import unquote_plus, urlsplit

# Who asks, and a query, which may be a token: they stand in addresses, and in libraries' messages.
_SECRET = re.compile(r"(\w+://)(?:[^/\s'\"]*@)?([^\s?'\"]*)(?:\?[^\s'\"]*)?")
# Parameters that admit whoever has them, or that only a signed address has. Share keys such as
# Dropbox's rlkey and Drive's resourcekey are no more than part of a public address.
_SECRET_PARAMETER = re.compile(
    r"[\w.-]*(?:signature|token_*|secret|passw(?:or)?d|credential|(?:api|access)[-_]?key(?:[-_]?id)?)"
    r"|sig|sign|hmac|jwt|auth|auth[-_]key|authorization|bearer|key|key-pair-id|policy|expires"
    r"|googleaccessid|st|pass|pwd|session|session[-_]?id|hdnea|hdnts",
    re.ASCII | re.IGNORECASE,
)
_DROPBOX = "dropbox.com"  # its share links have an `st` that admits nobody
_LOCAL = re.compile(r"(?:.+\.)?(?:localhost|localdomain)", re.ASCII)
# What follows a repository in the addresses of its files, on the sites that host code and models.
_IN_REPOSITORY = re.compile(r"/([^/]+(?:/[^/]+)+?)(?:/-)?/(?:resolve|raw|releases|blob|media)/")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # the last four bytes are an IPv4 address
_IPV6 = ipaddress.IPv6Network("2000::/3")  # all that is public of IPv6


def host_of(url: str) -> str:
    """Return the host of an address: what a message may show of it."""
    return urlsplit(url).hostname or url


def site_of(url: str) -> str:
    """Return the host of an address and, on a site of many repositories, the repository."""
    inside = _IN_REPOSITORY.match(urlsplit(url).path)
    return f"{host_of(url)}/{inside[1]}" if inside else host_of(url)


def masked(text: str) -> str:
    """Return a text whose addresses have lost user, password and query, so that it may be shown."""
    return _SECRET.sub(r"\1\2", text)


def is_safe(url: str) -> bool:
    """Tell whether an address may be opened: https, or plain http to this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # a ValueError, unless it is a port
    except ValueError:
        return False
    if "\\" in url:  # http://evil\@127.0.0.1: this machine for urlsplit, evil for requests
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    # Addresses alone: a name such as localhost is whatever a resolver says it is.
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secret_in(url: str) -> str | None:
    """Return what is secret in an address, in words without its value, or None."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return "a password"
    for pair in re.split("[&;]", parts.query):
        name, _, value = pair.partition("=")
        name = unquote_plus(name).strip()
        shared = name == "st" and f".{parts.hostname}".endswith(f".{_DROPBOX}")
        if value and not shared and _SECRET_PARAMETER.fullmatch(name):
            return f"the secret parameter {name}"
    return None


def is_private(url: str) -> bool:
    """Tell whether an address names this machine, or one that is not in the public internet."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if _LOCAL.fullmatch(host):
        return True
    try:
        return not is_public(host)
    except ValueError:
        pass
    try:  # a resolver reads 127.1, 0x7f000001 and 2130706433 as addresses, too
        return not is_public(socket.inet_ntoa(socket.inet_aton(host)))
    except (OSError, ValueError):
        return False


def is_public(address: str) -> bool:
    """Tell whether an IP address is in the public internet; raise ValueError if it is none."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        inner = inner or ip.ipv4_mapped or ip.sixtofour
        if not inner:
            return ip.is_global and ip in _IPV6
        ip = inner
    return ip.is_global and not ip.is_multicast
