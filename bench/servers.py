"""The servers of the benchmark: nginx, and splice proxies in front of it."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

from bench import proxy
from bench.command import FailedError, bound

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIG = """
{user}
daemon off;
worker_processes auto;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  root {files};
  server {{ listen 127.0.0.1:{http}; }}
  server {{
    listen 127.0.0.1:{https} ssl;
    ssl_certificate certificate.pem;
    ssl_certificate_key key.pem;
  }}
}}
"""
_PATIENCE = 10.0  # seconds until a server must listen


@dataclass(frozen=True)
class Nginx:
    """A running nginx: its process, its ports on loopback, and the CA of its certificate."""

    pid: int
    http: int
    https: int
    authority: Path

    def url(self, name: str, *, tls: bool = False) -> str:
        """Return the address of a file."""
        return address(self.https if tls else self.http, name, tls=tls)

    def processor(self) -> float:
        """Return the processor seconds of all its workers so far; 0 where there is no /proc."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        workers = children.read_text(encoding="ascii").split() if children.exists() else []
        return sum(map(_seconds, workers))


@dataclass(frozen=True)
class Proxy:
    """A running proxy: its port and its counters."""

    port: int
    counters: Path

    @property
    def served(self) -> int:
        """Reply bytes passed on so far, headers included."""
        return self._read()[0]

    def wait_idle(self) -> int:
        """Wait until no connection is open, and return the bytes passed on."""
        ends = time.monotonic() + _PATIENCE
        while self._read()[1] and time.monotonic() < ends:
            time.sleep(0.005)
        return self.served

    def _read(self) -> tuple[int, int]:
        served, active = struct.unpack(proxy.LAYOUT, self.counters.read_bytes())
        return int(served), int(active)


def _seconds(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def address(port: int, name: str, *, tls: bool = False) -> str:
    """Return the address of a file on a port of loopback."""
    return f"http{'s' if tls else ''}://127.0.0.1:{port}/{name}"


@contextmanager
def nginx(folder: Path, files: Path) -> Iterator[Nginx]:
    """Run nginx in `folder`, serving `files`."""
    folder.mkdir()
    authority = folder / "ca.pem"
    _certify(folder, authority)
    http, https = _free_ports()
    user = "" if os.geteuid() else "user root;"
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(user=user, files=files, http=http, https=https), "utf-8")
    words = bound(["nginx", "-e", "error.log", "-p", str(folder), "-c", str(config)])
    with _running(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        for port in (http, https):
            _wait_for(port, process)
        yield Nginx(process.pid, http, https, authority)


@contextmanager
def before(
    port: int, folder: Path, *, cut: int = 0, rate: int = 0, delay: float = 0
) -> Iterator[Proxy]:
    """Run a proxy in front of a port; a connection gets `cut` bytes, at `rate` bytes a second.

    `delay` is the seconds of a round trip.
    """
    counters = folder / f"counters-{time.monotonic_ns()}"
    counters.write_bytes(bytes(struct.calcsize(proxy.LAYOUT)))
    given = [str(port), str(counters), str(cut), str(rate), str(delay)]
    words = bound([sys.executable, "-IS", str(proxy.__file__), *given])
    with _running(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout else b""
        if not line.strip():
            raise FailedError("the proxy did not start")
        yield Proxy(int(line), counters)


@contextmanager
def _running(words: list[str], *, stdin: int, stdout: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(words, stdin=stdin, stdout=stdout) as process:  # noqa: S603 - our own words
        try:
            yield process
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _certify(folder: Path, authority: Path) -> None:
    ca = trustme.CA(organization_name="bench")
    issued = ca.issue_cert("127.0.0.1", "localhost")
    ca.cert_pem.write_to_path(str(authority))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    (folder / "certificate.pem").write_bytes(chain)


def _free_ports() -> tuple[int, int]:
    with ExitStack() as stack:
        listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        for server in listening:
            stack.enter_context(closing(server))
        return listening[0].getsockname()[1], listening[1].getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:  # noqa: PERF203 - a wait follows
            time.sleep(0.02)
        else:
            return
    raise FailedError(f"nginx does not listen (exit code {process.poll()})")
