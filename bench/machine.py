"""What the figures depend on: the machine, and the versions of all tools."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

_TOOLS = {
    "nginx": ("nginx", "-v"),
    "wget": ("wget", "--version"),
    "curl": ("curl", "--version"),
    "aria2": ("aria2c", "--version"),
    "coreutils": ("md5sum", "--version"),
}
_PACKAGES = ("dvc", "requests", "urllib3", "huggingface_hub", "pooch")
_VERSION = re.compile(r"\d+(?:\.\d+)+")

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(folder: Path) -> dict[str, str]:
    """Return what a reader needs to judge the figures; `folder` is where files are written."""
    load = os.getloadavg()[0]
    return {
        "processor": f"{CORES} cores, {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB",
        "kernel": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "file system": _file_system(folder),
        "load at the start": f"{load:.2f}",
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {package(name)}" for name in _PACKAGES),
        "tools": ", ".join(f"{name} {_tool(*words)}" for name, words in _TOOLS.items()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    above = [(len(at), kind) for _, at, kind, *_ in mounts if folder.resolve().is_relative_to(at)]
    return max(above, default=(0, "unknown"))[1]


def package(name: str) -> str:
    """Return the version of an installed package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _tool(name: str, *words: str) -> str:
    if not (path := shutil.which(name)):
        return "not installed"
    done = subprocess.run([path, *words], capture_output=True, text=True, check=False)  # noqa: S603
    found = _VERSION.search(done.stdout + done.stderr)
    return found[0] if found else "unknown"
