"""Run a command and write its peak memory (bytes) to a file: ``peak.py FILE COMMAND...``.

A process inherits the peak of its parent. This small process starts the command, so that the
peak is the command's own. Children of the command count separately.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> int:
    """Run, wait, write."""
    pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
    _, status, usage = os.wait4(pid, 0)
    Path(sys.argv[1]).write_text(str(usage.ru_maxrss * 1024), encoding="ascii")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
