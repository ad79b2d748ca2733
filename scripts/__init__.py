"""Fetch, verify and pin the checkpoints of a paper; run as ``python -m scripts.NAME``."""

import sys

# Before anything that an older Python cannot read.
if sys.version_info < (3, 10):  # noqa: UP036 - it is not installed, so nothing else has checked
    sys.exit("error: this Python is older than 3.10. Next: ./checkpoints, which finds a newer one")

import scripts.console  # noqa: F401 - it shows what is wrong with any later import
