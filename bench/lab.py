"""What all conditions share: sizes, servers, files, folders."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import clone, files, rivals, servers
from bench.command import empty, log
from bench.files import MIB
from tests.world import clones

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.clone import Clone, Entry
    from bench.files import File


@dataclass(frozen=True)
class Plan:
    """Sizes in bytes, numbers of files, and rounds."""

    large: int = 1024 * MIB
    small: int = 128 * MIB
    batch: int = 8
    tree: int = 4096 * MIB
    few: int = 25
    many: int = 1000
    cut: int = 40_000_000
    rate: int = 20_000_000  # bytes a second and connection
    smaller: int = 10  # times, than a real paper's checkpoints
    rounds: int = 5


QUICK = Plan(32 * MIB, 4 * MIB, 8, 64 * MIB, 25, 100, cut=4_000_000, smaller=500, rounds=1)


@dataclass(frozen=True)
class Lab:
    """A temporary folder with nginx serving from it; all of it is removed at the end."""

    base: Path
    plan: Plan
    nginx: servers.Nginx
    env: dict[str, str]
    _made: dict[str, File] = field(default_factory=dict)

    def file(self, name: str, size: int) -> File:
        """Return a served file of random bytes, made at the first call."""
        if name not in self._made:
            log(f"making {name}: {size:,} bytes")
            self._made[name] = files.make(self.base / "files" / name, size)
        return self._made[name]

    @property
    def large(self) -> File:
        """The file that most conditions download."""
        return self.file("large.bin", self.plan.large)

    def batch(self) -> list[File]:
        """Return the files of the batch."""
        return [self.small(number) for number in range(self.plan.batch)]

    def small(self, number: int) -> File:
        """Return one of the files of the batch."""
        return self.file(f"small_{number}.bin", self.plan.small)

    @contextmanager
    def clone(self, served: Sequence[tuple[File, str]], *, tls: bool = False) -> Iterator[Clone]:
        """Make a clone whose catalogue lists these files and URLs; remove it at the end."""
        with self.listed([rivals.entry(file, url) for file, url in served], tls=tls) as made:
            yield made

    @contextmanager
    def listed(self, entries: Sequence[Entry], *, tls: bool = False) -> Iterator[Clone]:
        """Make a clone whose catalogue has these entries; remove it at the end."""
        root = self.folder()
        env = self.env | (self.trusting() if tls else {})
        try:
            yield clone.make(root, entries, env)
        finally:
            empty(root)

    @contextmanager
    def scratch(self, file: File, url: str, *, tls: bool = False) -> Iterator[rivals.Scratch]:
        """Make a folder for the rivals; remove it at the end."""
        folder = self.folder()
        env = self.env | (self.trusting() if tls else {})
        try:
            yield rivals.Scratch(folder, env, file, url, self.nginx.authority)
        finally:
            empty(folder)

    def folder(self) -> Path:
        """Return a new empty folder."""
        return Path(tempfile.mkdtemp(dir=self.base / "work"))

    def trusting(self) -> dict[str, str]:
        """Return the variables that make every client trust the certificate of nginx."""
        authority = str(self.nginx.authority)
        return dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), authority)


@contextmanager
def opened(plan: Plan) -> Iterator[Lab]:
    """Start all servers; always stop them and remove their files at the end."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        base = Path(folder)
        for name in ("files", "work"):
            (base / name).mkdir()
        env = clones.isolated(base / "home")
        with servers.nginx(base / "nginx", base / "files") as nginx:
            yield Lab(base, plan, nginx, env)
