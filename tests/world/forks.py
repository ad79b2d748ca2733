"""Run DVC and the repository's commands in forks of a process that has imported DVC.

A new interpreter takes half a second to import DVC, and the tests run some hundred commands. The
server imports libraries alone: a command finds the scripts of the clone it runs in.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODULES = (
    "aiohttp", "dvc.cli", "dvc.cli.parser", "dvc.commands.checkout", "dvc.commands.commit",
    "dvc.commands.data_sync", "dvc.commands.repro", "dvc.commands.status", "dvc.repo",
    "dvc_data.hashfile.state", "dvc_gs", "dvc_http", "gcsfs", "gdown", "requests", "ruamel.yaml",
)  # fmt: skip


def runs(words: tuple[str, ...], env: Mapping[str, str]) -> bool:
    """Tell whether a fork runs this command as a new interpreter does."""
    python = [name for name in {*env, *os.environ} if name.startswith("PYTHON")]
    same = all(env.get(name) == os.environ.get(name) for name in python)
    own = env.get("PATH", "").startswith(str(Path(sys.executable).parent))
    command = words[0] == "dvc" or words[:2] in [("python", "-m"), (sys.executable, "-m")]
    return same and own and command


def run(
    words: tuple[str, ...], env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run a command without input and return what it printed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        asked = json.dumps({"words": words, "env": dict(env), "cwd": str(cwd)}).encode()
        server = _server()
        socket.send_fds(server, [len(asked).to_bytes(4, "big")], [out.fileno(), err.fileno()])
        server.sendall(asked)
        code = int.from_bytes(server.recv(4), "big", signed=True)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), err.read())


@lru_cache
def _server() -> socket.socket:
    """Start the server of this process, which ends with it."""
    ours, theirs = socket.socketpair()
    words = [sys.executable, __file__, str(theirs.fileno())]
    process = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603
    theirs.close()
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def _serve(asking: socket.socket) -> None:
    """Fork for every request; return in the fork, with its request carried out up to the start."""
    while True:
        head, fds, *_ = socket.recv_fds(asking, 4, 2)
        if not head:
            os._exit(0)
        asked = json.loads(asking.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
        child = os.fork()
        if not child:
            asking.close()
            os.dup2(fds[0], 1)
            os.dup2(fds[1], 2)
            os.environ.clear()
            os.environ.update(asked["env"])
            os.chdir(asked["cwd"])
            sys.path[0] = asked["cwd"]
            sys.argv = asked["words"]
            return
        for fd in fds:
            os.close(fd)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asking.sendall(code.to_bytes(4, "big", signed=True))


def _command() -> None:
    """Run the command of sys.argv as `python -m` does, or DVC's."""
    if sys.argv[0] == "dvc":
        from dvc.cli import main  # noqa: PLC0415 - imported before the fork

        sys.exit(main(sys.argv[1:]))
    _, _, module, *words = sys.argv
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _leave(code: object) -> NoReturn:
    """End as an interpreter does, but keep the modules: to free them takes as long as to import."""
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - joins the threads
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in _MODULES:
        importlib.import_module(name)
    gc.freeze()  # else the first collection of a fork copies every page
    _serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        _command()
    except SystemExit as end:
        _leave(end.code)
    except BaseException:  # noqa: BLE001 - shown, as an interpreter does
        sys.excepthook(*sys.exc_info())
        _leave(1)
    _leave(None)
