"""Run a command, and report progress on stderr."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LONGEST = 3600.0  # seconds


class FailedError(Exception):
    """A command did not do what was to be measured."""


@dataclass(frozen=True)
class Place:
    """The folder and the environment in which commands run."""

    folder: Path
    env: Mapping[str, str]

    def run(self, *words: str) -> str:
        """Run a command and return its output; raise FailedError with the last line of it.

        The command leads a process group of its own. The whole group is killed on an interrupt.
        """
        process = self.start(*words)
        try:
            printed, _ = process.communicate(timeout=_LONGEST)
        except subprocess.TimeoutExpired as error:
            raise FailedError(f"{words[0]}: still running after {_LONGEST:.0f} s") from error
        finally:
            kill(process)
        if process.returncode:
            last = "".join(f": {line:.120}" for line in printed.strip().splitlines()[-1:])
            raise FailedError(f"{words[0]}: exit code {process.returncode}{last}")
        return str(printed)

    def timed(self, *words: str) -> float:
        """Run a command and return how many seconds it took; raise FailedError."""
        began = time.perf_counter()
        self.run(*words)
        return time.perf_counter() - began

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command as the leader of a process group of its own."""
        return subprocess.Popen(  # noqa: S603 - the words are the benchmark's own
            words,
            cwd=self.folder,
            env=dict(self.env),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process group with SIGKILL, and reap its leader."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def bound(words: Sequence[str]) -> list[str]:
    """Return the command line of a server that ends when this process ends, for any reason."""
    setpriv = shutil.which("setpriv")
    return [*([setpriv, "--pdeathsig", "TERM"] if setpriv else []), *words]


def log(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def empty(*paths: Path) -> None:
    """Remove files and folders, if they exist."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
