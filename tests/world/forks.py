"""Run DVC and the repository's commands in forks of a process that has imported DVC.

A new interpreter takes half a second to import DVC, and the tests run some hundred commands. The
server imports libraries alone: a command finds the scripts of the clone it runs in. What a fork or
a shell runs finds `python` and `dvc` on its PATH that ask the same server: so do DVC's stages.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import runpy
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
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
# It imports nothing that an interpreter without site has not imported by itself.
_SHIM = """#!{python} -IS
import _socket, posix, sys
name = sys.argv[0].rpartition("/")[2]
env = posix.environ
python = {{k: v for k, v in env.items() if k.startswith(b"PYTHON")}}
if python != {same!r} or (name == "python" and sys.argv[1:2] != ["-m"]):
    posix.execv({folder!r} + name, [name, *sys.argv[1:]])
items = [posix.getcwdb(), b"%d" % len(sys.argv), name.encode()]
items += [word.encode("utf-8", "surrogateescape") for word in sys.argv[1:]]
asked = b"\\0".join(items + [k + b"=" + v for k, v in env.items()])
fds = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (0, 1, 2))
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect({path!r})
rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)]
server.sendmsg([len(asked).to_bytes(4, "big")], rights)
while asked:
    asked = asked[server.send(asked):]
answer = server.recv(4)
assert answer, "the server of forks has ended"
code = int.from_bytes(answer, "big", signed=True)
if code < 0:
    posix.kill(posix.getpid(), -code)
posix._exit(code)
"""


def runs(words: tuple[str, ...], env: Mapping[str, str]) -> bool:
    """Tell whether a fork runs this command as a new interpreter does."""
    command = words[0] == "dvc" or words[:2] in [("python", "-m"), (sys.executable, "-m")]
    return command and _is_ours(env)


def reaching(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a shell whose `python -m` and `dvc` are forks."""
    if not _is_ours(env):
        return dict(env)
    return {**env, "PATH": f"{_server().parent / 'bin'}{os.pathsep}{env['PATH']}"}


def run(
    words: tuple[str, ...], env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run a command without input and return what it printed; of `python -c`, too."""
    with (
        open(os.devnull) as empty,  # noqa: PTH123
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        socket.socket(socket.AF_UNIX) as asking,
    ):
        asking.connect(str(_server()))
        items = [str(cwd), str(len(words)), *words]
        items += [f"{name}={value}" for name, value in reaching(env).items()]
        asked = os.fsencode("\0".join(items))
        fds = [file.fileno() for file in (empty, out, err)]
        socket.send_fds(asking, [len(asked).to_bytes(4, "big")], fds)
        asking.sendall(asked)
        answer = asking.recv(4)
        assert answer, "the server of forks has ended"
        code = int.from_bytes(answer, "big", signed=True)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), err.read())


def _is_ours(env: Mapping[str, str]) -> bool:
    python = [name for name in {*env, *os.environ} if name.startswith("PYTHON")]
    same = all(env.get(name) == os.environ.get(name) for name in python)
    return same and env.get("PATH", "").startswith(str(Path(sys.executable).parent))


@lru_cache
def _server() -> Path:
    """Start the server of this process, which ends with it; return its address."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "socket"
    ours, theirs = socket.socketpair()
    with socket.socket(socket.AF_UNIX) as listening, theirs:
        listening.bind(str(path))
        listening.listen(64)
        fds = [listening.fileno(), theirs.fileno()]
        words = [sys.executable, __file__, *map(str, fds)]
        process = subprocess.Popen(words, pass_fds=fds, stdin=subprocess.DEVNULL)  # noqa: S603
    _write_shims(folder)
    atexit.register(process.wait)
    atexit.register(ours.close)
    return path


def _write_shims(folder: Path) -> None:
    same = {os.fsencode(k): os.fsencode(v) for k, v in os.environ.items() if k[:6] == "PYTHON"}
    python = getattr(sys, "_base_executable", sys.executable)
    real, path = f"{Path(sys.executable).parent}/", str(folder / "socket")
    (folder / "bin").mkdir()
    for name in ("python", "dvc"):
        shim = folder / "bin" / name
        shim.write_text(_SHIM.format(python=python, same=same, folder=real, path=path))
        shim.chmod(0o755)


def _serve(listening: socket.socket, parent: socket.socket) -> None:
    """Fork for every request; return in the fork, with its request carried out up to the start."""
    while True:
        if parent in select.select([listening, parent], [], [])[0]:
            os._exit(0)
        asking, _ = listening.accept()
        if not os.fork():
            break
        asking.close()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    listening.close()
    parent.close()
    head, fds, *_ = socket.recv_fds(asking, 4, 3)
    size = int.from_bytes(head, "big")
    cwd, count, *items = os.fsdecode(asking.recv(size, socket.MSG_WAITALL)).split("\0")
    if child := os.fork():
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(OSError):
            asking.sendall(code.to_bytes(4, "big", signed=True))
        os._exit(0)
    asking.close()
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.clear()
    for item in items[int(count) :]:
        name, _, os.environ[name] = item.partition("=")
    os.chdir(cwd)
    sys.path[0] = cwd
    sys.argv = items[: int(count)]
    if "SSL_CERT_FILE" in os.environ:  # which aiohttp has read as it was imported
        connector = importlib.import_module("aiohttp.connector")
        connector._SSL_CONTEXT_VERIFIED = ssl.create_default_context()  # type: ignore[attr-defined] # noqa: SLF001


def _command() -> None:
    """Run the command of sys.argv as Python does, or DVC's."""
    if sys.argv[0] == "dvc":
        from dvc.cli import main  # noqa: PLC0415 - imported before the fork

        sys.exit(main(sys.argv[1:]))
    _, option, what, *words = sys.argv
    if option == "-c":
        sys.argv = ["-c", *words]
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
        return
    sys.argv = [what, *words]
    runpy.run_module(what, run_name="__main__", alter_sys=True)


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
    _serve(*(socket.socket(fileno=int(fd)) for fd in sys.argv[1:]))
    try:
        _command()
    except SystemExit as end:
        _leave(end.code)
    except BaseException:  # noqa: BLE001 - shown, as an interpreter does
        sys.excepthook(*sys.exc_info())
        _leave(1)
    _leave(None)
