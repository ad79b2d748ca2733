"""Google Cloud Storage on loopback: gcp-storage-emulator behind the double's own server.

As shipped the emulator serves one connection at a time in HTTP/1.0 and rewrites its index at each
object. Here every connection has its thread, requests meet the faults of tests.world, and the
emulator's handlers run under one lock, with the body of the request read before it is taken.
A write that a fault refuses, cuts or silences is never seen by the emulator.
"""

from __future__ import annotations

import io
import json
import tempfile
import threading
import time
from typing import TYPE_CHECKING, cast

from gcp_storage_emulator import server as emulator  # type: ignore[import-untyped]
from gcp_storage_emulator.handlers import buckets, objects  # type: ignore[import-untyped]
from gcp_storage_emulator.storage import Storage  # type: ignore[import-untyped]

from tests.world.faults import Fault
from tests.world.records import Request
from tests.world.reply import Reply
from tests.world.script import Rule
from tests.world.server import Handler, Server, Site
from tests.world.wire import SeveredError, Wire

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_WRITING = {"DELETE", "PATCH", "POST", "PUT"}
_WELL = Reply(200, {}, b"{}")  # what a fault is tried on before the emulator acts
READING = ("storage.objects.get", "storage.objects.list")


class Bucket:
    """One bucket, named `lab`, to which dvc-gs talks as to Google's; a context manager."""

    name = "lab"

    def __init__(self) -> None:
        """Start empty, with everybody a writer."""
        self._site = _Site()

    def __enter__(self) -> Self:
        """Start the server."""
        self._server = Server(self._site, _Handler)
        self.create()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every connection and join every thread."""
        self._site.closing.set()
        self._server.stop()

    @property
    def url(self) -> str:
        """The address of the server, which takes the place of storage.googleapis.com."""
        return self._server.url

    @property
    def env(self) -> dict[str, str]:
        """The environment in which dvc-gs takes this server for Google's, and nobody for a user."""
        return {
            "STORAGE_EMULATOR_HOST": self.url,
            "NO_GCE_CHECK": "true",  # else Google's own machines are looked for
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # else a gRPC service, for 60 s
        }

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in order of arrival."""
        return self._site.log.all()

    def create(self) -> None:
        """Make the bucket."""
        buckets.create_bucket(self.name, self._site.storage)

    def vanish(self) -> None:
        """Remove the bucket with all it holds."""
        self._site.storage.wipe()

    def objects(self) -> dict[str, bytes]:
        """Return name -> bytes of every object."""
        storage = self._site.storage
        with self._site.lock:
            return {n: storage.get_file(self.name, n) for n in storage.objects.get(self.name, {})}

    def put(self, name: str, data: bytes) -> None:
        """Store an object in place of what has its name, as somebody's upload would."""
        made = objects._make_object_resource(self.url, self.name, name, None, str(len(data)))  # noqa: SLF001
        with self._site.lock:
            self._site.storage.create_file(
                self.name,
                name,
                data,
                objects._checksums(data, made),  # noqa: SLF001
            )

    def remove(self, name: str) -> None:
        """Delete an object."""
        with self._site.lock:
            self._site.storage.delete_file(self.name, name)

    def allow(self, *permissions: str) -> None:
        """Let the bucket say that callers hold these permissions alone."""
        held = json.dumps({"permissions": permissions}).encode()
        self.fault("*/iam/testPermissions*", Fault.body(held))

    def fault(self, pattern: str, *faults: Fault, times: int | None = None) -> Rule:
        """Script the requests that match an fnmatch pattern, as World.fault does.

        The rule returned counts the requests it met.
        """
        rule = Rule(pattern, faults, times)
        self._site.script.add(rule)
        return rule

    def clear(self) -> None:
        """Forget requests and faults; the objects stay."""
        self._site.log.clear()
        self._site.script.clear()


class _Site(Site):
    """What the server shares: the emulator's storage instead of a shelf."""

    def __init__(self) -> None:
        super().__init__()
        self.storage = _Storage(use_memory_fs=True, data_dir=tempfile.gettempdir())
        self.lock = threading.Lock()


class _Storage(Storage):  # type: ignore[misc] # the emulator has no types
    def _write_config_to_file(self) -> None:
        """Keep the index in memory: rewritten at each object, it grows with the square."""


class _Handler(Handler):
    """Lets the emulator answer, and sends what it answered in the manner of the double."""

    def do_GET(self) -> None:  # noqa: N802 - the name http.server calls
        """Answer a request of any kind."""
        site = cast("_Site", self.site)
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, self._url(), headers, self.number)
        site.log.add(request)
        fault = site.script.fault(request)
        try:
            reply = self._refusal(request, fault) or self._acted(site, request, fault)
            wire = Wire(self.connection, site.closing)
            self.close_connection |= not wire.send(request, reply)
        except OSError:
            self.close_connection = True
        finally:
            request.ended = time.monotonic()

    def _refusal(self, request: Request, fault: Fault) -> Reply | None:
        """Return what a write is refused with, or None; of a body that is cut half is read."""
        reply = fault.change(request, _WELL)
        told = reply.delivery
        lost = told.drop or told.cut is not None or told.stall is not None
        if self.command not in _WRITING or (reply.status < 400 and not lost):
            return None
        if lost:
            self.rfile.read(int(self.headers.get("Content-Length") or 0) // 2)
        else:
            emulator._read_raw_data(self)  # noqa: SLF001 - so that the connection can go on
        return reply

    def _acted(self, site: _Site, request: Request, fault: Fault) -> Reply:
        """Let the emulator act, and return what it says, changed by the fault."""
        body = emulator._read_raw_data(self) or b""  # noqa: SLF001 - knows chunked bodies
        if len(body) < int(self.headers.get("Content-Length") or 0):
            raise SeveredError  # the client is gone; half an upload is none
        return fault.change(request, _Exchange(self, body).reply(site))

    do_DELETE = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815


class _Exchange:
    """What the emulator's handlers take for their connection."""

    def __init__(self, handler: _Handler, body: bytes) -> None:
        self.path, self.server, self._method = handler.path, handler.server, handler.command
        self.headers = handler.headers
        del self.headers["Transfer-Encoding"], self.headers["Content-Length"]
        self.headers["Content-Length"] = str(len(body))
        self.rfile, self.wfile = io.BytesIO(body), io.BytesIO()
        self._status = 0
        self._told: dict[str, str] = {}

    def reply(self, site: _Site) -> Reply:
        """Run the emulator, and return what it wrote."""
        self.storage = site.storage
        with site.lock:
            emulator.Router(self).handle("GET" if self._method == "HEAD" else self._method)
        self._told.pop("Content-Length", None)
        return Reply(self._status, self._told, self.wfile.getvalue())

    def send_response(self, status: int, _: str) -> None:
        self._status = status

    def send_header(self, name: str, value: str) -> None:
        self._told[name] = value

    def end_headers(self) -> None:
        """Do nothing: the wire writes the headers."""
