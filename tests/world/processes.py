"""Commands that run under a misfortune: killed at a step, short of rights, forbidden to hash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.world import forks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.world.clones import TestClone

PATIENCE = 120.0  # seconds; two cores may be busy with other tests

_DYING = """
import os, signal, sys
from importlib import import_module
point, call, command, *argv = sys.argv[1:]
module, _, names = point.partition(":")
owner = import_module(module)
*above, name = names.split(".")
for part in above:
    owner = getattr(owner, part)
real, calls = getattr(owner, name), []
def fatal(*args, **more):
    calls.append(args)
    if len(calls) == int(call):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **more)
setattr(owner, name, fatal)
sys.exit(import_module(command).main(argv))
"""

# DVC whose hashing of anything under models/ or in the cache is an error.
_UNREADING = """
import sys
import dvc_data.hashfile.hash as hashing
real = hashing._hash_file
def watched(path, *args, **more):
    if "/models/" in path or "/files/md5/" in path:
        raise SystemExit(f"hashed again: {path}")
    return real(path, *args, **more)
hashing._hash_file = watched
from dvc.cli import main
sys.exit(main(sys.argv[1:]))
"""


def killed_at(
    clone: TestClone, point: str, call: int, command: str, *argv: str
) -> subprocess.CompletedProcess[str]:
    """Run a command that gets SIGKILL as it calls `point` (module:name) the `call`th time."""
    words = (sys.executable, "-c", _DYING, point, str(call), command, *argv)
    done = forks.run(words, clone.env, clone.root)
    assert done.returncode == -signal.SIGKILL, (point, done.stderr)
    return done


def dvc_without_hashing(clone: TestClone, *words: str) -> subprocess.CompletedProcess[str]:
    """Run DVC, which fails as soon as it reads a checkpoint to hash it."""
    return forks.run((sys.executable, "-c", _UNREADING, *words), clone.env, clone.root)


def without_root() -> tuple[str, ...]:
    """Return the words before a command that make permission bits hold for root, too."""
    if os.geteuid():
        return ()
    lost = "-dac_override,-dac_read_search,-fowner"
    return ("setpriv", f"--bounding-set={lost}", f"--inh-caps={lost}")


@contextmanager
def started(clone: TestClone, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a session of its own, as a terminal does; leave none of it behind."""
    process = subprocess.Popen(  # noqa: S603 - the words are the test's own
        words,
        cwd=clone.root,
        env=dict(clone.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something another process or thread does; fail after two minutes."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
