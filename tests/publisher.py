"""A publisher for docs/why.md: serve a folder on loopback until the process ends.

Run as `python -m tests.publisher FOLDER PORT`. The ETag of each file is the md5 of its
content. If a file `down` exists, every connection closes without a response. NAME.cut contains
the number of bytes after which a transfer of NAME is cut. FOLDER/log gets a line per request.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Publisher(BaseHTTPRequestHandler):
    """Answers one request for a file of the folder."""

    def __init__(self, folder: Path, *args: object) -> None:
        """Serve from `folder`."""
        self.folder = folder
        super().__init__(*args)  # type: ignore[arg-type] # what the server gives its handler

    def log_message(self, *_: object) -> None:
        """Say nothing: the log is a file."""

    def do_HEAD(self) -> None:
        """Answer with the headers alone."""
        self._answer()

    def do_GET(self) -> None:
        """Answer with the file, or with as much of it as NAME.cut allows."""
        name, data = self._answer()
        cut = self.folder / f"{name}.cut"
        with suppress(ConnectionError):  # the client has seen enough
            self.wfile.write(data[: int(cut.read_text())] if cut.exists() else data)

    def _answer(self) -> tuple[str, bytes]:
        name = self.path.strip("/")
        asked = f"{self.command} {name} {self.headers.get('Range', '')}".strip()
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            log.write(f"{asked}\n")
        if (self.folder / "down").exists():
            return name, b""
        path = self.folder / name
        data = path.read_bytes() if path.is_file() else b""
        self.send_response(200 if data else 404)
        self.send_header("Content-Length", str(len(data)))
        if data:
            tag = hashlib.md5(data, usedforsecurity=False).hexdigest()
            self.send_header("ETag", f'"{tag}"')
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        return name, data


def open_at(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of the folder that has yet to serve; port 0 is any free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Publisher, folder))


if __name__ == "__main__":
    open_at(Path(sys.argv[1]), int(sys.argv[2])).serve_forever()
