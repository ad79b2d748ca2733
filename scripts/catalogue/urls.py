"""Which addresses may be opened, and what a message may show of one."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

# Who asks, and a query, which may be a token: they stand in addresses, and in libraries' messages.
_SECRET = re.compile(r"(\w+://)(?:[^/\s'\"]*@)?([^\s?'\"]*)(?:\?[^\s'\"]*)?")


def host_of(url: str) -> str:
    """Return the host of an address: what a message may show of it."""
    return urlsplit(url).hostname or url


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
