"""The public face of the double."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.world import checkpoints, publishers
from tests.world.script import Rule
from tests.world.server import Server, Site
from tests.world.shelf import Item

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from tests.world.faults import Fault
    from tests.world.records import Request


class World:
    """Every publisher on the loopback; a context manager that leaves no thread and no socket.

    A process that runs with `env` reaches the publishers at their own addresses and nothing else.
    """

    def __init__(
        self, *, publish: bool = True, scale: int = 100, root: Path = checkpoints.PAPER
    ) -> None:
        """Publish what the catalogue at `root` lists, at 1/`scale` of the sizes, or nothing."""
        self._site = Site()
        for url, data in checkpoints.published(scale, root).items() if publish else ():
            self.publish(url, data, name=checkpoints.name_of(url))

    def __enter__(self) -> Self:
        """Start the servers."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._site.trust.write_bundle(folder / "bundle.pem")
            self._proxy, self._front = Server(self._site), Server(self._site)
            stack.callback(self._front.stop)
            stack.callback(self._proxy.stop)
            stack.callback(self._site.closing.set)
            self._folder, self._stack = folder, stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every connection and join every thread."""
        self._stack.close()

    @property
    def env(self) -> dict[str, str]:
        """The environment of a process under test, to be laid over its own."""
        bundle, proxy, here = (
            str(self._folder / "bundle.pem"),
            self._proxy.url,
            "127.0.0.1,localhost",
        )
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), here),
            **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), bundle),
            "SSL_CERT_DIR": str(self._folder),
        }

    @property
    def bundle(self) -> Path:
        """The PEM file of this world's authority; no other is trusted."""
        return self._folder / "bundle.pem"

    @property
    def proxy(self) -> str:
        """The address of the proxy."""
        return self._proxy.url

    @property
    def http(self) -> str:
        """The address of the plain http server; publish under it to serve from it."""
        return self._front.url

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in order of arrival."""
        return self._site.log.all()

    @property
    def refused(self) -> list[str]:
        """The hosts a client asked the proxy for that are no publisher's: leaks."""
        return self._site.gate.refused()

    @property
    def tunnels(self) -> list[tuple[str, int]]:
        """Host and status of all the proxy was asked for, in order."""
        return self._site.gate.tunnels()

    def publish(
        self,
        url: str,
        data: bytes,
        *,
        kind: str | None = None,
        etag: str | None = None,
        name: str | None = None,
    ) -> None:
        """Serve `data` at any address, in the manner of its host or of `kind` (publishers.KINDS).

        `etag` is sent verbatim, quotes included. `name` is the file name that is announced.
        """
        parts = urlsplit(url)
        kind = kind or publishers.kind_of(parts.netloc)
        name = name or parts.path.rpartition("/")[2]
        self._site.shelf.put(Item(url, data, kind, name, etag))

    def remove(self, url: str) -> None:
        """Stop publishing an address; its host answers as for any it never heard of."""
        self._site.shelf.remove(url)

    def expire_signatures(self) -> None:
        """Make every signed address given out so far answer 403."""
        self._site.shelf.expire()

    def fault(self, pattern: str, *faults: Fault, times: int | None = None) -> None:
        """Script the requests that match an fnmatch pattern of full addresses.

        The i-th matching request meets the i-th fault, and all later ones the last. After `times`
        matching requests the script is over and service is normal; None means never. A pattern
        with a space is matched against "METHOD address". Of several scripts that match a request
        each counts it, and their faults apply together, the oldest script's first.
        """
        self._site.script.add(Rule(pattern, faults, times))

    def refuse(self, host: str, status: int = 502) -> None:
        """Let the proxy answer `status` to every CONNECT for the host; 0 hangs up without one."""
        self._site.gate.close(host, status)

    def distrust(self, host: str) -> None:
        """Let the host show a certificate of an unknown authority."""
        self._site.gate.distrust(host)

    def stop_proxy(self) -> None:
        """Take the proxy down for good: connections to it are refused."""
        self._proxy.stop()

    def served(self, pattern: str = "*") -> int:
        """Return the body bytes sent for the requests that match."""
        return sum(request.sent for request in self.requests if request.matches(pattern))

    def clear(self) -> None:
        """Forget requests, faults, disk_errors and distrust; what is published stays."""
        self._site.log.clear()
        self._site.script.clear()
        self._site.gate.clear()
